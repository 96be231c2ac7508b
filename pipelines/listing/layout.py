"""How a data set lies in its folder: split folders, class folders, or images alone."""

import os
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import InputError
from pipelines.listing.folders import folders, has_image, leads_nowhere, looks_like_image, visible
from pipelines.listing.kinds import EXTENSIONS, plain
from pipelines.listing.paths import looked_in
from pipelines.listing.splits import KNOWN, WORDS, split_of

ENDS = (" ", "\t", ",", ";")
"""What may stand behind a class folder's name in a class list."""


@dataclass(frozen=True)
class Layout:
    """How a data set lies in its folder.

    train    the folder of train, which is ``root`` where there are no split folders
    test     the folder of test; None: a share of train becomes test
    held     the folder of the images that choices are made on; None: a share of train is held out for them
    unused   split folders that are not read
    classes  the class folders by class number; empty where nothing is labelled
    endings  of the files that are images
    """

    root: Path
    train: Path
    test: Path | None
    held: Path | None
    unused: tuple[Path, ...]
    classes: tuple[str, ...]
    endings: frozenset[str] = EXTENSIONS

    @property
    def parts(self) -> tuple[Path, ...]:
        """The folders that images are taken from."""
        return tuple(part for part in (self.train, self.held, self.test) if part)

    def check(self) -> None:
        """InputError when a class folder has no image, or train lacks one; looks no further than to the first of each."""
        for part in filter(None, (self.train, self.test)):
            if not self.classes and not has_image(part, self.endings):
                raise InputError(f"{part}: no image lies in it ({', '.join(sorted(self.endings))}); add images")
            for folder in class_folders(self, part).values() if self.classes else ():
                if not has_image(folder, self.endings):
                    raise no_image(folder, self.endings)


def class_folders(layout: Layout, part: Path) -> dict[str, Path]:
    """Class -> its folder in a split. Train has them all, InputError; what is asked about may lack some, which is told."""
    if part == layout.train:
        for name in layout.classes:
            if not (part / name).is_dir():
                raise InputError(f"{part / name}: no such class folder; add it, or take it out of dataset.classes")
    return {name: part / name for name in layout.classes if (part / name).is_dir()}


def no_image(folder: Path, endings: frozenset[str]) -> InputError:
    """The refusal of an empty class folder."""
    return InputError(
        f"{folder}: the class folder holds no image ({', '.join(sorted(endings))}); "
        "add images, remove the folder from every split, or list the other classes in dataset.classes"
    )


def layout_of(
    root: Path,
    labelled: bool = True,
    class_list: Path | None = None,
    hold: bool = True,
    endings: frozenset[str] = EXTENSIONS,
) -> Layout:
    """Split and class folders. InputError for what cannot be told apart.

    labelled: whether class folders give labels. hold: whether val is held out for choices where test is there too.
    endings: of the files that are images.
    """
    if not root.is_dir():
        found = "is a file" if root.exists() else f"does not exist{looked_in(root)}"
        raise InputError(f"{root}: dataset.folder is no folder, it {found}; give the folder that holds the images")
    _check_links(root, endings)
    splits = _splits(root)
    train = splits.pop("train", root)
    classes = _classes(train, class_list, endings) if labelled else ()
    _check_written(classes, train)
    if labelled and not class_list:
        _check_half_named(classes, train)
    usable = [splits[name] for name in ("test", "val") if name in splits and (not classes or folders(splits[name]))]
    if hold and not usable and "val" in splits:
        raise InputError(
            f"{splits['val']}: no class folders in it, and {train.name}/ has some; sort its images into class folders, or "
            "write dataset.val: unused, and a share of train is test"
        )
    test = usable[0] if usable else None
    held = usable[1] if hold and len(usable) > 1 else None
    for part in filter(None, (test, held)) if classes else ():
        _check_classes(part, train, classes, listed=class_list is not None, is_held=part == held)
    unused = tuple(part for part in splits.values() if part not in (test, held))
    parts = list(filter(None, (train, test, held)))
    _check_different(parts, "splits")
    for part in parts if classes else ():
        _check_links(part, endings)
        _check_different((part / name for name in classes), "classes")
    return Layout(root, train, test, held, unused, classes, endings)


def _check_links(folder: Path, endings: frozenset[str]) -> None:
    """InputError for a link that leads nowhere, where a split or a class would be missed."""
    for entry in visible(folder):
        if leads_nowhere(entry) and not looks_like_image(Path(entry.path), endings):
            raise InputError(
                f"{entry.path}: a link that leads nowhere, to {os.readlink(entry)}, where a split or a class could lie; "  # noqa: PTH115
                "mend it (is that disk there?), or remove it"
            )


def _check_different(several: Iterable[Path], what: str) -> None:
    """InputError where two of the folders are one, by a link."""
    known: dict[str, Path] = {}
    for folder in several:
        if (first := known.setdefault(os.path.realpath(folder), folder)) != folder:
            raise InputError(
                f"{folder}: is the same folder as {first}, by a link, so that two {what} would hold the same images; remove "
                f"the link{', or list the classes to use in dataset.classes' if what == 'classes' else ''}"
            )


