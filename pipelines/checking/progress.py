"""How much was read, told where that takes long."""

import sys
import time

EVERY = 5.0
"""Seconds between two lines of progress."""


class ReadingProgress:
    """Tells on stderr how much was read, where that takes long."""

    def __init__(self) -> None:
        self.files = self.bytes = 0
        self.told = time.monotonic()

    def __call__(self, size: int) -> None:
        """A file of so many bytes was read."""
        self.files, self.bytes = self.files + 1, self.bytes + size
        if time.monotonic() - self.told > EVERY:
            print(f"read {self.files} files, {self.bytes / 1e9:.1f} GB", file=sys.stderr, flush=True)
            self.told = time.monotonic()
