"""The one status vocabulary: ``ok < degraded < failed``, and ``off`` and ``unknown`` beside it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Status"]


class Status(StrEnum):
    """How something is doing.

    ``off`` (not configured) counts as ok, and as failed where the thing is required; ``unknown`` counts as degraded.
    """

    OK = "ok"
    DEGRADED = "degraded"
    FAILED = "failed"
    OFF = "off"
    UNKNOWN = "unknown"

    @classmethod
    def parse(cls, text: str | Status) -> Status:
        """Read a status from its word or an alias of other tools (warn, error, pass, …), whatever the case.

        Raises:
            ValueError: the word is unknown; the message lists what is allowed.
        """
        if isinstance(text, cls):
            return text
        found = _BY_WORD.get(text.strip().lower()) if isinstance(text, str) else None
        if found is None:
            raise ValueError(
                f"unknown status {text!r}; use one of: {', '.join(cls)} (also read: {', '.join(_ALIASES)})"
            )
        return found

    @classmethod
    def worst(cls, statuses: Iterable[Status], *, required: bool = False) -> Status:
        """The worst of several statuses, as ok, degraded or failed; unknown when there are none.

        Args:
            statuses: what was observed.
            required: whether the things observed must be there, so that ``off`` counts as failed.
        """
        counted = [cls.FAILED if required and status is cls.OFF else _COUNTS_AS[status] for status in statuses]
        return max(counted, key=lambda status: status.severity, default=cls.UNKNOWN)

    @property
    def severity(self) -> int:
        """0 for ok and off, 1 for degraded and unknown, 2 for failed."""
        return _SEVERITY[self]


_ALIASES: Mapping[str, Status] = {
    "warn": Status.DEGRADED,
    "warning": Status.DEGRADED,
    "error": Status.FAILED,
    "fail": Status.FAILED,
    "critical": Status.FAILED,
    "healthy": Status.OK,
    "pass": Status.OK,
}
_BY_WORD: Mapping[str, Status] = {**{str(status): status for status in Status}, **_ALIASES}
_SEVERITY: Mapping[Status, int] = {
    Status.OK: 0,
    Status.OFF: 0,
    Status.DEGRADED: 1,
    Status.UNKNOWN: 1,
    Status.FAILED: 2,
}
_COUNTS_AS: Mapping[Status, Status] = {
    Status.OK: Status.OK,
    Status.OFF: Status.OK,
    Status.DEGRADED: Status.DEGRADED,
    Status.UNKNOWN: Status.DEGRADED,
    Status.FAILED: Status.FAILED,
}
