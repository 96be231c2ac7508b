"""Seconds in words."""


def duration(seconds: float) -> str:
    """``12.3 s``, ``4 min 05 s`` or ``1,203 h 07 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60:,} h {minutes % 60:02d} min"
