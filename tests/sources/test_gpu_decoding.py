"""JPEGs that are left to the training process: the same crops as a worker's, and what happens to images it cannot decode.

torchvision's decoder on the CPU stands in for nvJPEG, whose pixels differ by a few steps. That one is compared where there is
a GPU.
"""

import io
import itertools
from collections.abc import Callable

import pytest
import torch
from PIL import Image
from source_tools import noise
from torch import Tensor

from pipelines.errors import DamagedFile, InputError
from pipelines.sources import gpu_decoding
from pipelines.sources.base import open_source
from pipelines.sources.encoded import packed, unpacked
from pipelines.sources.gpu_decoding import GpuDecoder, tiny_jpeg
from pipelines.sources.images import Unreadable
from pipelines.sources.loader import Streaming
from pipelines.sources.order import Order
from pipelines.sources.reader import ShardSet, open_shards
from pipelines.sources.sequential import Sequential
from pipelines.sources.shards import build_shards
from pipelines.spec.datasets.imagefolder import Options as ImageFolder
from pipelines.spec.reading import Reading
from pipelines.spec.training import Training
from pipelines.spec.views import Augmentation, Views
from pipelines.views.crops import cutter, resized, resized_in_float32

CPU = torch.device("cpu")
CUT = cutter(Views(augmentations=(Augmentation(count=2, size=8),)), 16)


def photograph(seed: int, mode: str = "RGB", kind: str = "jpeg", **how: object) -> bytes:
    """A smooth picture of 37 x 50 pixels."""
    grain = Image.fromarray(noise(1, 5, 5, 3, seed=seed)[0]).resize((50, 37), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    grain.convert(mode).save(buffer, kind, **how)
    return buffer.getvalue()


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return photograph(3, exif=exif)


FILES = [
    *(photograph(seed) for seed in range(8)),
    photograph(8, progressive=True), photograph(9, "L"), photograph(10, "CMYK"), photograph(11, kind="png"), turned(),
]  # fmt: skip


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> ShardSet:
    root = tmp_path_factory.mktemp("photographs")
    for number, data in enumerate(FILES):
        for name in "ab":
            (root / "images" / name).mkdir(parents=True, exist_ok=True)
            (root / "images" / name / f"{number:02d}.jpg").write_bytes(data)
    options = ImageFolder(
        name="photographs", folder=str(root / "images"), image_size=16, per_shard=5, orientation="respect"
    )
    build_shards(open_source(options), options, root / "shards")
    return open_shards(root / "shards")


def loader(kind: str, shards: ShardSet, decode: GpuDecoder | None = None, workers: int = 0) -> Streaming | Sequential:
    order = Order(batch_size=4, seed=3)
    if kind == "random":
        return Streaming(shards, order, cut=CUT, workers=workers, decode=decode)
    return Sequential(shards, order, Reading(order="sequential"), cut=CUT, workers=workers, decode=decode)


def crops(data: Streaming | Sequential) -> list[Tensor]:
    try:
        return [torch.cat(batch.crops) for epoch in range(2) for batch in data.epoch(epoch) if batch.crops]
    finally:
        data.close()


both = pytest.mark.parametrize("kind", ["random", "sequential"])


@both
@pytest.mark.parametrize("workers", [0, 2])
def test_crops_are_those_that_workers_cut(shards: ShardSet, kind: str, workers: int) -> None:
    theirs = loader(kind, shards, GpuDecoder(CPU), workers)
    assert theirs.reading.endswith(", decoded on cpu")
    for one, other in itertools.zip_longest(crops(loader(kind, shards)), crops(theirs)):
        assert torch.equal(one, other)


def test_images_go_to_a_worker_s_reader_as_one_tensor() -> None:
    """A tensor between processes takes a file handle, of which a process has a thousand: one a batch, not one an image."""
    images = [
        torch.arange(5, dtype=torch.uint8),
        torch.ones(3, 2, 4, dtype=torch.uint8),
        torch.zeros(1, dtype=torch.uint8),
    ]
    values, shapes = packed(images)
    assert values.shape == (5 + 24 + 1,)
    for one, other in zip(images, unpacked(values, shapes), strict=True):
        assert torch.equal(one, other)


def test_a_gpu_decodes_after_the_crops_before_it_were_cut(monkeypatch) -> None:
    """nvJPEG's stream does not wait for the one on which crops are cut, whose images' memory it may be given."""
    log: list[str] = []

    class Stream:
        def synchronize(self) -> None:
            log.append("waits")

    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Stream())
    monkeypatch.setattr(gpu_decoding, "decode_jpeg", lambda jpegs, mode, device: log.append("decodes") or jpegs)
    decode = GpuDecoder(torch.device("cuda"))
    decode([tiny_jpeg()])
    assert log == ["waits", "decodes"] * 2


