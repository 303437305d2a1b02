"""From an exception to one clear line on stderr and an exit code. A traceback is shown only where BACKBONE_DEBUG=1."""

from __future__ import annotations

import os
import sys
import traceback

from backbone.cli.exits import FAILED, INPUT, UNREACHABLE, USAGE
from backbone.cli.show.text import folded, one_line, traceback_below

__all__ = ["CommandFailed", "Stopped", "UsageError", "debugging", "failed", "note", "say"]


class UsageError(Exception):
    """The command line can't be used; says what was given, what is allowed, what to do."""


class CommandFailed(Exception):
    """The command did its work and what it found has failed; the message says what."""


class Stopped(BaseException):
    """A signal ended the command, which has stopped in order.

    Attributes:
        code: the exit code.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def debugging() -> bool:
    """Whether the developer wants tracebacks."""
    return os.environ.get("BACKBONE_DEBUG", "") not in {"", "0"}


def say(text: object) -> None:
    """One line for the person at the terminal, on stderr."""
    print(f"backbone: {folded(text)}", file=sys.stderr)


def note(text: object) -> None:
    """A line that is no error."""
    say(f"note: {one_line(text)}")


def failed(error: BaseException) -> int:
    """Say what went wrong, and return the exit code."""
    if debugging():
        print(traceback_below("".join(traceback.format_exception(error)).rstrip()), file=sys.stderr)
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    code = _code(error)
    for line in _lines(error, code):
        say(f"error: {line}")
    return code


def _code(error: BaseException) -> int:
    """The first row of the table that fits; it names modules so that none is loaded for a look at it."""
    names = {f"{kind.__module__}.{kind.__name__}" for kind in type(error).__mro__}
    return next((code for name, code in _CODES if name in names), FAILED)


_CODES = (
    ("backbone.cli.failures.UsageError", USAGE),
    ("backbone.settings.errors.SettingsError", USAGE),
    ("cyclopts.exceptions.CycloptsError", USAGE),
    ("backbone.store.errors.NotBuilt", USAGE),
    ("backbone.store.errors.Unsupported", USAGE),
    ("backbone.store.errors.StatementRefused", USAGE),
    ("backbone.store.errors.StoreUnavailable", UNREACHABLE),
    ("backbone.control.errors.ControlUnreachable", UNREACHABLE),
    ("backbone.export.spark.errors.SparkMissing", UNREACHABLE),
    ("backbone.sources.errors.SourceUnset", USAGE),
    ("backbone.sources.errors.SourceUnavailable", UNREACHABLE),
    ("backbone.sources.errors.SourceError", INPUT),
)


def _lines(error: BaseException, code: int) -> tuple[str, ...]:
    problems: tuple[str, ...] | None = getattr(error, "problems", None)
    if problems:
        return problems  # redacted already
    text = one_line(error)
    if _expected(error, code):
        return (text or type(error).__name__,)
    return (f"unexpected {type(error).__name__}{f': {text}' if text else ''}; BACKBONE_DEBUG=1 shows the traceback",)


def _expected(error: BaseException, code: int) -> bool:
    if code != FAILED or isinstance(error, CommandFailed):
        return True
    modules = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    return bool(modules & {"backbone", "actors"}) or isinstance(error, OSError)
