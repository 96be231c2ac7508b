"""From typed specs to methods, encoders, loaders and devices: what several stages put together."""
