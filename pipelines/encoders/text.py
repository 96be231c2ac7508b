"""CLIP's text encoder: a transformer that reads from left to right (Radford et al. 2021, arXiv:2103.00020, section 2.4).

The feature of a text is the last LayerNorm's output at its END token. Blocks are those of GPT-2: LayerNorm first, with
eps 1e-5; GELU is exact, as in open_clip (OpenAI's weights want x sigmoid(1.702 x)).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipelines.encoders.tokeniser import END, PAD, VOCABULARY
from pipelines.encoders.vit import Attention, Block
from pipelines.errors import InputError


class CausalAttention(Attention):
    """Self-attention in which a token sees itself and those before it."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, width) -> (N, T, width)."""
        N, T, width = x.shape
        q, k, v = self.qkv(x).view(N, T, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        x = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.proj(x.transpose(1, 2).reshape(N, T, width))


class CausalBlock(Block):
    """A block of the ViT with causal attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__(width, heads)
        self.attn = CausalAttention(width, heads)
        self.norm1.eps = self.norm2.eps = 1e-5


class TextTransformer(nn.Module):
    """Tokens of ``ByteTokeniser`` to one feature a text.

    width, layers, heads  512, 12, 8 in the paper; width must be a multiple of heads (InputError)
    context               most tokens of a text
    merges                tokens beside the bytes and marks
    """

    def __init__(self, width: int, layers: int, heads: int, context: int, merges: int = 0) -> None:
        super().__init__()
        if width % heads:
            raise InputError(f"text_heads: {heads} heads do not divide text_width {width}")
        self.width, self.context = width, context
        self.tokens = nn.Embedding(VOCABULARY + merges, width)
        self.positions = nn.Parameter(torch.zeros(context, width))
        self.blocks = nn.ModuleList(CausalBlock(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        clip_start_(self)

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, T) int64, T at most ``context``, one END a row -> (N, width). What follows the END changes nothing."""
        x = self.tokens(tokens) + self.positions[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        ends = (tokens == END).int().argmax(dim=1)
        return self.norm(x[torch.arange(len(x), device=x.device), ends])


def clip_start_(text: TextTransformer) -> None:
    """The released code's start: normal weights, biases 0, PAD all zero.

    Deviations: tokens 0.02, positions 0.01, queries, keys and values width^-0.5, the MLP's first layer (2 width)^-0.5,
    both projections onto the shortcut width^-0.5 (2 layers)^-0.5.
    """
    width, layers = text.width, len(text.blocks)
    nn.init.normal_(text.tokens.weight, std=0.02)
    nn.init.normal_(text.positions, std=0.01)
    with torch.no_grad():
        text.tokens.weight[PAD].zero_()  # no gradient ever reaches it
    onto_shortcut = width**-0.5 * (2 * layers) ** -0.5
    for block in text.blocks:
        assert isinstance(block, CausalBlock)
        deviations = {
            block.attn.qkv: width**-0.5,
            block.attn.proj: onto_shortcut,
            block.mlp.fc1: (2 * width) ** -0.5,
            block.mlp.fc2: onto_shortcut,
        }
        for layer, deviation in deviations.items():
            nn.init.normal_(layer.weight, std=deviation)
            nn.init.zeros_(layer.bias)
