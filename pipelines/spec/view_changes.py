"""A view recipe with some of its settings changed."""

from typing import Any

from pipelines.errors import InputError
from pipelines.spec.parse import parse
from pipelines.spec.views import Views


def changed(views: Views, change: dict[str, Any]) -> Views:
    """The view recipe with ``change`` laid over each of its augmentations."""
    data = views.model_dump(mode="json")
    for colour in {kind["colour"] for kind in data["augmentations"]} - {"rgb", "unit"} if "colour" in change else ():
        raise InputError(
            f"views.colour: the method splits {colour}, which {change['colour']} would replace; leave it out"
        )
    if "size" in change and len({kind["size"] for kind in data["augmentations"]}) > 1:
        raise InputError(
            "views.size: the recipe has views of several sizes, which one size would make equal; leave it out"
        )
    data["augmentations"] = [{**kind, **change} for kind in data["augmentations"]]
    result: Views = parse(Views, data, "views", "views")
    return result
