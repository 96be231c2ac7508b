"""Reproduce and compare self-supervised visual representation learning, from raw images to the paper's table."""

__version__ = "0.1.0"
