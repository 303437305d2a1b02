"""From the bytes of an answer to a struct, strictly: what is not plain JSON of that shape is refused with the reason.

A number that no float can hold, or NaN, is not JSON. One such value does not cost the others: it comes out as the text
that it was written as, in fields that allow text, and the row that it stands in is refused by whoever reads it.
"""

from __future__ import annotations

import re
from typing import Final, TypeVar

import msgspec

from backbone.sources.errors import InputInvalid
from backbone.sources.http.transport import Answer
from backbone.sources.port import excerpt

__all__ = ["Number", "decoded", "reject_duplicates"]

T = TypeVar("T")

Number = float | str | None
"""A number as it comes: a text is one that can't be."""

_BOM: Final = b"\xef\xbb\xbf"
_STRING: Final = rb'"(?:[^"\\]|\\.)*+"'
_BARE: Final = re.compile(
    _STRING + rb"|(-?(?:\b(?:NaN|Infinity|inf|nan)\b|\d{300,}+(?:\.\d++)?(?:[eE][+-]?\d++)?"
    rb"|\d++(?:\.\d++)?[eE][+-]?\d{3,}+))",
    re.DOTALL,
)
_KEYS: Final = re.compile(rb"(" + _STRING + rb")(\s*+:)?|([{}])", re.DOTALL)


def decoded(answer: Answer, kind: type[T]) -> T:
    """The answer as a struct.

    Args:
        answer: of any status.
        kind: what it has to be; fields that it does not name are passed over.

    Raises:
        InputInvalid: it is a page, not UTF-8, not JSON, of another shape, or says one thing twice.
    """
    body = answer.body.removeprefix(_BOM)
    if not body.strip():
        raise InputInvalid("the answer is empty")
    if answer.media_type in {"text/html", "application/xhtml+xml"} or body.lstrip()[:1] == b"<":
        raise InputInvalid(f"the answer is a page for people, no data: {excerpt(body[:400])}")
    try:
        body.decode()
    except UnicodeDecodeError as error:
        said = f", it says {answer.charset}" if answer.charset else ""
        raise InputInvalid(f"the answer is not in UTF-8 (byte {error.start}{said}), as JSON has to be") from error
    found = _decoded(body, kind)
    reject_duplicates(body)
    return found


def _decoded(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, RecursionError) as first:
        mended = _BARE.sub(lambda match: b'"%s"' % match[1] if match[1] else match[0], body)
        if mended == body:
            raise InputInvalid(_why(first)) from first
    try:
        return msgspec.json.decode(mended, type=kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InputInvalid(_why(error)) from error


def _why(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "the answer is nested too deeply"
    kind = "has another shape" if isinstance(error, msgspec.ValidationError) else "is no JSON"
    return f"the answer {kind}: {error}"


def reject_duplicates(body: bytes) -> None:
    """Refuse JSON in which one object has a name twice: which of the two counts, nobody can say.

    Args:
        body: JSON that was decoded.

    Raises:
        InputInvalid: names it.
    """
    open_objects: list[set[bytes]] = []
    for found in _KEYS.finditer(body):
        if found[3] == b"{":
            open_objects.append(set())
        elif found[3] == b"}":
            open_objects.pop()
        elif found[2] is not None:
            name = found[1]
            if name in open_objects[-1]:
                raise InputInvalid(f"the answer says {excerpt(name[:100])} twice in one object")
            open_objects[-1].add(name)
