"""AMDIM: tell which places of the other view are of the same image, at several scales (Bachman et al. 2019, arXiv:1906.00910).

The scales 1, 5 and 7 of the paper are here the pooled feature and two of the encoder's maps, by default the one whose side
comes nearest to 5 and the one before it.

Differs from the paper: its own encoder has no padding, so that a place of its 5x5 and 7x7 maps sees a part of the image
only; places of the study's encoders see more, up to all of it, and their borders see padding. The pooled feature of a
ResNet is the mean of its last map, where the paper's 1x1 map is a convolution of its 5x5 one. The classifiers that the
release trains beside on detached features are this project's probes. Evaluated is the pooled feature before the batch norm
that the paper counts to its encoder.
"""

from functools import partial

import torch.nn.functional as F
from torch import Generator, Tensor, cat, nn

from pipelines import distributed
from pipelines.batch import Batch
from pipelines.encoders.base import Encoder
from pipelines.errors import InputError
from pipelines.losses.amdim import Maps, amdim, draw_positions
from pipelines.methods.base import DataFacts, MakeEncoder, Method, Output, Progress, full_precision
from pipelines.methods.heads import at_least_float32
from pipelines.methods.joint_draws import joint_draws
from pipelines.methods.pointwise import Pointwise, noisy_identity_
from pipelines.methods.scales import check_map, map_sides, pooled_and_maps, two_scales
from pipelines.spec.methods.amdim import Options

MIDDLE_SIDE = 5


class AMDIM(Method):
    """encoder, and one embedding for each scale, shared by both views.

    middle, large: numbers of the feature maps that play 5x5 and 7x7. The pooled feature is embedded by batch norm alone
    where it has the size ``options.dim``, else by a linear map before it; maps by 1x1 networks that end in batch norm.
    """

    def __init__(self, options: Options, encoder: Encoder, middle: int, large: int) -> None:
        super().__init__()
        self.options, self.encoder, self.middle, self.large = options, encoder, middle, large
        dim = options.dim or encoder.width
        self.embed_one = nn.Sequential(_resized(encoder.width, dim), nn.BatchNorm1d(dim))
        self.embed_middle, self.embed_large = (
            Pointwise(encoder.map_widths[number], dim, dim, nn.BatchNorm2d(dim), bias=False)
            for number in (middle, large)
        )

    def loss(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """views: two (N, 3, H, W), N > 1; both go through the network as one batch."""
        if len(views) != 2:
            raise InputError(
                f"views: amdim compares two views of an image, this recipe makes {len(views)}; set count: 2"
            )
        pooled, maps = pooled_and_maps(self.encoder, cat(views))
        scales = (
            self.embed_one(pooled)[:, :, None, None],
            self.embed_middle(maps[self.middle]),
            self.embed_large(maps[self.large]),
        )
        one, middle, large = (at_least_float32(scale).chunk(2) for scale in scales)
        mine: tuple[Maps, Maps] = ((one[0], middle[0], large[0]), (one[1], middle[1], large[1]))
        first, second = (_gathered(maps) for maps in mine) if distributed.world_size() > 1 else mine
        draw = partial(_draw, middle[0].flatten(2).shape[2])
        places = [joint_draws(draw, len(views[0]), progress.joint) for _ in mine]
        with full_precision(pooled.device):
            found = amdim(
                *mine,
                *places,
                clip=self.options.clip,
                penalty=self.options.penalty,
                everyone=(first, second),
                offset=distributed.rank() * len(views[0]),
            )
        scalars = {name: value.detach() for name, value in found._asdict().items() if name != "loss"}
        return Output(found.loss, scalars, {"embeddings": F.normalize(one[0].detach().flatten(1), dim=1)})


def build(options: Options, make_encoder: MakeEncoder, facts: DataFacts) -> AMDIM:
    """AMDIM over a fresh encoder. InputError when it lacks the maps."""
    encoder = make_encoder()
    sides = map_sides(encoder, facts.image_size, facts.channels)
    middle = two_scales(sides, MIDDLE_SIDE)[0] if options.middle is None else check_map(options.middle, sides, "middle")
    large = max(0, middle - 1) if options.large is None else check_map(options.large, sides, "large")
    return AMDIM(options, encoder, middle, large)


def _resized(inside: int, outside: int) -> nn.Module:
    if inside == outside:
        return nn.Identity()
    linear = nn.Linear(inside, outside, bias=False)
    noisy_identity_(linear.weight)
    return linear


def _gathered(maps: Maps) -> Maps:
    one, middle, large = (distributed.gather_with_gradient(features) for features in maps)
    return one, middle, large


def _draw(positions: int, count: int, generator: Generator) -> Tensor:
    return draw_positions(count, positions, generator)
