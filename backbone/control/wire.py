"""What both ends agree on. One request a line, one answer a line, both JSON.

`{"schema": 1, "command": "roster"}`, with "arguments" where it takes some, gives
`{"schema": 1, "ok": true, "result": …}`, or
`{"schema": 1, "ok": false, "error": "…", "code": "busy"}`, where `code` is "busy" for a question to be asked again, and
"refused" for one that will never be answered.

What is answered in bytes says how many, `{"schema": 1, "ok": true, "result": {"bytes": 4096}}`, and they follow the
line; where it is refused, `code` names the error.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from backbone.domain.arguments import shown

__all__ = [
    "BUSY",
    "LINE_LIMIT",
    "LONGEST_REFUSAL",
    "REFUSED",
    "REQUEST_TIMEOUT",
    "SCHEMA",
    "Question",
    "question_of",
    "refusal",
]

SCHEMA: Final = 1
BUSY: Final = "busy"
REFUSED: Final = "refused"
LINE_LIMIT: Final = 64 * 1024
"""Bytes of a request at most."""
LONGEST_REFUSAL: Final = 4096
"""Characters that say why at most."""
REQUEST_TIMEOUT: Final = 10.0
"""Seconds from the connection to the last byte of the answer."""


class Question(msgspec.Struct, forbid_unknown_fields=True):
    """What is asked.

    Attributes:
        schema: of the question.
        command: its name.
        arguments: what it takes, by name.
    """

    schema: int
    command: str
    arguments: dict[str, Any] = {}


def question_of(line: bytes) -> Question:
    """What is asked.

    Raises:
        ValueError: the line is no request of this schema.
    """
    try:
        question = msgspec.json.decode(line, type=Question)
    except (ValueError, RecursionError) as error:
        form = f"send {{'schema': {SCHEMA}, 'command': NAME}} as one line of JSON"
        raise ValueError(f"not a request: {shown(str(error))}; {form}") from error
    if question.schema != SCHEMA:
        raise ValueError(f"schema {shown(question.schema)} given; this backbone speaks {SCHEMA}")
    return question


def refusal(text: str, code: str = REFUSED) -> bytes:
    """An answer that is none, as a line; a text that is longer than one may be ends in "…"."""
    text = text if len(text) <= LONGEST_REFUSAL else f"{text[: LONGEST_REFUSAL - 1]}…"
    return msgspec.json.encode({"schema": SCHEMA, "ok": False, "error": text, "code": code}) + b"\n"
