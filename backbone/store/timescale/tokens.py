"""A statement of SQL in pieces, cut where PostgreSQL cuts it.

What PostgreSQL reads otherwise by its settings is refused: texts with escapes, and names written in numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from backbone.store.errors import StatementRefused
from backbone.store.statements import place_in

__all__ = ["Token", "tokens_of"]


class Token(NamedTuple):
    """One piece.

    Attributes:
        kind: "name", "quoted" (a name in quotes), "text", "number", "value" ($1) or "sign".
        text: a name as PostgreSQL knows it, a text without its quotes, else what stands there.
        start: of it in the statement.
        end: behind it.
    """

    kind: str
    text: str
    start: int
    end: int


_PIECES: Final = re.compile(
    r"""
    (?P<blank>\s+|--[^\n\r]*)
    | (?P<comment>/\*)
    | (?P<escaped>[eE]'|[uU]&['"])
    | (?P<text>(?:[nNbBxX])?'(?:[^']|'')*')
    | (?P<dollar>\$(?P<tag>[A-Za-z_\x80-\U0010ffff][\w\x80-\U0010ffff]*)?\$)
    | (?P<value>\$[0-9]+)
    | (?P<quoted>"(?:[^"]|"")+")
    | (?P<name>[A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]*)
    | (?P<number>(?:[0-9][\w.]*|\.[0-9][\w.]*))
    | (?P<sign>\|\||::|[^'"$])
    """,
    re.VERBOSE | re.ASCII,
)
_COMMENT: Final = re.compile(r"/\*|\*/")


def tokens_of(text: str) -> Iterator[Token]:
    """The pieces, without blanks and comments.

    Raises:
        StatementRefused: a piece does not end, or is one that is refused.
    """
    at = 0
    while at < len(text):
        found = _PIECES.match(text, at)
        kind = "" if found is None else str(found.lastgroup)
        if found is None:
            raise StatementRefused(f"a text or a name at {place_in(text, at)} does not end; close its quote")
        if kind == "escaped":
            raise StatementRefused(
                f"a text with escapes at {place_in(text, at)} is not allowed; write it plainly, or as $1"
            )
        end = _behind(text, found) if found["comment"] or found["dollar"] else found.end()
        token = _token(found, text[at:end], at, end)
        if token is not None:
            yield token
        at = end


def _behind(text: str, found: re.Match[str]) -> int:
    """Behind a comment or a text in dollars."""
    if found["dollar"]:
        end = text.find(found["dollar"], found.end())
        if end < 0:
            raise StatementRefused(f"a text at {place_in(text, found.start())} does not end; close it")
        return end + len(found["dollar"])
    depth, at = 1, found.end()
    while depth:
        edge = _COMMENT.search(text, at)
        if edge is None:
            raise StatementRefused(f"a comment at {place_in(text, found.start())} does not end; close it")
        depth, at = depth + (1 if edge[0] == "/*" else -1), edge.end()
    return at


def _token(found: re.Match[str], text: str, start: int, end: int) -> Token | None:
    if found["blank"] or found["comment"]:
        return None
    if found["name"]:
        return Token("name", re.sub("[A-Z]+", lambda letters: letters[0].lower(), text), start, end)
    if found["quoted"]:
        return Token("quoted", text[1:-1].replace('""', '"'), start, end)
    if found["text"]:
        return Token("text", text[text.index("'") + 1 : -1].replace("''", "'"), start, end)
    if found["dollar"]:
        mark = len(found["dollar"])
        return Token("text", text[mark:-mark], start, end)
    return Token(next(kind for kind in ("value", "number", "sign") if found[kind]), text, start, end)
