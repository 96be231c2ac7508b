"""Memory that training frees stays with the process: the next step needs it again.

glibc gives a large block back to the system at once. A training step on a CPU allocates and frees gigabytes of
activations, and every page of them has to be mapped and cleared anew: a tenth to a fifth of the step, all of it in the
kernel. Kept, the peak grew by 2 to 36 percent where it was measured (ResNet-18, width 16 and 64, batch 256).
"""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Parameters of mallopt(3), from glibc's malloc.h."""


def keep_freed_memory() -> None:
    """For the rest of this process, where the C library is glibc; elsewhere nothing happens."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl, macOS; Windows
        return
    mallopt(M_MMAP_MAX, 0)  # large blocks come from the heap as well
    mallopt(M_TRIM_THRESHOLD, -1)  # and the heap never shrinks
