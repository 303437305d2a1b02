"""Texts in CSV that a spreadsheet neither runs nor shows as what they are not, and that come back as they were.

A column in which some text would be run as a formula, can't be printed, or has blanks around it, is written in escapes
as a whole, and its name in the header ends in `MARK`. Other columns, and so nearly all files, are as they are.
"""

from __future__ import annotations

import re

from backbone.domain.text import written_out

__all__ = ["MARK", "escaped", "harmful", "unescaped"]

MARK = " (escaped)"
"""Ends the name of a column whose texts are escaped."""

_SIGNS = (
    r"=+\-@"
    r"\uff1d\uff0b\uff0d\uff20"  # full-width: some spreadsheets take them for the plain ones
    r"\ufe66\ufe62\ufe63\ufe6b\u2212"  # small ones, and the minus of typography
)
_HARMFUL = re.compile(rf"^[{_SIGNS}]|^\s|\s\Z")
_LED = re.compile(rf"^[{_SIGNS}']")
_OUTER_BLANK = re.compile(r"^ | \Z")
_ESCAPE = re.compile(r"\\(?:\\|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[trn])|(\\)")


def harmful(text: str) -> bool:
    """Whether a text would be run as a formula, steer a terminal, or lose its blanks."""
    return _HARMFUL.search(text) is not None or not text.isprintable()


def escaped(text: str) -> str:
    """The text with backslashes and all that can't be printed written out, and ' before what a formula begins with."""
    plain = _OUTER_BLANK.sub(r"\\x20", written_out(text.replace("\\", "\\\\")))
    return f"'{plain}" if _LED.match(plain) else plain


def unescaped(text: str) -> str:
    """The text that was escaped.

    Raises:
        ValueError: it holds a backslash that begins no escape, or the escape of what no text may hold.
    """
    try:
        plain = _ESCAPE.sub(_char, text.removeprefix("'"))
        plain.encode()
    except ValueError as error:
        raise ValueError(f"{text[:40]!r} has a backslash that begins no escape; write two for one") from error
    return plain


def _char(found: re.Match[str]) -> str:
    char = found[0].encode("ascii").decode("unicode_escape")
    if found[1] or char == "\0":
        raise ValueError(found[0])
    return char
