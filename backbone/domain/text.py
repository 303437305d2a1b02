"""Texts from elsewhere, made fit to be shown and stored: the one place that knows which characters are harmless.

Control characters steer terminals, bidirectional ones reorder what is read, PostgreSQL refuses NUL, and UTF-8 has no
place for half a surrogate pair.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["LONGEST_TEXT", "escaped", "excerpt", "folded", "hidden", "json_text", "storable", "written_out"]

_NOT_PLAIN = re.compile(r"[^ -~]+")
_NOT_ASCII = re.compile(r"[^\x00-\x7e]+")

LONGEST_TEXT: Final = 1024
"""Bytes in UTF-8 of the longest text in a row: those of a key fit into the index of every store (PostgreSQL takes 2,704
bytes for all columns together), and a row into any payload."""

# C0, DEL, C1; soft hyphen; what sets the direction; breaks of line and paragraph; what has no width; tags
_HIDDEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def hidden(text: str) -> str:
    """The first control, bidirectional or invisible character of a text by its number, such as U+200B; "" for none.

    A name with such a character steers terminals, reads as another one, or can't be told from it.
    """
    found = None if text.isascii() and text.isprintable() else _HIDDEN.search(text)
    return "" if found is None else f"U+{ord(found[0]):04X}"


def excerpt(raw: bytes | str, limit: int = 2000) -> str:
    """The begin of a text with all that can't be printed written out, in at most `limit` characters.

    What is longer ends in "…"; bytes that are no UTF-8 are written out as well.
    """
    head = raw[: 4 * limit] if isinstance(raw, bytes) else raw[:limit]  # no character has more bytes than four
    text = head.decode("utf-8", "backslashreplace") if isinstance(head, bytes) else head
    shown = written_out(text)
    return shown if len(shown) <= limit and len(head) == len(raw) else f"{shown[: limit - 1]}…"


def written_out(text: object, keep: str = "") -> str:
    """A text with all that can't be printed written out: controls, bidirectional and invisible ones, half surrogates.

    Args:
        text: what is to be shown.
        keep: characters that stay as they are, such as line breaks.
    """

    def escape(found: re.Match[str]) -> str:
        run = found[0]
        if run.isprintable():
            return run
        return "".join(
            char if char.isprintable() or char in keep else char.encode("unicode_escape").decode() for char in run
        )

    return _NOT_PLAIN.sub(escape, str(text))


def json_text(data: bytes) -> bytes:
    """A JSON text that says the same and holds nothing raw that steers a terminal or reorders what is read."""
    if data.isascii() and b"\x7f" not in data:
        return data

    def escape(found: re.Match[str]) -> str:
        run = found[0]
        return run if run.isprintable() else "".join(map(_json_char, run))

    return _NOT_ASCII.sub(escape, data.decode()).encode()


def _json_char(char: str) -> str:
    if char.isprintable():
        return char
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[place]:02x}{units[place + 1]:02x}" for place in range(0, len(units), 2))


def folded(text: object) -> str:
    """A text as one line: blanks folded, what can't be printed left out."""
    return "".join(char for char in " ".join(str(text).split()) if char.isprintable())


def escaped(text: str) -> str:
    """A text of several lines, such as a traceback: they are kept, all else that can't be printed is written out."""
    return written_out(text, keep="\n")


def storable(text: str) -> str:
    """The text with what databases refuse written out, and nothing else changed."""
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()
