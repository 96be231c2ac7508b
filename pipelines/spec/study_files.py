"""Study files, given as files or by the names of their studies."""

import re
from pathlib import Path

from pipelines.errors import InputError
from pipelines.spec.mistakes import nearest

STUDIES = Path("experiments")
"""Where studies are looked for by name, beside the working folder."""
PARTS = ("recipes", "scales")
"""Folders in there with what studies are made of."""
NAMED = re.compile(r"^name:[ \t]*[\"']?([^\s\"'#]+)", re.MULTILINE)


def study_file(given: Path) -> Path:
    """The file itself, or that of the study with this name; of several with one name ``FOLDER/NAME`` says which.

    InputError where nothing or several things could be meant, with the nearest name.
    """
    if given.is_file():
        return given
    known = {name: file for file in _files() for name in _names(file)}
    found = sorted({file for file in _files() if given.as_posix() in _names(file)})
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"{given}: is the name of several studies ({', '.join(map(str, found))}); give the file")
    near = nearest(given.with_suffix("").name, list(known))
    what = "is a folder" if given.is_dir() else "no such file and no study of this name"
    meant = f"did you mean {near} ({known[near]})?" if near else f"name a study, such as {STUDIES}/quickstart.yaml"
    raise InputError(f"{given}: {what}; {meant}")


def _files() -> list[Path]:
    found = [file for file in sorted(STUDIES.rglob("*.yaml")) if file.parts[1] not in PARTS]
    return [*sorted(Path().glob("*.yaml")), *found]


def _names(file: Path) -> set[str]:
    """What a study is called: its own name or its file's, and with the folders that the file is in."""
    own = file.with_suffix("")
    told = NAMED.search(file.read_text(encoding="utf-8-sig", errors="replace"))
    return {told[1] if told else own.name, *("/".join(own.parts[-many:]) for many in range(2, len(own.parts) + 1))}
