"""``python -m pipelines STAGE ...``: imports that stage only, and prints a user's error as one message."""

import importlib
import pkgutil
import sys
from pathlib import Path

from pipelines.errors import InputError


def stages() -> dict[str, str]:
    """Every stage's name and the first line of its file."""
    found = {}
    for module in pkgutil.iter_modules([str(Path(__file__).parent / "stages")]):
        first = (Path(__file__).parent / "stages" / f"{module.name}.py").read_text(encoding="utf-8").split("\n", 1)[0]
        if first.startswith('"""Stage '):
            found[module.name] = first.strip('"').removeprefix("Stage ").split(": ", 1)[1]
    return found


def main(argv: list[str]) -> int:
    """Run one stage; 0 when it went well, 1 for a user's error, 2 for a call that names no stage."""
    known = stages()
    if not argv or argv[0] in ("-h", "--help"):
        print("usage: python -m pipelines STAGE ...\n\nstages:")
        print("\n".join(f"  {name:10} {line}" for name, line in known.items()))
        print("\npython -m pipelines STAGE --help tells a stage's options")
        return 0 if argv else 2
    if argv[0] not in known:
        print(f"there is no stage '{argv[0]}'; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    try:
        return int(importlib.import_module(f"pipelines.stages.{argv[0]}").main(argv[1:]) or 0)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
