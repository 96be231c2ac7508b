"""Every encoder's options: one file a backbone, found by its name; ``encoders/`` has what they build."""

from typing import Annotated

from pipelines.spec.encoders.base import EncoderOptions
from pipelines.spec.kinds import OneOf

AnyEncoder = Annotated[EncoderOptions, OneOf(__name__)]
