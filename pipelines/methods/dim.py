"""Deep InfoMax with the local objective: which places belong to this global feature? (Hjelm et al. 2018, arXiv:1808.06670.)

Local features are one of the encoder's maps; the global one comes from the pooled feature by a layer of batch norm and
ReLU and a linear one. Both pass through 1x1 networks before their dot product.

Prior matching trains a discriminator beside: it sees the global features detached, and the encoder sees a discriminator
whose weights are held, so one backward pass serves both.
Differs from the paper: encoders are those of the study, so the global feature starts from a pooled map where the
paper's starts from the flattened one; one optimizer moves encoder and discriminator in the same step, where the release
takes turns; the global objective DIM(G) is left out. Evaluated is the pooled feature, nearest to the paper's "conv".
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from pipelines import distributed
from pipelines.batch import Batch
from pipelines.encoders.base import Encoder
from pipelines.errors import InputError
from pipelines.losses.dim import dim_dv, dim_info_nce, dim_jsd
from pipelines.methods.base import DataFacts, MakeEncoder, Method, Output, Progress, full_precision
from pipelines.methods.heads import at_least_float32, mlp, normed_mlp
from pipelines.methods.joint_draws import joint_draws
from pipelines.methods.pointwise import ChannelNorm, Pointwise
from pipelines.methods.scales import check_map, local_map, map_sides, pooled_and_maps
from pipelines.spec.methods.dim import Options

LEAST_SIDE = 7
DISCRIMINATOR = (1000, 200)


class DIM(Method):
    """encoder; head to the global feature; one 1x1 network each for local and global features; a discriminator or none.

    local: number of the feature map. With the estimator dv the mean loss of several processes is not that of the joined
    batch, since it holds the logarithm of a mean.
    """

    def __init__(self, options: Options, encoder: Encoder, head: nn.Module, local: int) -> None:
        super().__init__()
        self.options, self.local = options, local
        self.encoder, self.head = encoder, head
        units = options.units
        self.score_local = Pointwise(encoder.map_widths[local], units, units, ChannelNorm(units))
        self.score_global = Pointwise(options.dim, units, units, ChannelNorm(units))
        self.discriminator = mlp([options.dim, *DISCRIMINATOR, 1]) if options.gamma else None
        self.same_on_processes = options.estimator != "dv"

    def loss(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """views: one (N, 3, H, W), N > 1."""
        if len(views) != 1:
            raise InputError(f"views: dim takes one view of an image, this recipe makes {len(views)}; set count: 1")
        features, maps = pooled_and_maps(self.encoder, views[0])
        glob = self.head(features)  # (N, dim)
        local_scores = self.score_local(maps[self.local]).flatten(2)  # (N, units, P)
        global_scores = self.score_global(glob[:, :, None, None]).flatten(2)  # (N, units, 1)
        glob = at_least_float32(glob)
        with full_precision(glob.device):
            local = self._estimate(at_least_float32(local_scores), at_least_float32(global_scores))
            prior, discriminator = self._prior(glob, progress)
            total = self.options.beta * local + self.options.gamma * prior + discriminator
        parts = {"local": local, "prior": prior, "discriminator": discriminator}
        scalars = {name: value.detach() for name, value in parts.items() if name == "local" or self.discriminator}
        return Output(total, scalars, {"embeddings": F.normalize(glob.detach(), dim=1)})

    def _estimate(self, local: Tensor, glob: Tensor) -> Tensor:
        """0-d: the local objective, to be lowered, against the local features of all processes."""
        everyone, offset = distributed.gather_with_gradient(local), distributed.rank() * len(glob)
        match self.options.estimator:
            case "jsd":
                return dim_jsd(everyone, glob, offset=offset)
            case "info_nce":
                return dim_info_nce(everyone, glob, own_score=self.options.own_score, offset=offset)
            case "dv":
                return dim_dv(everyone, glob, offset=offset)

    def _prior(self, glob: Tensor, progress: Progress) -> tuple[Tensor, Tensor]:
        """0-d each: what the encoder lowers (non-saturating) and what the discriminator lowers, on sigmoid(global)."""
        if self.discriminator is None:
            return glob.new_zeros(()), glob.new_zeros(())
        uniform = joint_draws(
            lambda count, source: torch.rand(count, glob.shape[1], generator=source, device=source.device),
            len(glob),
            progress.joint,
        ).to(glob)
        codes = torch.sigmoid(glob)
        held = {name: value.detach() for name, value in self.discriminator.named_parameters()}
        prior = F.softplus(-functional_call(self.discriminator, held, (codes,))).mean()
        real, fake = self.discriminator(uniform), self.discriminator(codes.detach())
        return prior, F.softplus(-real).mean() + F.softplus(fake).mean()


def build(options: Options, make_encoder: MakeEncoder, facts: DataFacts) -> DIM:
    """DIM over a fresh encoder. InputError when it has no map of the number ``options.local``."""
    encoder = make_encoder()
    sides = map_sides(encoder, facts.image_size, facts.channels)
    local = local_map(sides, LEAST_SIDE) if options.local is None else check_map(options.local, sides, "local")
    return DIM(options, encoder, normed_mlp([encoder.width, options.hidden, options.dim], last_bias=True), local)
