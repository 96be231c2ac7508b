"""Names and shapes of the weights in a file, read without torch: planning refuses those of another network by them.

Of safetensors the header tells. A PyTorch file is a zip whose pickle is gone through with stand-ins in place of all that it
names, so that nothing in it is run. Files of the form before PyTorch 1.6 tell nothing here.
"""

import json
import pickle
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pipelines.errors import InputError
from pipelines.spec.encoders.base import EncoderOptions, Shape
from pipelines.spec.weight_names import encoder_weights, listed

LONGEST = 100_000_000
"""Bytes of a safetensors header that are read, at most: the format's own limit."""


@dataclass(frozen=True)
class WeightShape:
    """What stands for a tensor."""

    size: tuple[int, ...]


class _Dictionary(dict[Any, Any]):
    """An OrderedDict, with the attributes that a state dict has."""


class _Unknown:
    """Anything else that a file names: settings, numbers."""

    def __init__(self, *given: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


def _tensor(storage: Any, offset: int, size: tuple[int, ...], *rest: Any) -> WeightShape:
    return WeightShape(tuple(size))


def _parameter(data: Any, *rest: Any) -> Any:
    return data


class _Shapes(pickle.Unpickler):
    """Calls nothing that a file names."""

    def find_class(self, module: str, name: str) -> Any:
        if name.startswith("_rebuild_tensor"):
            return _tensor
        known = {"_rebuild_parameter": _parameter, "OrderedDict": _Dictionary}
        return known.get(name, _Unknown)

    def persistent_load(self, pid: Any) -> None:
        return None


def shapes_in(file: Path) -> Any:
    """What a file holds, with a ``WeightShape`` for each tensor; None where that cannot be seen without torch."""
    try:
        with file.open("rb") as opened:
            if zipfile.is_zipfile(file):
                return _of_archive(file)
            opened.seek(0)
            return _of_header(opened)
    except Exception:  # broken files raise of every kind; reading the weights says which
        return None


def _of_archive(file: Path) -> Any:
    with zipfile.ZipFile(file) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith("data.pkl"))
        with archive.open(name) as opened:
            return _Shapes(opened).load()  # type: ignore[arg-type]


def _of_header(opened: BinaryIO) -> dict[str, WeightShape] | None:
    (length,) = struct.unpack("<Q", opened.read(8))
    if length > LONGEST:
        return None
    header = json.loads(opened.read(length))
    return {name: WeightShape(tuple(said["shape"])) for name, said in header.items() if name != "__metadata__"}


def check_shapes(file: Path, form: str, encoder: EncoderOptions) -> None:
    """InputError where the weights are seen to be of another depth, width or kind than the encoder."""
    found, telling = shapes_in(file), encoder.telling()
    if found is None or not telling:
        return
    weights = encoder_weights(found, form, str(file), WeightShape)
    missing = [name for name, shape in telling.items() if shape is not None and name not in weights]
    extra = [name for name, shape in telling.items() if shape is None and name in weights]
    other = _other_shapes(weights, telling)
    if missing or extra or other:
        raise InputError(
            f"{file}: the weights are of another network than {encoder.short_name}; missing: {listed(missing)}; too much: "
            f"{listed(extra)}; of other shapes: {listed(other)}; mend architecture (its depth, width or size, stem, patch) or "
            "format"
        )


def _other_shapes(weights: Mapping[str, WeightShape], telling: Mapping[str, Shape | None]) -> list[str]:
    found = []
    for name, shape in telling.items():
        if shape is None or name not in weights:
            continue
        size = weights[name].size
        if len(size) != len(shape) or any(wanted not in (None, given) for wanted, given in zip(shape, size)):
            told = ", ".join("any" if each is None else str(each) for each in shape)
            found.append(f"{name} {size} instead of ({told})")
    return found
