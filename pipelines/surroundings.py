"""What an environment may do to the letters of names and messages, whatever stage runs."""

import io
import sys


def unfit() -> str | None:
    """Why no stage can run in this environment; else None, and output shows any letter or its number."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if sys.getfilesystemencoding() != "utf-8":
        return (
            f"the environment makes Python read the names of files as {sys.getfilesystemencoding()} (PYTHONUTF8=0, "
            "PYTHONCOERCECLOCALE=0 or a locale); set PYTHONUTF8=1"
        )
    return None
