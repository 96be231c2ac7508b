"""Names of made-up rows."""

from pipelines.spec.row_name import PIXELS, RowName, of_method, of_pixels, of_untrained


def name_of(label: str) -> RowName:
    """The name of a made-up row, from what tables call it: ``moco[lr=1]``, ``moco_tuned``, ``untrained resnet18``."""
    if label.startswith("untrained"):
        return of_untrained(label.removeprefix("untrained "))
    if label == PIXELS:
        return of_pixels()
    stem, _, point = label.removesuffix("_tuned").removesuffix("]").partition("[")
    pairs = (each.split("=", 1) for each in point.split(",") if each)
    return of_method(stem, {option: value for option, value in pairs}, label.endswith("_tuned"))
