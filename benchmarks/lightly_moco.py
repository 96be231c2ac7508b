"""The peer of moco_throughput: MoCo v2 put together from lightly's parts as its documentation does.

After the PyTorch example at docs.lightly.ai/examples/moco.html: its transform, head, loss with a memory bank, momentum
update and SGD rate, a DataLoader with worker processes. Changed: torchvision's ResNet-18 gets the stem and the width that
are compared; Fashion-MNIST comes as RGB pictures; on two cores there are two workers in place of eight.
"""

import copy
import time
from itertools import islice, pairwise
from typing import Any

import torch
import torchvision
from lightly.loss import NTXentLoss
from lightly.models.modules import MoCoProjectionHead
from lightly.models.utils import deactivate_requires_grad, update_momentum
from lightly.transforms.moco_transform import MoCoV2Transform
from lightly.utils.scheduler import cosine_schedule
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.models.resnet import BasicBlock

from benchmarks.contest import Runner, Segment
from benchmarks.devices import device_of, in_bfloat16, settle

DIM = 128


class Pictures(Dataset[tuple[Any, int]]):
    """Grey images (N, H, W) uint8 as torchvision's data sets give theirs: a PIL picture each, transformed."""

    def __init__(self, images: NDArray, size: int) -> None:
        self.images, self.transform = images, MoCoV2Transform(input_size=size)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, place: int) -> tuple[Any, int]:
        return self.transform(Image.fromarray(self.images[place]).convert("RGB")), 0


def resnet18(width: int) -> nn.Module:
    """torchvision's ResNet-18, pooled, with a 3x3 stem without pooling and ``width`` channels in its first stage."""
    network = torchvision.models.resnet18()
    network.inplanes = width
    network.conv1 = nn.Conv2d(3, width, 3, padding=1, bias=False)
    network.bn1 = nn.BatchNorm2d(width)
    network.maxpool = nn.Identity()
    for stage in range(4):
        layer = network._make_layer(BasicBlock, width * 2**stage, 2, stride=2 if stage else 1)
        setattr(network, f"layer{stage + 1}", layer)
    return nn.Sequential(*list(network.children())[:-1])


class MoCo(nn.Module):
    """Backbone and head, and their slow copies."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.backbone, self.head = resnet18(width), MoCoProjectionHead(8 * width, 8 * width, DIM)
        self.slow_backbone, self.slow_head = copy.deepcopy(self.backbone), copy.deepcopy(self.head)
        deactivate_requires_grad(self.slow_backbone)
        deactivate_requires_grad(self.slow_head)

    def query(self, images: Tensor) -> Tensor:
        return self.head(self.backbone(images).flatten(start_dim=1))

    def key(self, images: Tensor) -> Tensor:
        return self.slow_head(self.slow_backbone(images).flatten(start_dim=1)).detach()


def lightly_moco(
    images: NDArray,
    width: int,
    size: int,
    batch_size: int,
    queue_size: int,
    workers: int,
    threads: int,
    autocast: bool,
    device: str,
) -> Runner:
    """Turns of the loop; autocast: bfloat16 around forward pass and loss, else float32 as in the example."""
    torch.set_num_threads(threads)
    place = device_of(device)
    model, criterion = MoCo(width).to(place), NTXentLoss(memory_bank_size=(queue_size, DIM)).to(place)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.06)
    loader = DataLoader(Pictures(images, size), batch_size, shuffle=True, drop_last=True, num_workers=workers)
    momentum = cosine_schedule(0, 200, 0.996, 1)
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)

    def step(views: list[Tensor]) -> None:
        update_momentum(model.backbone, model.slow_backbone, m=momentum)
        update_momentum(model.head, model.slow_head, m=momentum)
        with in_bfloat16(place, autocast):
            loss = criterion(model.query(views[0]), model.key(views[1]))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    def turn(warm: int, steps: int) -> Segment:
        marks = []
        for number, (views, _) in enumerate(islice(loader, warm + steps), 1):  # fresh workers: nothing is ready
            step([view.to(place) for view in views])
            if number in (warm, warm + steps):
                settle(place)
            marks.append(time.perf_counter())
        marks = marks[warm - 1 :]
        where = str(next(model.parameters()).device)
        return {"seconds": [b - a for a, b in pairwise(marks)], "parameters": trained, "device": where}

    return turn
