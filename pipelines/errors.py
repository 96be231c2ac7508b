"""The exceptions that a person can do something about: printed as a message, without a traceback.

Their messages name the thing, the value, the rule and the way out, for instance
``experiments/x.yaml: methods[1].temprature: moco has no such option; did you mean 'temperature'?``
"""

import errno
from pathlib import Path

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.ESTALE)
_NO_ROOM_IN_WORDS = ("No space left on device", "Disk quota exceeded", "File too large")


class Problem(Exception):
    """What the three kinds have in common: caught where one job's trouble must not end another's work."""


class InputError(Problem, ValueError):
    """What a user wrote or gave is not as it has to be: a spec, an option, a file."""


class EnvironmentFault(Problem):
    """The machine does not do what it should: a full disk, a missing feature, another process in the way."""


class DamagedFile(EnvironmentFault, InputError):
    """A file is not what was written: cut off, or its bytes changed."""


class BadResult(Problem):
    """The work went as told and led nowhere: features that collapsed, a loss that is no longer a number."""


class NotANumber(BadResult):
    """A loss, a gradient or a weight is not finite."""


def disk_refuses(error: BaseException) -> bool:
    """Whether a write failed for want of room, or of a disk; libraries in other languages only say so in words."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _NO_ROOM
    return any(words in str(error) for words in _NO_ROOM_IN_WORDS)


def unwritten(path: Path, error: BaseException) -> EnvironmentFault:
    """The one message for a file that could not be written."""
    reason = getattr(error, "strerror", None) or " ".join(str(error).split())
    return EnvironmentFault(
        f"{path}: could not be written ({reason}); what was there before is kept; free space or mend the folder, "
        "and run the same command again"
    )
