"""How a GPU may compute, said in this one place: TF32, and the search for the fastest convolution."""

import contextlib
from collections.abc import Iterator

import torch


def choose_kernels(precision: str, device: torch.device) -> None:
    """Set torch's switches for this process; on a CPU nothing.

    float32: exact products, and no search, whose choice may differ from run to run. Else convolutions may round their
    factors to TF32's 10 bits where they are not in bfloat16 already, and the fastest algorithm is searched for each shape.
    Matrix products outside of autocast stay exact always: scores and losses are made of them.
    """
    if device.type != "cuda":
        return
    exact = precision == "float32"
    torch.backends.cudnn.allow_tf32 = not exact
    torch.backends.cudnn.benchmark = not exact
    torch.backends.cuda.matmul.allow_tf32 = False


@contextlib.contextmanager
def exact_kernels() -> Iterator[None]:
    """float32's switches in here, whatever a training in this process has set: features do not depend on what ran before."""
    cudnn = torch.backends.cudnn
    kept = cudnn.allow_tf32, cudnn.benchmark
    cudnn.allow_tf32 = cudnn.benchmark = False
    try:
        yield
    finally:
        cudnn.allow_tf32, cudnn.benchmark = kept
