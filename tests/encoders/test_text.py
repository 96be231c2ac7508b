"""The text transformer against torch's own layers, and what no token may see."""

import pytest
import torch
from torch import Tensor, nn

from pipelines.encoders.text import CausalBlock, TextTransformer
from pipelines.encoders.tokeniser import END, PAD, START
from pipelines.errors import InputError


def small(**changes: int) -> TextTransformer:
    torch.manual_seed(0)
    return TextTransformer(**{"width": 16, "layers": 2, "heads": 4, "context": 12} | changes).double()


def torch_layer(block: CausalBlock, width: int, heads: int) -> nn.TransformerEncoderLayer:
    """The same block by torch, weights copied."""
    layer = nn.TransformerEncoderLayer(
        width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True, dtype=torch.float64
    )
    layer.load_state_dict(
        {
            "self_attn.in_proj_weight": block.attn.qkv.weight,
            "self_attn.in_proj_bias": block.attn.qkv.bias,
            "self_attn.out_proj.weight": block.attn.proj.weight,
            "self_attn.out_proj.bias": block.attn.proj.bias,
            "linear1.weight": block.mlp.fc1.weight,
            "linear1.bias": block.mlp.fc1.bias,
            "linear2.weight": block.mlp.fc2.weight,
            "linear2.bias": block.mlp.fc2.bias,
            "norm1.weight": block.norm1.weight,
            "norm1.bias": block.norm1.bias,
            "norm2.weight": block.norm2.weight,
            "norm2.bias": block.norm2.bias,
        }
    )
    return layer


def test_equals_torchs_causal_layers_read_at_the_end_token():
    text = small()
    for parameter in text.parameters():  # zero biases would hide a forgotten one
        parameter.data = torch.randn_like(parameter) * 0.3
    tokens = torch.tensor([[START, 7, 8, 9, END], [START, 3, END, PAD, PAD]])
    x = text.tokens(tokens) + text.positions[:5]
    mask = nn.Transformer.generate_square_subsequent_mask(5, dtype=torch.float64)
    for block in text.blocks:
        x = torch_layer(block, 16, 4)(x, src_mask=mask, is_causal=True)
    expected = text.norm(torch.stack([x[0, 4], x[1, 2]]))
    torch.testing.assert_close(text(tokens), expected)


def test_what_follows_the_end_changes_nothing():
    text = small()
    one = torch.tensor([[START, 5, END]])
    filled = torch.tensor([[START, 5, END, PAD, PAD], [START, 5, 6, 7, END]])
    torch.testing.assert_close(text(filled)[0], text(one)[0])
    assert not torch.allclose(text(filled)[0], text(filled)[1])


def test_every_byte_before_the_end_counts_and_so_does_its_place():
    text = small()
    rows = torch.tensor([[START, 5, 6, END], [START, 6, 5, END], [START, 5, 5, END], [START, 5, 6, END]])
    found = text(rows)
    assert torch.equal(found[0], found[3])
    for other in (1, 2):
        assert not torch.allclose(found[0], found[other])


def test_the_start_has_the_stated_deviations():
    width, layers = 128, 3
    text = TextTransformer(width, layers, 4, 40)

    def deviation(weight: Tensor) -> float:
        return weight.detach().std().item()

    assert deviation(text.tokens.weight[:PAD]) == pytest.approx(0.02, rel=0.02)
    assert not text.tokens.weight[PAD].any()
    assert deviation(text.positions) == pytest.approx(0.01, rel=0.05)
    for block in text.blocks:
        assert deviation(block.attn.qkv.weight) == pytest.approx(width**-0.5, rel=0.02)
        assert deviation(block.mlp.fc1.weight) == pytest.approx((2 * width) ** -0.5, rel=0.02)
        for layer in (block.attn.proj, block.mlp.fc2):
            assert deviation(layer.weight) == pytest.approx((2 * layers * width) ** -0.5, rel=0.03)


def test_heads_have_to_divide_the_width():
    with pytest.raises(InputError, match="3 heads do not divide text_width 16"):
        small(heads=3)
