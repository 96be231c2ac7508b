"""Record what a terminal shows while a study runs, as pictures for these docs: in the middle of the run, and at its end.

    python docs/images/terminal.py experiments/quickstart.yaml results

Runs the study in a terminal of its own; jobs that are done already stay done. The folder that it is called in is shown under
another name. Needs Chromium on the PATH.
"""

import argparse
import codecs
import io
import os
import pty
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.text import Text
from screenshots import picture, save

COLUMNS, LINES = 118, 50
SHOWN_AS = "/home/me/ssl"
EVERY = 5.0
"""Seconds between two looks at the screen."""
SEQUENCE = re.compile(r"\x1b\[(?P<given>[0-9;?]*)(?P<what>[A-Za-z])|\x1b\][^\x07]*\x07|(?P<plain>[\s\S])")
Cell = tuple[str, str]
"""A letter, and the colours that it is printed in as a terminal is told them."""


class Screen:
    """What is left on a terminal: letters, line ends, moves of the cursor, deletions and colours; nothing else is known."""

    def __init__(self) -> None:
        self.lines: list[list[Cell]] = [[]]
        self._row = self._column = 0
        self._style = ""

    def feed(self, text: str) -> None:
        """More of what a program has printed."""
        for found in SEQUENCE.finditer(text):
            if plain := found["plain"]:
                self._letter(plain)
            elif found["what"]:
                self._obey(found["what"], found["given"])

    def _letter(self, letter: str) -> None:
        if letter == "\n":
            self._row += 1
        elif letter == "\r":
            self._column = 0
        elif letter >= " ":
            self._place()[self._column : self._column + 1] = [(letter, self._style)]
            self._column += 1

    def _place(self) -> list[Cell]:
        """The line of the cursor, filled up to it."""
        self.lines += [[] for _ in range(self._row + 1 - len(self.lines))]
        line = self.lines[self._row]
        line += [(" ", "")] * (self._column - len(line))
        return line

    def _obey(self, what: str, given: str) -> None:
        count = int(given) if given.isdigit() else 1
        if what == "m":
            self._style = "" if given in ("", "0") else f"{self._style}\x1b[{given}m"
        elif what in "AB":
            self._row = max(0, self._row + (count if what == "B" else -count))
        elif what in "CD":
            self._column = max(0, self._column + (count if what == "C" else -count))
        elif what == "K":
            line = self._place()
            line[0 if given == "2" else self._column :] = []

    def shown(self, lines: int) -> Text:
        """The last lines, with their colours."""
        rows = ["".join(f"{style}{letter}\x1b[0m" if style else letter for letter, style in row) for row in self.lines]
        return Text.from_ansi("\n".join("\n".join(rows).rstrip().split("\n")[-lines:]))


def screens(command: list[str]) -> Iterator[Screen]:
    """Run the command in a terminal; its screen at every look, and once more when it has ended."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ |= {"COLUMNS": str(COLUMNS), "LINES": str(LINES), "TERM": "xterm-256color"}
        os.execvp(command[0], command)
    screen, looked = Screen(), time.monotonic()
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while True:
        try:
            printed = os.read(terminal, 65536)
        except OSError:  # the other side is shut
            printed = b""
        if not printed:
            os.waitpid(child, 0)
            yield screen
            return
        screen.feed(decoder.decode(printed).replace(str(Path.cwd()), SHOWN_AS))
        if time.monotonic() - looked > EVERY:
            looked = time.monotonic()
            yield screen


def save_screen(text: Text, title: str, name: str) -> None:
    """As a picture of a terminal's window."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(text)
    height = 24 * len(text.split("\n")) + 90
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "terminal.html"
        svg = re.sub(r"@font-face \{.*?\}", "", console.export_svg(title=title), flags=re.S)  # no font from elsewhere
        page.write_text(f'<body style="margin: 0">{svg.replace("Fira Code", "DejaVu Sans Mono")}')
        save(picture(page.as_uri(), (1480, height)), name)


def main() -> None:
    """Keep the screen on which most trainings are named, and the one at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("study", type=Path)
    parser.add_argument("results", type=Path)
    given = parser.parse_args()
    settings = [f"studies=[{given.study}]", f"results={given.results}"]
    command = ["snakemake", "--profile", "local", "reproduce_all", "--config", *settings]
    running, last = Text(), Text()
    for screen in screens(command):
        last = screen.shown(LINES)
        if "trains" in last.plain and " images/s" in last.plain:
            running = screen.shown(24)
    title = "snakemake --profile local reproduce_all"
    if running.plain:
        save_screen(running, title, "terminal_running")
    else:
        print("no training was running at any look: no picture of that", file=sys.stderr)
    save_screen(last, title, "terminal_end")


if __name__ == "__main__":
    main()