def refusing(which: Callable[[int], bool]) -> Callable[..., list[Tensor]]:
    """A decoder that fails on a batch with such a JPEG (its length is asked), as nvJPEG does."""
    real = gpu_decoding.decode_jpeg

    def decode(jpegs: list[Tensor], **how: object) -> list[Tensor]:
        if any(which(len(each)) for each in jpegs):
            raise RuntimeError("unsupported")
        found: list[Tensor] = real(jpegs, **how)
        return found

    return decode


@both
def test_what_the_device_cannot_decode_the_cpu_does(shards: ShardSet, kind: str, monkeypatch, capsys) -> None:
    decoder, expected = GpuDecoder(CPU), crops(loader(kind, shards))
    monkeypatch.setattr(gpu_decoding, "decode_jpeg", refusing(lambda length: length in {len(FILES[2]), len(FILES[8])}))
    found = crops(loader(kind, shards, decoder))
    assert len(found) == len(expected)
    assert all(map(torch.equal, found, expected))
    assert decoder.refused > 1
    assert capsys.readouterr().out.count("cpu refuses an image (unsupported); the CPU decodes such") == 1


@pytest.mark.parametrize("failure", [torch.OutOfMemoryError("out of memory"), torch.AcceleratorError("lost")])
def test_a_device_that_fails_is_not_taken_for_an_image_that_is_refused(shards: ShardSet, monkeypatch, failure) -> None:
    decoder = GpuDecoder(CPU)

    def fails(jpegs: list[Tensor], **how: object) -> list[Tensor]:
        raise failure

    monkeypatch.setattr(gpu_decoding, "decode_jpeg", fails)
    with pytest.raises(type(failure)):
        crops(loader("random", shards, decoder))


@both
@pytest.mark.parametrize("workers", [0, 2])
def test_an_image_that_nobody_can_decode_is_named(shards: ShardSet, kind: str, workers: int, monkeypatch) -> None:
    decoder = GpuDecoder(CPU)
    monkeypatch.setattr("pipelines.sources.encoded.is_plain_jpeg", lambda data, decoding: True)  # PNG and CMYK too
    monkeypatch.setattr(gpu_decoding, "decode_jpeg", refusing(lambda length: length == len(FILES[0])))
    monkeypatch.setattr("pipelines.sources.encoded.pixels", refused)
    with pytest.raises((DamagedFile, InputError), match=r"sample \d+-[ab]_00_jpg: broken off") as caught:
        crops(loader(kind, shards, decoder, workers))
    assert len(str(caught.value).splitlines()) == 1


def refused(data: bytes, decoding: object) -> object:
    raise Unreadable("broken off")


def test_a_device_that_decodes_no_jpeg_is_told_before_training(monkeypatch) -> None:
    monkeypatch.setattr(gpu_decoding, "decode_jpeg", refusing(lambda length: True))
    with pytest.raises(InputError, match=r"training\.decode: gpu: cpu decodes no JPEG here \(unsupported\); set"):
        GpuDecoder(CPU)


def test_the_device_is_part_of_a_key_where_it_is_a_gpu() -> None:
    assert "decode" not in Training().content()
    assert Training(decode="gpu").content()["decode"] == "gpu"


@pytest.mark.parametrize(("interpolation", "steps"), [("bilinear", 1), ("bicubic", 3)])
def test_a_crop_in_float32_is_that_in_bytes_but_for_rounding(interpolation, steps) -> None:
    """A cubic filter overshoots, and bytes are cut off at 0 and 255 between the two directions."""
    image = torch.from_numpy(noise(1, 3, 70, 50))
    one, other = (resize(image, 32, interpolation) for resize in (resized, resized_in_float32))
    assert other.dtype == torch.uint8
    assert (one.int() - other.int()).abs().max() <= steps


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_decodes_to_almost_the_same_crops(shards: ShardSet) -> None:
    pairs = zip(
        crops(loader("random", shards)), crops(loader("random", shards, GpuDecoder(torch.device("cuda")))), strict=True
    )
    for one, other in pairs:
        assert (one.int() - other.cpu().int()).abs().float().mean() < 2


def test_the_tiny_jpeg_is_one() -> None:
    assert Image.open(io.BytesIO(tiny_jpeg().numpy().tobytes())).size == (16, 16)
