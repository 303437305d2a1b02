"""The one redactor: everything that may hold a secret passes through it before it is shown or kept.

It takes rather too much than too little: in a URL everything between the first colon and the last ``@`` of a word is
taken for the password, because passwords hold ``@``, ``/`` and ``:`` in real life.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any, Final

from backbone.settings.secrets import MASK

__all__ = ["RedactingFilter", "is_sensitive", "redact", "redact_mapping"]

_NAME: Final = (
    r"(?:password|passwd|pwd|passphrase|(?<![a-z])pass(?![a-z])|secret|token|credential"
    r"|api[_-]?key|access[_-]?key|private[_-]?key)"
)
_SENSITIVE: Final = re.compile(_NAME, re.IGNORECASE)
_QUOTED: Final = r"""(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')(?=[\s,;)\]}&]|$)"""
# every repetition before a separator is bounded, so that no text makes the search slow
_ASSIGNED: Final = re.compile(
    rf"""({_NAME}[\w.-]{{0,64}}["']?\s{{0,8}}[=:]\s{{0,8}})(?:{_QUOTED}|\S+)""", re.IGNORECASE | re.MULTILINE
)
_AUTHORIZATION: Final = re.compile(
    r"""(authorization["']?\s{0,8}[=:]\s{0,8}["']?(?:(?:basic|bearer|digest|negotiate|token)[ \t]{1,8})?)[^\n]+""",
    re.IGNORECASE,
)
_BEARER: Final = re.compile(r"\b(bearer[ \t]{1,8})\S+", re.IGNORECASE)
_WORD: Final = re.compile(r"\S+")


def redact(text: str) -> str:
    """The text without its secrets.

    Passwords in URLs (``scheme://user:***@host``), values assigned to password, token, secret, api_key and the like,
    and what follows ``Authorization:`` or ``Bearer`` are replaced by ``***``.
    """
    if "://" in text and "@" in text:
        text = _WORD.sub(lambda match: _redact_url(match[0]), text)
    text = _AUTHORIZATION.sub(rf"\1{MASK}", text)
    text = _BEARER.sub(rf"\1{MASK}", text)
    return _ASSIGNED.sub(rf"\1{MASK}", text)


def _redact_url(word: str) -> str:
    scheme, separator, rest = word.partition("://")
    last = rest.rfind("@")
    if last < 0:
        return word
    colon = rest.find(":", 0, last)
    if colon >= 0:
        return f"{scheme}{separator}{rest[:colon]}:{MASK}{rest[last:]}"
    # web services take a lone token where databases take a user
    lone = scheme.lower().endswith(("http", "https"))
    return f"{scheme}{separator}{MASK}{rest[last:]}" if lone else word


def is_sensitive(name: str) -> bool:
    """Whether a setting, header or key of this name holds a secret."""
    return bool(_SENSITIVE.search(name)) or name.lower() in {"authorization", "proxy-authorization", "cookie"}


def redact_mapping(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """A copy without secrets: values of sensitive names are masked, all texts redacted, at any depth."""
    return {
        name: MASK if is_sensitive(str(name)) and value is not None else _redact_value(value)
        for name, value in mapping.items()
    }


def _redact_value(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return redact_mapping(value)
    if isinstance(value, list | tuple):
        return [_redact_value(item) for item in value]
    return value


class RedactingFilter(logging.Filter):
    """Redacts the message, the traceback and the stack of each log record; add it to every handler."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the record in place; it always passes."""
        record.msg = redact(record.getMessage())
        record.args = None
        fields = getattr(record, "fields", None)
        if isinstance(fields, Mapping):
            record.fields = redact_mapping(fields)
        if record.exc_info:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True
