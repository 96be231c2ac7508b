"""The documentation's page of methods: as it would be written now, with every method, option and recipe."""

import pytest
import yaml

from pipelines.spec.methods import names, options_class
from pipelines.spec.methods.peer import Peer
from pipelines.spec.methods_page import FILE, page
from pipelines.spec.recipes import RECIPES

SECTIONS = {part.partition("\n")[0]: part for part in FILE.read_text().split("\n## ")[1:]}


def test_the_page_is_not_stale():
    assert FILE.read_text() == page(), "write it anew: python -m pipelines.spec.methods_page"


@pytest.mark.parametrize("name", names())
def test_every_option_has_a_line(name):
    kind = options_class(name)
    if not issubclass(kind, Peer):
        lines = [
            line for line in SECTIONS[name].splitlines() if line.startswith("| `") and "/" not in line.split("|")[1]
        ]
        assert [line.split("`")[1] for line in lines] == [option for option in kind.model_fields if option != "use"]


def test_every_recipe_stands_with_its_method():
    told = {key: name for name, text in SECTIONS.items() for key in text.split("`") if "/" in key and " " not in key}
    for path in RECIPES.glob("*.yaml"):
        for scale, recipe in yaml.safe_load(path.read_text()).items():
            if isinstance(recipe, dict):
                assert told[f"{path.stem}/{scale}"] == recipe["method"]["use"]
