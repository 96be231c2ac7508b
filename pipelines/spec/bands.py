"""Images of a stated number of channels: fluorescence, satellite bands, depth; how many, and what their values mean."""

from typing import Annotated, Any, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from pipelines.spec.base import Model

MOST_CHANNELS = 16
LARGEST = 2**16 - 1
"""The largest value of 16 bits."""
Stored = Annotated[int, Field(ge=0, le=LARGEST)]


class Bands(Model):
    """Options that are no part of a data set's content, nor of its key, where they are not given."""

    channels: int | None = Field(default=None, ge=1, le=MOST_CHANNELS)
    """Channels of every image, of 8 or 16 bits, from PNG, TIFF or NPY. None: images are read as grey or RGB of 8 bits."""
    value_range: tuple[tuple[Stored, Stored], ...] | None = None
    """With ``channels``: the stored values that become 0 and 1, as one [low, high] for all channels or one for each; what lies
    outside is cut off. None: the whole range of the file, 0 to 255 or 0 to 65,535."""

    @property
    def input_channels(self) -> int:
        """Channels that a network sees: grey images become three equal ones unless ``channels`` says otherwise."""
        return self.channels or 3

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.value_range is None:
            return self
        if self.channels is None:
            raise ValueError("value_range is about images of a stated number of channels; set channels too")
        if len(self.value_range) not in (1, self.channels):
            raise ValueError(
                f"value_range: must have one [low, high], or one for each of {self.channels} channels, "
                f"got {len(self.value_range)}"
            )
        for low, high in self.value_range:
            if low >= high:
                raise ValueError(f"value_range: must be [low, high] with low < high, got [{low}, {high}]")
        return self

    @model_serializer(mode="wrap")
    def _without_what_is_not_given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        dump: dict[str, Any] = handler(self)
        return {
            name: value for name, value in dump.items() if value is not None or name not in ("channels", "value_range")
        }
