"""Every method: one file each, found by its name, offering ``build(options, make_encoder, facts) -> Method``."""

import importlib

from pipelines.methods.base import DataFacts, MakeEncoder, Method
from pipelines.spec.methods.base import MethodOptions


def build(options: MethodOptions, make_encoder: MakeEncoder, facts: DataFacts) -> Method:
    """The method that ``options`` belong to, freshly initialised from torch's default generator."""
    module = importlib.import_module(f"{__name__}.{options.use}")
    method: Method = module.build(options, make_encoder, facts)
    return method
