"""How a GPU may compute, said in this one place: TF32, and the search for the fastest convolution."""

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
