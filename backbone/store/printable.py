"""Text that any database takes, made of text that came from outside."""

from __future__ import annotations

__all__ = ["printable"]


def printable(text: str, limit: int = 2000) -> str:
    """The text with control characters and lone surrogates written out, cut at `limit` characters.

    PostgreSQL refuses NUL, UTF-8 refuses surrogates, and escape sequences would reach the operator's terminal.
    """
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text[:limit])
    return shown if len(shown) <= limit and len(text) <= limit else f"{shown[: limit - 1]}…"
