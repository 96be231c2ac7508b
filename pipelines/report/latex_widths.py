"""How wide a text is in LaTeX's own type, so that a table can be made to fit a page before LaTeX sees it."""

import math
import unicodedata

TEXT_WIDTH, TEXT_HEIGHT = 345.0, 550.0
"""Of LaTeX's article in its plain form, in points."""
FITTING = TEXT_WIDTH - 6.0
"""What is filled of it, since widths are estimates."""
_LETTERS = {
    2.78: "ijlI.,:;!'[]|·" + "`",
    3.34: " -f",
    3.92: "rst()",
    4.45: "cez†‡§*",
    5.01: 'ago0123456789/–"',
    5.56: "bdhnpukqvxySJ?",
    6.3: "¶LZ",
    6.85: "EFP",
    7.3: "BCRTw",
    7.79: "ADGHKNOQUVXY&+=±×−<>≤≥≈~^→#",
    8.34: "m%@",
    10.3: "MW—∞",
}
"""Points of a letter of Computer Modern at 10 pt, rounded upwards into steps."""
_POINTS = {letter: points for points, letters in _LETTERS.items() for letter in letters} | {"_": 3.7, "$": 5.01}
_OTHER = 7.0
RAISED = 0.85
"""A raised letter beside one on the line, at most."""


def points(text: str) -> float:
    """The width of ``text`` at 10 pt; accents add nothing."""
    plain = unicodedata.normalize("NFD", text)
    return sum(_POINTS.get(letter, _OTHER) for letter in plain if not unicodedata.combining(letter))


def broken(title: str, width: float) -> tuple[str, ...]:
    """``title`` in lines of at most ``width`` points, a line a word where the words are longer than that."""
    lines: list[str] = []
    for word in title.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and points(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return tuple(lines) or ("",)


def lines_of(text: str, width: float) -> int:
    """About how many lines a paragraph of ``width`` points takes at 10 pt; its ends are ragged."""
    return max(1, math.ceil(1.08 * points(text) / width))
