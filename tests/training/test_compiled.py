"""Compiled networks give the same step up to rounding; the switches of a GPU are set in one place, as the study says."""

import functools

import pytest
import torch
from trainer_tools import equal, small_method, small_options, small_trainer, weights

from pipelines.kernels import choose_kernels
from pipelines.training.compiled import Compiled, compile_networks


@pytest.fixture
def counted(monkeypatch):
    """torch.compile without a compiler of C++, whose graphs run as they are; how often each was asked for."""
    compiled = []
    real = torch.compile

    def compiles(call, mode=None):
        compiled.append((call.__name__, mode))
        return functools.partial(real, backend="eager")(call)

    monkeypatch.setattr(torch, "compile", compiles)
    return compiled


@pytest.mark.parametrize(("limit", "on"), [(None, True), (6, True), (None, "graphs")])
def test_a_step_is_the_same_whole_and_in_chunks(counted, limit, on):
    plain, fast = (
        small_trainer(small_options("byol"), epochs=1, batch_size=24, device_batch_size=limit, compile=how)
        for how in (False, on)
    )
    plain.fit()
    fast.fit()
    assert ("forward", "reduce-overhead" if on == "graphs" else None) in counted
    one, other = weights(plain.method), weights(fast.method)
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, rtol=1e-4, atol=1e-5)


def test_evaluation_is_not_compiled(monkeypatch):
    def refuses(*_):
        raise AssertionError("compiled code in evaluation")

    monkeypatch.setattr(torch, "compile", lambda call, mode: refuses)
    plain, method = small_method(small_options("mae")), small_method(small_options("mae"))
    compile_networks(method)
    assert isinstance(method.encoder.tokens, Compiled)
    images = torch.randn(2, 3, 16, 16)
    assert torch.equal(method.eval().encoder(images), plain.eval().encoder(images))
    assert equal(weights(method), weights(plain))


@pytest.mark.parametrize(("precision", "exact"), [("float32", True), ("auto", False), ("bfloat16", False)])
def test_switches_follow_the_precision(precision, exact):
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, cudnn.benchmark, matmul.allow_tf32
    try:
        choose_kernels(precision, torch.device("cpu"))
        assert (cudnn.allow_tf32, cudnn.benchmark, matmul.allow_tf32) == before
        choose_kernels(precision, torch.device("cuda"))
        assert (cudnn.allow_tf32, cudnn.benchmark, matmul.allow_tf32) == (not exact, not exact, False)
    finally:
        cudnn.allow_tf32, cudnn.benchmark, matmul.allow_tf32 = before
