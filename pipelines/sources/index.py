"""index.json: what a folder of shards holds. Written last, so a folder with an index is complete."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipelines.advice import rebuild
from pipelines.errors import DamagedFile, InputError
from pipelines.files import canonical, digest, read_sealed, sealed, write_text
from pipelines.sources.images import Decoding
from pipelines.spec.layout import INDEX

FILE = INDEX
VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One tar: its file name, SHA-256, size in bytes and number of samples."""

    name: str
    sha256: str
    bytes: int
    count: int


@dataclass(frozen=True, kw_only=True)
class Index:
    """What a folder of shards holds.

    dataset     its name; spec: its resolved options
    classes     names by class number, empty where nothing is labelled
    image_size  side in pixels after decoding; uniform: whether the stored images all have that very size
    channels    1 where all images are grey, else 3; or as many as the data set says that they have
    splits      train and test, in reading order
    holdout     sorted positions in train that are kept for choosing
    mean, std   of the rest of train after decoding, in [0, 1], a value a channel (three equal ones for grey)
    fields      further images by name, as the extension of their members: {"depth": "depth.png"}
    field_channels  of each of them, 1 (all grey) or 3
    captions    whether every sample has a caption
    unreadable  the images left out: {"split", "id", "reason"}
    changed     images with alpha, in cmyk, turned by their EXIF tag, deep, of several frames: how many
    class_counts  train, test and holdout (what of train is held out) -> images of each class
    equal       images that repeat another by content: how many in train, in test, of test in train; see equal_images
    layout      how the files were understood, in a line; empty for published data sets
    sizes       of the stored images in pixels: least_width, most_width, least_height, most_height; different: how many
    values      stored ones, where it is said how many channels images have: lowest and highest of each channel
    skipped     what else lay among the images: kind -> {"count", "examples"}
    extreme     images with one side many times as long as the other: {"count", "examples"}; empty where there is none
    """

    dataset: str
    spec: Mapping[str, Any]
    classes: tuple[str, ...]
    image_size: int
    uniform: bool
    channels: int
    splits: Mapping[str, tuple[Shard, ...]]
    holdout: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fields: Mapping[str, str]
    field_channels: Mapping[str, int]
    captions: bool
    unreadable: tuple[Mapping[str, str], ...]
    skipped: Mapping[str, Any] = field(default_factory=dict)
    changed: Mapping[str, int] = field(default_factory=dict)
    class_counts: Mapping[str, list[int]] = field(default_factory=dict)
    equal: Mapping[str, Any] = field(default_factory=dict)
    layout: str = ""
    sizes: Mapping[str, int] = field(default_factory=dict)
    extreme: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, list[int]] = field(default_factory=dict)
    version: int = VERSION

    def count(self, split: str) -> int:
        """Samples in a split."""
        return sum(shard.count for shard in self.splits[split])

    @property
    def decoding(self) -> Decoding:
        """How the images become pixels."""
        return Decoding.of(self.spec)

    @property
    def input_channels(self) -> int:
        """Channels that a network sees: of grey images three, unless the data set says how many they have."""
        return self.decoding.channels or 3

    @property
    def fingerprint(self) -> str:
        """Changes whenever anything in the index does."""
        return digest(self.content(), 16)

    def content(self) -> dict[str, Any]:
        """As plain values; what only images of stated channels have is left out of the others."""
        return {name: value for name, value in asdict(self).items() if name != "values" or value}


def save_index(folder: Path, index: Index) -> None:
    """Write ``folder/index.json`` with a checksum of itself, in one move."""
    write_text(folder / FILE, canonical(sealed(index.content())) + "\n")


def load_index(folder: Path) -> Index:
    """Read ``folder/index.json``. InputError when it is missing (not finished), DamagedFile, also of another version."""
    path, advice = folder / FILE, rebuild(folder)
    if not path.is_file():
        raise InputError(f"{path}: no such file, so these shards are not finished; {advice}")
    value = read_sealed(path, advice)
    try:
        if value["version"] != VERSION:
            raise DamagedFile(f"{path}: version {value['version']}, this program reads {VERSION}; {advice}")
        splits = {name: tuple(Shard(**shard) for shard in shards) for name, shards in value["splits"].items()}
        listed = ("classes", "holdout", "mean", "std", "unreadable")
        return Index(**{**value, "splits": splits, **{name: tuple(value[name]) for name in listed}})
    except (KeyError, TypeError, AttributeError) as error:
        raise DamagedFile(f"{path}: not an index of shards ({error}); {advice}") from None


def same_spec(index: Index, spec: Mapping[str, Any]) -> bool:
    """Whether the shards were made with exactly these options."""
    return canonical(index.spec) == canonical(spec)
