import pytest
import torch
from parity_noncontrastive import assert_close
from parity_tools import both_precisions, load, tensors

from pipelines.encoders.positions import resized, sincos_1d, sincos_2d
from pipelines.errors import InputError


def test_sine_cosine_codes_match_the_reference():
    expected = load("posembed_sincos")
    dim, side = int(expected["embed_dim"]), int(expected["grid_size"])
    for first, token, name in (
        ("column", False, "mae_no_cls"),
        ("column", True, "mae_with_cls"),
        ("row", True, "mocov3_with_cls"),
    ):
        assert_close(sincos_2d(dim, side, side, first, token)[0], expected[name], torch.float32, atol=2e-6)
    line = expected["sincos_1d_positions_0_to_8"]
    assert_close(sincos_1d(dim, torch.arange(len(line))), line, torch.float64, atol=2e-6)


@both_precisions
def test_resizing_matches_the_reference(dtype):
    given, expected = tensors("posembed_interp", dtype), load("posembed_interp")
    side = int(expected["new_grid"])
    assert_close(resized(given["pos_embed"], side, side), expected["pos_embed_new"], dtype)


def test_the_product_of_two_codes_depends_on_their_displacement_only():
    code = sincos_2d(32, 5, 7, "column", class_token=False)[0].double().reshape(5, 7, 32)
    torch.testing.assert_close(code[1, 1] @ code[3, 5], code[0, 2] @ code[2, 6], rtol=1e-5, atol=0)
    torch.testing.assert_close(code.square().sum(-1), torch.full((5, 7), 16.0, dtype=torch.float64))


def test_the_two_orders_are_each_other_transposed():
    by_column = sincos_2d(16, 3, 4, "column", class_token=False).reshape(3, 4, 16)
    by_row = sincos_2d(16, 4, 3, "row", class_token=False).reshape(4, 3, 16)
    assert torch.equal(by_column, by_row.transpose(0, 1))


def test_resizing_keeps_an_equal_grid_the_class_token_and_a_constant():
    code = torch.randn(1, 1 + 9, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(resized(code, 3, 3), code)
    larger = resized(code, 5, 4)
    assert larger.shape == (1, 1 + 20, 4)
    assert torch.equal(larger[:, 0], code[:, 0])
    flat = torch.ones(1, 9, 4)
    torch.testing.assert_close(resized(flat, 6, 6, num_extra=0), torch.ones(1, 36, 4))


def test_a_width_that_cannot_be_split_in_four_is_refused():
    with pytest.raises(InputError, match="multiple of 4, got 18"):
        sincos_2d(18, 2, 2, "row", class_token=True)
