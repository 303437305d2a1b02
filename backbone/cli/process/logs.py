"""Logging of a command: to stderr, redacted, for people or for machines."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

from backbone.cli.process.repeats import Repeats
from backbone.cli.show.text import one_line, traceback_below
from backbone.domain.text import json_text
from backbone.settings.redaction import RedactingFilter, shown_traceback

if TYPE_CHECKING:
    from backbone.settings import Settings

__all__ = ["configure"]


def configure(settings: Settings, *, verbose: int, quiet: bool, serves: bool) -> None:
    """Replace the root logger's handlers by one of ours.

    Args:
        settings: `logging.format`; `logging.level` counts for commands that serve, and where it was given explicitly.
        verbose: 1: info, 2 and more: debug.
        quiet: errors only.
        serves: whether the command runs until it is stopped.
    """
    handler = _CurrentStderr()
    handler.addFilter(Repeats())
    handler.addFilter(RedactingFilter())
    handler.setFormatter(_Machine() if settings.logging.format == "json" else _Person())
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old, _CurrentStderr):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(_level(settings, verbose, quiet, serves).upper())


def _level(settings: Settings, verbose: int, quiet: bool, serves: bool) -> str:
    if quiet:
        return "error"
    if verbose:
        return "info" if verbose == 1 else "debug"
    explicit = settings.origins.get("logging.level", "default").startswith(("env ", "--set ", "code"))
    return settings.logging.level if serves or explicit else "warning"


class _CurrentStderr(logging.StreamHandler[TextIO]):
    """Writes to whatever stderr is at the moment: a live progress display stands in for it meanwhile."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        """The stderr of now."""
        return sys.stderr

    @stream.setter
    def stream(self, value: TextIO) -> None:
        """Nothing to keep."""


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _taken_apart(record: logging.LogRecord) -> tuple[str, dict[str, Any]]:
    """The message, and the fields of a structured line."""
    fields = dict(getattr(record, "fields", None) or {})
    return (str(fields.pop("event")) if "event" in fields else record.getMessage()), fields


_TOLD_ELSEWHERE = ("next", "action")  # by backbone status


class _Person(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """Time, level, logger, message, path, fields that say something; a traceback below it."""
        message, fields = _taken_apart(record)
        trace = record.exc_text or fields.pop("exception", None)
        said = {name: value for name, value in fields.items() if value is not None and name not in _TOLD_ELSEWHERE}
        parts = [message, said.pop("path", ""), *(f"{name}={_quoted(value)}" for name, value in said.items())]
        text = one_line(" ".join(str(part) for part in parts if part))
        text = f"{_moment(record)} {record.levelname.lower():<7} {one_line(record.name)}: {text}"
        below = (traceback_below(each) for each in (trace, record.stack_info) if each)
        return "\n".join((text, *below))


def _quoted(value: object) -> str:
    text = str(value)
    return repr(text) if " " in text or not text else text


class _Machine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """One JSON object a line; the fields of a structured line are fields of it."""
        import msgspec

        message, fields = _taken_apart(record)
        body: dict[str, Any] = {
            "ts": _moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message,
        }
        if record.exc_text:
            body["exception"] = record.exc_text
        elif "exception" in fields:
            body["exception"] = shown_traceback(str(fields.pop("exception")))
        if record.stack_info:
            body["stack"] = record.stack_info
        body |= {f"field_{name}" if name in body else name: value for name, value in fields.items()}
        return json_text(msgspec.json.encode(body, enc_hook=str)).decode()