def _check_classes(part: Path, train: Path, classes: tuple[str, ...], listed: bool, is_held: bool) -> None:
    """InputError where none of a split's folders is a class, or, where no list leaves it out, one of them is none."""
    names = folders(part)
    if not set(names) & set(classes):
        move = "write dataset.val: unused" if is_held else "move it elsewhere, and val, or a share of train, is test"
        raise InputError(
            f"{part}: none of its folders ({', '.join(names[:3])}) is named like a class of {train.name} ({classes[0]}, ...); "
            f"sort its images into folders of those names, or {move}"
        )
    for name in names if not listed else ():
        if name not in classes:
            raise InputError(
                f"{part / name}: {train} has no class of that name{_twin(name, classes)}; list the classes to use in "
                f"dataset.classes{', or write dataset.val: unused' if is_held else ''}"
            )


def _twin(name: str, classes: tuple[str, ...]) -> str:
    """In words, the class that a person would read as the same name; empty where there is none."""
    same = [each for each in classes if _as_read(each) == _as_read(name)]
    return (
        f" (it has {same[0]!a}, and this is {name!a}: case, blanks or the way accents are written differ; rename one)"
        if same
        else ""
    )


def _as_read(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold().strip()


def _splits(root: Path) -> dict[str, Path]:
    """Split -> its folder. InputError for two folders of one split, and for any other folder beside train."""
    found: dict[str, Path] = {}
    others = []
    for name in folders(root):
        split = split_of(name)
        if split is None:
            others.append(name)
        elif split in found:
            raise InputError(f"{root / name}: {found[split].name}/ is the {split} split already; merge or rename one")
        else:
            found[split] = root / name
    if found and "train" not in found:
        raise InputError(
            f"{next(iter(found.values()))}: named like a split, but there is no train folder beside it; "
            f"split folders are called {KNOWN}; rename it where it is a class"
        )
    if found and others:
        raise InputError(
            f"{root / others[0]}: a folder beside {found['train'].name}/ that is no split ({KNOWN}); "
            f"rename it, or move it elsewhere; where {found['train'].name}/ is a class, rename that"
        )
    return found


def _check_written(classes: tuple[str, ...], train: Path) -> None:
    """InputError for a class whose name no table could hold."""
    for name in classes:
        if (shown := plain(name)) != name:
            raise InputError(
                f"{train / shown}: the name of this class folder is not UTF-8, and no table could hold it; rename it "
                "(convmv -f latin1 -t utf8 does so for names of older systems)"
            )


def _check_half_named(classes: tuple[str, ...], train: Path) -> None:
    """InputError for classes such as cars_train and cars_test, which sound like splits of one set."""
    known: dict[str, dict[str, str]] = {}
    for name in classes:
        words = re.findall("[a-z]+|[0-9]+", name.lower())
        for word in WORDS.keys() & set(words):
            rest = " ".join(each for each in words if each != word)
            known.setdefault(rest, {})[WORDS[word]] = name
    for said in known.values():
        if "train" in said and len(said) > 1:
            raise InputError(
                f"{train}: its folders {' and '.join(sorted(said.values()))} sound like splits; call them train and test, or, "
                "where they are classes, list the classes in dataset.classes"
            )


def _classes(train: Path, class_list: Path | None, endings: frozenset[str]) -> tuple[str, ...]:
    """Class folders; none where images lie in ``train`` itself, which then has no labels."""
    if class_list:
        return _listed(class_list, folders(train))
    classes = folders(train)
    plain = (entry for entry in visible(train) if not entry.is_dir())
    bare = next((entry for entry in plain if looks_like_image(Path(entry.path), endings)), None)
    if classes and bare:
        raise InputError(
            f"{bare.path}: an image beside class folders ({classes[0]}, ...); move it into one, or write "
            "dataset.labels: none to take all images without labels"
        )
    if not classes and not bare:
        raise InputError(
            f"{train}: no class folders and no images; put the images of each class into a folder of its own, "
            "or all of them into this one to do without labels"
        )
    return classes


def _listed(path: Path, known: tuple[str, ...]) -> tuple[str, ...]:
    """The folder that each line of a class list begins with, else its first word; more words are ignored."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: dataset.classes cannot be read ({error}); save it as UTF-8 text") from None
    names = []
    for line in filter(None, (line.strip().rstrip("/") for line in lines)):
        fitting = [name for name in known if line == name or line.startswith(tuple(name + end for end in ENDS))]
        names.append(max(fitting, key=len) if fitting else line.split()[0])
    if twice := [name for number, name in enumerate(names) if name in names[:number]]:
        raise InputError(f"{path}: class {twice[0]} is listed twice")
    if not names:
        raise InputError(f"{path}: dataset.classes names no class; write one class folder a line")
    return tuple(names)
