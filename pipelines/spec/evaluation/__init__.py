"""Every protocol's options: one file a protocol, found by its name; ``evaluation/`` has what they configure."""

from typing import Annotated

from pipelines.spec.evaluation.base import Protocol
from pipelines.spec.kinds import OneOf

AnyEvaluation = Annotated[Protocol, OneOf(__name__)]
