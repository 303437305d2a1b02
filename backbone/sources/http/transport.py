"""What carries a request: one answer, bounded in size and time, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from backbone.sources.http.timing import Timing

__all__ = ["Answer", "Bounds", "Cut", "Transport", "Unreached"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one answer may take; times in seconds, sizes in bytes, unpacked."""

    connect: float
    read: float
    whole: float
    size: int


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, read to its end.

    Attributes:
        status: the number.
        headers: by name in lower case; of repeated ones the last.
        body: unpacked.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def media_type(self) -> str:
        """What it says that it is, such as ``application/json``; "" where it says nothing."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def charset(self) -> str:
        """How it says that it is written; "" where it says nothing."""
        for part in self.headers.get("content-type", "").split(";")[1:]:
            name, _, value = part.partition("=")
            if name.strip().lower() == "charset":
                return value.strip().strip("\"'").lower()
        return ""


class Unreached(Exception):
    """There was no answer: no connection, silence, one that broke off. It may be asked again."""


class Cut(Exception):
    """The answer was given up: too large, too slow, or packed in a way that can't be read. The next would be alike."""


class Transport(Protocol):
    """Sends requests and reads answers; used by one thread at a time."""

    def get(
        self, url: str, params: Mapping[str, str], headers: Mapping[str, str], bounds: Bounds, timing: Timing
    ) -> Answer:
        """Ask for one thing.

        Args:
            url: without a query.
            params: the query; may hold a key, so that it is in no message.
            headers: besides those that it sends anyhow.
            bounds: of the answer.
            timing: for the time that the whole takes; it may be stopped.

        Raises:
            Unreached: there is no answer.
            Cut: the answer can't be taken.
        """
        ...

    def forget(self) -> None:
        """Drop all cookies."""
        ...

    def cut(self) -> None:
        """End what is being waited for; called from another thread, maybe more than once."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...
