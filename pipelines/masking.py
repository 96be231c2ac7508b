"""Text without its secrets: passwords and tokens of addresses, before anything is printed or stored."""

import re

HIDDEN = "***"
_WORDS = re.compile(r"\S+")
_PARAMETER = re.compile(
    r"(?:^|(?<=[?&;,(\[{'\"]))"
    r"[\w.%-]*(?:pass|pwd|token|secret|api_?-?key|credential|signature|\bauth|\bsig)[\w.%-]*=([^&\s]+)",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"""(\b(?:password|passwd|pwd|passphrase)\s*=\s*)('[^']*'|"[^"]*")""", re.IGNORECASE)
_HEADER = re.compile(r"(\bauthorization\W{1,4}(?:basic|bearer)?\s*)[^\s'\"]+", re.IGNORECASE)


def masked(text: str) -> str:
    """``text`` with ``***`` for whatever may be a secret in it.

    In an address that is all before the host (a user without password may be a token), and the values of parameters
    whose names speak of passwords, tokens or keys. In doubt too much is hidden.
    """
    text = _HEADER.sub(rf"\1{HIDDEN}", _QUOTED.sub(rf"\1{HIDDEN}", text))
    return _WORDS.sub(lambda word: _masked_word(word[0]), text)


def _masked_word(word: str) -> str:
    spans = [found.span(1) for found in _PARAMETER.finditer(word)]
    before, separator, address = word.partition("://")
    at = word.rfind("@")
    if separator and "@" in address:
        spans.append((len(before) + len(separator), at))
    elif ":" in word[: max(at, 0)]:  # an address without its scheme
        spans.append((0, at))
    for start, end in reversed(_joined(spans)):
        word = word[:start] + HIDDEN + word[end:]
    return word


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans in order, those that meet made one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined
