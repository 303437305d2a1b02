"""Texts from elsewhere, made fit to be shown: without secrets, and without characters that would steer a terminal."""

from __future__ import annotations

from textwrap import indent

from backbone.domain.text import folded
from backbone.settings.redaction import redact, shown_traceback

__all__ = ["ago", "count", "folded", "one_line", "seconds", "traceback_below"]

_DAY = 86_400


def one_line(text: object) -> str:
    """A text as one line: redacted, blanks folded, control characters (C0, C1, bidirectional ones) left out."""
    return folded(redact(str(text)))


def traceback_below(text: object) -> str:
    """A traceback to stand below a line: redacted, escaped, and indented, so that none of its lines passes for one."""
    return indent(shown_traceback(str(text)), "    ")


def count(number: int) -> str:
    """A whole number with thousands separated."""
    return f"{number:,}"


def seconds(value: float) -> str:
    """A duration as people read it: 0.42 s, 12 s, 3 min, 5 h, 2 d."""
    if value < 10:
        return f"{value:.2f} s"
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (2 * _DAY, 3600, "h")):
        if value < limit:
            return f"{value / size:.0f} {unit}"
    return f"{value / _DAY:.0f} d"


def ago(value: float) -> str:
    """How long something lasts, in whole units: a moment, 12 s, 3 min."""
    return "a moment" if value < 1 else seconds(max(value, 10)) if value >= 10 else f"{value:.0f} s"
