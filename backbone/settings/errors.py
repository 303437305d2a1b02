"""What is wrong with settings, one line each."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from backbone.domain.errors import BackboneError
from backbone.settings.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["SettingsError", "most_of", "suggestion"]

_TOLD = 20
_LONGEST_NAME = 64


class SettingsError(BackboneError, ValueError):
    """The settings can't be used; each problem says what was given, what is allowed, and what to do.

    They are redacted: what was given may be a password that went into the wrong place.
    """

    code = "settings"

    problems: tuple[str, ...]

    def __init__(self, *problems: str) -> None:
        self.problems = tuple(map(redact, problems))
        super().__init__("\n".join(self.problems))


def most_of(problems: Sequence[str]) -> tuple[str, ...]:
    """The first problems, and how many more there are."""
    more = len(problems) - _TOLD
    return tuple(problems) if more <= 0 else (*problems[:_TOLD], f"and {more:,} more of the kind; correct these first")


def suggestion(given: str, allowed: Iterable[str]) -> str:
    """Words that propose what is allowed and spelled alike, to be put after a message; empty when nothing is."""
    if len(given) > _LONGEST_NAME:
        return ""
    close: Sequence[str] = get_close_matches(given, list(allowed), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""
