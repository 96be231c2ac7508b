"""An encoder as an ONNX file, written by torch.onnx and compared with the encoder by ONNX Runtime before it counts.

The packages are optional: ``pip install -e ".[onnx]"`` in a checkout; ``make install`` brings them.
"""

import contextlib
import importlib.util
import io
import logging
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipelines.encoders.base import Encoder
from pipelines.errors import EnvironmentFault
from pipelines.files import replacing

try:
    import onnxruntime
except ImportError:  # pip install ".[onnx]"
    onnxruntime = None

FILE = "model.onnx"
NEEDED = ("onnx", "onnxscript", "onnxruntime")
IMAGES, FEATURES = "images", "features"
"""Names of the one input, (N, C, side, side) float32 normalised as config.json says, and of the one output, (N, width)."""
APART = 1e-3
"""Largest difference of a feature allowed, as a share of the largest feature: rounding gives about 1e-6."""


def check_onnx() -> None:
    """EnvironmentFault naming the packages that are missing."""
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise EnvironmentFault(
            f"export --onnx: needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed; "
            'run, in the checkout: pip install -e ".[onnx]"; or leave --onnx out'
        )


def write_onnx(encoder: Encoder, side: int, channels: int, path: Path) -> float:
    """Write ``path`` in one move; the largest difference of a feature between file and encoder, as a share of the largest.

    The number of images is free, their side and channels are fixed. EnvironmentFault where the file gives other features.
    """
    check_onnx()
    encoder.eval()
    draw = torch.Generator().manual_seed(0)
    example, others = (torch.randn(count, channels, side, side, generator=draw) for count in (2, 3))
    with replacing(path) as part:
        _export(encoder, example, part)
        apart = _apart(encoder, others, part)
        if not apart <= APART:
            raise EnvironmentFault(
                f"{path}: was not kept, as its features differ from the encoder's by {apart:.2g} of the largest one; other "
                "versions of torch, onnxscript or onnxruntime may not, and model.safetensors needs none of them"
            )
    return apart


def _export(encoder: Encoder, example: Tensor, path: Path) -> None:
    """Quietly: torch.onnx tells its steps on standard output, and warns of what it does not need."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(
            encoder,
            (example,),
            str(path),
            input_names=[IMAGES],
            output_names=[FEATURES],
            dynamic_shapes=({0: torch.export.Dim("count")},),
            external_data=False,
        )


def _apart(encoder: Encoder, images: Tensor, path: Path) -> float:
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    (found,) = session.run([FEATURES], {IMAGES: images.numpy()})
    with torch.no_grad():
        wanted = encoder(images).numpy()
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())
