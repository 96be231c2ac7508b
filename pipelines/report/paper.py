"""The declared tables of several studies, and the figures of their reports, in one document."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import EnvironmentFault
from pipelines.files import write_text
from pipelines.report.siunitx import PACKAGES
from pipelines.report.tables import escape_latex

ENGINES = {
    "pdflatex": ("-interaction=nonstopmode", "-halt-on-error"),
    "tectonic": (),
    "lualatex": ("-interaction=nonstopmode", "-halt-on-error"),
}
"""Programs that make a PDF, the first that is there is taken, and their options."""
LONGEST = 600.0
"""Seconds that one run may take; tectonic may fetch packages in it."""
_FIGURE = r"\includegraphics[width=\linewidth,height=0.85\textheight,keepaspectratio]"


@dataclass(frozen=True)
class Chapter:
    """What a study gives to a paper: files of tables (.tex) and of figures (.pdf).

    ``file``: of the study; ``not_run``: names of its tables of which no row has been run.
    """

    study: str
    question: str
    tables: Sequence[Path]
    figures: Sequence[Path]
    file: str = ""
    not_run: Sequence[str] = ()


def document(chapters: Sequence[Chapter], folder: Path) -> str:
    """The LaTeX of a document in ``folder``: its files are named from there, so that the results can be moved."""
    lines = [
        "% Written by python -m pipelines paper; the tables are files of their own.",
        rf"\documentclass{{article}}\usepackage[margin=20mm]{{geometry}}\usepackage{{graphicx}}{PACKAGES}",
        r"\begin{document}",
    ]
    lines += [rf"{{\raggedright {escape_latex(sentence)}\par}}" for sentence in [not_run(chapters)] if sentence]
    for chapter in (chapter for chapter in chapters if chapter.tables):
        lines += [rf"\section*{{{escape_latex(chapter.study)}}}", escape_latex(chapter.question), ""]
        lines += [rf"\input{{{_seen_from(folder, file)}}}" for file in chapter.tables]
        for file in chapter.figures:
            title = f"{chapter.study}: {file.stem.replace('-', ' ')}"
            lines += [r"\begin{figure}[p]\centering", rf"{_FIGURE}{{{_seen_from(folder, file)}}}"]
            lines += [rf"\caption{{{escape_latex(title)}}}", r"\end{figure}"]
        lines += [r"\clearpage"]
    return "\n".join([*lines, r"\end{document}", ""])


def not_run(chapters: Sequence[Chapter]) -> str:
    """``Not run yet: momentum, sides; run snakemake ...``; empty where every table has something to show."""
    names = [name for chapter in chapters for name in chapter.not_run]
    files = ", ".join(chapter.file for chapter in chapters if chapter.not_run)
    if not names:
        return ""
    return f"Not run yet: {', '.join(names)}; run snakemake --profile local reproduce_all paper --config 'studies=[{files}]'."


def write_document(text: str, file: Path) -> Path | None:
    """Write ``file`` (.tex) and make its PDF; the PDF's path, None where no LaTeX is installed.

    The same text and files give the same PDF. EnvironmentFault with the end of the log when LaTeX stops.
    """
    write_text(file, text)
    engine = next((name for name in ENGINES if shutil.which(name)), None)
    if engine is None:
        return None
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "0", "FORCE_SOURCE_DATE": "1"}
    for _ in range(1 if engine == "tectonic" else 2):  # the second time references are known
        call = [engine, *ENGINES[engine], file.name]
        try:
            done = subprocess.run(
                call,
                cwd=file.parent,
                env=environment,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=LONGEST,
            )
        except subprocess.TimeoutExpired:
            raise EnvironmentFault(
                f"{file}: {engine} has not ended after {LONGEST:g} seconds; run {' '.join(call)} in {file.parent} to see why"
            ) from None
        if done.returncode:
            told = "\n".join((done.stdout + done.stderr).splitlines()[-12:])
            raise EnvironmentFault(
                f"{file}: {engine} stopped; it says:\n{told}\nthe whole log: {file.with_suffix('.log')}"
            )
    file.with_suffix(".aux").unlink(missing_ok=True)
    return file.with_suffix(".pdf")


def _seen_from(folder: Path, file: Path) -> str:
    return Path(os.path.relpath(file, folder)).as_posix()
