"""What an environment may do to the letters of names and messages, or to libraries that read it, whatever stage runs."""

import io
import os
import re
import sys

WHOLE = (r"\s*[+-]?\d+\s*", "a whole number")
FORMS = {
    "SOURCE_DATE_EPOCH": WHOLE,
    "GOPEN_VERBOSE": WHOLE,
    "GOPEN_BUFFER": WHOLE,
    "WDS_VERBOSE_CACHE": WHOLE,
    "WDS_CACHE_SIZE": (r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", "a number"),
    "PYTORCH_CUDA_ALLOC_CONF": (r"|[^:,]+:.+", "settings such as expandable_segments:True"),
    "PYTORCH_ALLOC_CONF": (r"|[^:,]+:.+", "settings such as expandable_segments:True"),
    "GOPEN_REWRITE": (r"(?!)", "unset, since tars are read from where the study says"),
}
"""Variables that numpy, webdataset and torch read, what they have to match, and that in words: these libraries end with a
traceback, or at once, and do not name them."""


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
    if sys.flags.optimize > 1:
        return (
            "the environment makes Python leave out docstrings (PYTHONOPTIMIZE=2 or -OO), and the report's charts cannot be "
            "drawn without; unset PYTHONOPTIMIZE"
        )
    for name, (form, words) in FORMS.items():
        if (value := os.environ.get(name)) is not None and not re.fullmatch(form, value):
            return f"the environment has {name}={value}, which must be {words}; unset it, or mend it"
    return None
