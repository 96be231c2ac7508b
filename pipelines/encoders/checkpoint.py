"""An encoder whose weights come from a file: see ``encoders.weights`` for the forms that are read."""

from pathlib import Path

from torch import Tensor, nn

from pipelines.encoders import build_encoder
from pipelines.encoders.base import Encoder
from pipelines.encoders.weights import load_strictly, read_weights
from pipelines.errors import InputError
from pipelines.files import sha256_file
from pipelines.spec.encoders.checkpoint import Options, Start
from pipelines.spec.weight_names import encoder_weights


def build(options: Options, image_size: int, in_channels: int = 3) -> Encoder:
    """The encoder that the options describe, with its weights, built for images of ``options.image_size`` pixels."""
    encoder = build_encoder(options.of(), options.image_size or image_size, in_channels)
    load(encoder, options.start)
    return encoder


def load(encoder: nn.Module, start: Start) -> None:
    """A file's weights into an encoder, strictly. InputError names the file, and what does not fit; then nothing changed."""
    path = Path(start.path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file any more; put it back, with SHA-256 {start.sha256}")
    if start.sha256 and (found := sha256_file(path)) != start.sha256:
        raise InputError(
            f"{path}: has SHA-256 {found}, when planned it was {start.sha256}; put that file back or plan anew"
        )
    load_strictly(encoder, encoder_weights(read_weights(path), start.format, str(path), Tensor), str(path))
