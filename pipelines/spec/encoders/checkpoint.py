"""Options of weights that others made, or that this project exported: an encoder read from a file."""

import pickletools
import zipfile
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from pipelines.errors import InputError
from pipelines.files import read_json, sha256_file
from pipelines.listing.paths import expanded
from pipelines.spec.bands import Bands
from pipelines.spec.base import Count, Model, NotNegative, Positive
from pipelines.spec.encoders.alexnet import Options as AlexNet
from pipelines.spec.encoders.base import EncoderOptions
from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.encoders.timm import Options as Timm
from pipelines.spec.encoders.vit import Options as ViT
from pipelines.spec.parse import parse
from pipelines.spec.weight_shapes import check_shapes

Format = Literal["export", "torchvision", "timm", "moco", "swav", "dino", "mae"]
"""Whose names the weights in a file bear."""
Architecture = Annotated[ResNet | ViT | AlexNet | Timm, Field(discriminator="use")]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

EXPORTED, CONFIG = "model.safetensors", "config.json"
"""What ``python -m pipelines export`` leaves: weights, and what has to be known to use them."""
PLAIN = ("torch", "collections", "argparse", "numpy", "_codecs")
"""Packages whose objects a file of weights may name: tensors, mappings and settings."""
PUBLISHED_SIDE = 224
"""Pixels a side that published weights take, unless told otherwise."""
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Start(Model):
    """A file of weights that training goes on from."""

    path: str
    """A safetensors or PyTorch file, or the folder of an export."""
    format: Format = "export"
    """export: this project's own; else whose names the weights bear."""
    sha256: Sha256 | None = None
    """What the file has to be; none: what it is when the study is planned."""

    def known(self) -> Self:
        """With the file's path and SHA-256. InputError when it is missing, is no file of weights, or is another one."""
        file = weights_file(expanded(self.path))
        found = sha256_file(file)
        if self.sha256 not in (None, found):
            raise InputError(
                f"sha256: {file} has SHA-256 {found}, not {self.sha256}; fetch the file anew or mend the line"
            )
        return self.model_copy(update={"path": str(file), "sha256": found})

    @property
    def channels(self) -> int:
        """Of the images that its encoder takes: three, unless an export says otherwise; asked once it is known."""
        told = exported(Path(self.path)) if self.format == "export" else {}
        return told.get("channels") or 3


class Options(Bands, EncoderOptions):
    """Weights from a file, loaded strictly: a row of the tables as they are, and where a method's training starts."""

    use: Literal["checkpoint"] = "checkpoint"
    path: str
    """A safetensors or PyTorch file, or the folder of an export."""
    format: Format = "export"
    """export: this project's own; else whose names the weights bear."""
    architecture: Architecture | None = None
    """What the weights are of; none: what config.json beside an export says."""
    image_size: Count | None = None
    """Pixels a side in which it takes images; none: those of the export, else 224. A ViT's must be its own."""
    mean: tuple[NotNegative, ...] | None = None
    """Of the channels, in [0, 1]: one number, or one a channel; none: those of the export, else ImageNet's."""
    std: tuple[Positive, ...] | None = None
    """As mean."""
    sha256: Sha256 | None = None
    """What the file has to be; none: what it is when the study is planned."""

    @property
    def short_name(self) -> str:
        return f"{self.architecture.short_name}-{self.format}" if self.architecture else Path(self.path).stem

    def forward_gflops(self, image_size: int) -> float:
        return self.of().forward_gflops(image_size)

    def of(self) -> EncoderOptions:
        """The architecture; asked once it is known."""
        assert self.architecture is not None, "planning fills it in"
        return self.architecture

    def takes(self) -> tuple[int, tuple[float, ...], tuple[float, ...]]:
        """Pixels a side, mean and standard deviation of the images it takes; asked once they are known."""
        assert self.image_size is not None, "planning fills it in"
        return self.image_size, self.mean or IMAGENET_MEAN, self.std or IMAGENET_STD

    @property
    def start(self) -> Start:
        """The file, for training to go on from."""
        return Start(path=self.path, format=self.format, sha256=self.sha256)

    def known(self) -> Self:
        """All written out, from the file and what lies beside it. InputError names the key that is wrong or needed."""
        start = self.start.known()
        told = exported(Path(start.path)) if self.format == "export" else {}
        architecture = self.architecture or told.get("encoder")
        if architecture is None:
            raise InputError(
                f"architecture: is needed, as {start.path} does not say what its weights are of, such as "
                "{use: resnet, depth: 50}"
            )
        mean, std = self.mean or told.get("mean", IMAGENET_MEAN), self.std or told.get("std", IMAGENET_STD)
        channels, ranges = self.channels or told.get("channels"), self.value_range or told.get("value_range")
        for name, values in (("mean", mean), ("std", std)):
            if len(values) not in (1, channels or 3):
                raise InputError(f"{name}: must have one number or {channels or 3}, got {len(values)}")
        size = self.image_size or told.get("image_size", PUBLISHED_SIDE)
        architecture = architecture.fitted(None)  # the published form, whatever the size of a study's images
        check_shapes(Path(start.path), self.format, architecture)
        written = {"architecture": architecture, "image_size": size, "mean": mean, "std": std}
        written |= {"channels": channels, "value_range": ranges}
        return self.model_copy(update={**written, "path": start.path, "sha256": start.sha256})


