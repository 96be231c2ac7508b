"""Seeds derived from a seed and a purpose, so that no step depends on what was drawn before it."""

import hashlib


def seed_for(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed for one purpose, e.g. ``seed_for(0, "views", step, rank)``; equal arguments, equal seed."""
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
