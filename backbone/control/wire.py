"""What both ends agree on. One request a line, one answer a line, both JSON.

`{"schema": 1, "command": "roster"}` gives `{"schema": 1, "ok": true, "result": …}`, or
`{"schema": 1, "ok": false, "error": "…", "code": "busy"}`, where `code` is "busy" for a question to be asked again, and
"refused" for one that will never be answered.
"""

from __future__ import annotations

from typing import Final

import msgspec

from backbone.domain.arguments import shown

__all__ = ["BUSY", "LINE_LIMIT", "REFUSED", "REQUEST_TIMEOUT", "SCHEMA", "command_of", "refusal"]

SCHEMA: Final = 1
BUSY: Final = "busy"
REFUSED: Final = "refused"
LINE_LIMIT: Final = 64 * 1024
"""Bytes of a request at most."""
REQUEST_TIMEOUT: Final = 10.0
"""Seconds from the connection to the last byte of the answer."""


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    """One question."""

    schema: int
    command: str


def command_of(line: bytes) -> str:
    """What is asked.

    Raises:
        ValueError: the line is no request of this schema.
    """
    try:
        request = msgspec.json.decode(line, type=_Request)
    except (ValueError, RecursionError) as error:
        form = f"send {{'schema': {SCHEMA}, 'command': NAME}} as one line of JSON"
        raise ValueError(f"not a request: {shown(str(error))}; {form}") from error
    if request.schema != SCHEMA:
        raise ValueError(f"schema {shown(request.schema)} given; this backbone speaks {SCHEMA}")
    return request.command


def refusal(text: str, code: str = REFUSED) -> bytes:
    """An answer that is none, as a line."""
    return msgspec.json.encode({"schema": SCHEMA, "ok": False, "error": text, "code": code}) + b"\n"
