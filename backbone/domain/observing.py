"""The one hook by which metrics and tracing see what the actors do."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Observe"]


class Observe(Protocol):
    """Called by an actor after each piece of work: what it was, how many seconds it took, how it ended."""

    def __call__(self, what: str, seconds: float, outcome: str) -> None:
        """Take note, at once and without raising."""
        ...
