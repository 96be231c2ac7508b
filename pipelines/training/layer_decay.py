"""Learning rates that fall from the top of a ViT to its first layer, by timm, which takes seconds to load: ``optimizers``
loads this file where it is asked for, and nothing else imports it.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from timm.optim import param_groups_layer_decay
from torch import nn

from pipelines.training.optimizers import Group, group_of

LAYERS = {"embedding": r"(?:cls_token|pos_embed|patch_embed)(?:\.|$)", "blocks": [(r"blocks\.(\d+)\.", None)]}
"""timm's way to number layers: the embedding, every block, and all that is behind them as one, as MAE has it. timm's own ViT
counts its last norm as a layer below the classifier."""


class _Layered(nn.Module):
    """What timm asks of a network."""

    def __init__(self, named: Iterable[tuple[str, nn.Parameter]]) -> None:
        super().__init__()
        self.named = list(named)

    def named_parameters(self, *_: Any, **__: Any) -> Iterator[tuple[str, nn.Parameter]]:
        """Those given, by the names given."""
        return iter(self.named)

    def group_matcher(self, coarse: bool) -> dict[str, Any]:
        """How parameters are numbered by their names."""
        return LAYERS


def layer_decay_groups(
    named: Iterable[tuple[str, nn.Parameter]],
    layer_decay: float,
    weight_decay: float,
    no_decay: Collection[str] = ("cls_token", "pos_embed"),
) -> list[Group]:
    """Groups for fine-tuning a ViT (He et al. 2021, arXiv:2111.06377, appendix A.1).

    named: as in timm's VisionTransformer, cls_token, pos_embed, patch_embed.*, blocks.i.*; all else counts as its top. The rate
    of layer l of L is multiplied by layer_decay^(L - l). Norms, biases and the parameters named in ``no_decay`` have no
    weight decay. Order: by rate, for each the decayed ones first.
    """
    found = param_groups_layer_decay(
        _Layered(named), weight_decay=1.0, no_weight_decay_list=no_decay, layer_decay=layer_decay
    )
    groups = [
        group_of(each["params"], weight_decay, each["weight_decay"] > 0, lr_scale=each["lr_scale"]) for each in found
    ]
    return sorted(groups, key=lambda group: (group["lr_scale"], not group["decayed"]))