def weights_file(path: Path) -> Path:
    """The file of weights that a path names: itself, or the one in an export's folder. InputError when it is none."""
    file = path / EXPORTED if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"path: there is no file {file}; fetch it, or mend the path (it counts from where you start)")
    with file.open("rb") as opened:
        head = opened.read(16)
    zipped, pickled, header = head[:2] == b"PK", head[:1] == b"\x80", head[8:9] == b"{"
    if not (zipped or pickled or header):
        kind = "a Git LFS pointer" if head.startswith(b"version https") else f"something that begins with {head!r}"
        raise InputError(
            f"path: {file} is neither safetensors nor a PyTorch file but {kind}; fetch the weights themselves"
        )
    if zipped:
        _check_archive(file)
    return file


def _check_archive(file: Path) -> None:
    """InputError for a PyTorch file that is cut short, or that names code of other packages than torch's.

    Only what can be seen without torch: reading it with weights_only is what keeps code from being run.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            if any(each.compress_type != zipfile.ZIP_STORED for each in archive.infolist()):
                raise ValueError(
                    "its parts are compressed, which PyTorch writes none of"
                )  # a few bytes can hold gigabytes
            content = [archive.read(name) for name in archive.namelist() if name.endswith("data.pkl")]
        named = [str(value) for each in content for step, value, _ in pickletools.genops(each) if step.name == "GLOBAL"]
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise InputError(f"path: {file} cannot be read ({error}); fetch the file anew") from None
    if code := [name.replace(" ", ".") for name in named if name.split(" ")[0].split(".")[0] not in PLAIN]:
        raise InputError(
            f"path: {file} holds code or objects, not weights alone ({', '.join(code[:3])}), and code in files is not run; "
            "save its state dict as safetensors where you trust it"
        )


def exported(file: Path) -> dict[str, Any]:
    """What config.json beside an exported file says: encoder (its options), image_size, mean, std; nothing without one."""
    config = file.parent / CONFIG
    if not config.exists():
        return {}
    value = read_json(config)
    found: dict[str, Any] = {}
    if not isinstance(value, dict) or not {"encoder", "image_size", "mean", "std"} <= set(value):
        raise InputError(f"{config}: must say encoder, image_size, mean and std; export the job anew")
    found = {name: value[name] for name in ("image_size", "mean", "std")}
    found = {name: tuple(given) if isinstance(given, list) else given for name, given in found.items()}
    if reading := value.get("reading"):
        stated = parse(Bands, reading, f"{config}: reading")
        found |= {"channels": stated.channels, "value_range": stated.value_range}
    return {**found, "encoder": parse(Architecture, value["encoder"], f"{config}: encoder")}
