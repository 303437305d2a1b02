"""The hook by which somebody watches what an actor does with its requests; what is made of it is decided above."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Observe"]


class Observe(Protocol):
    """Called after each request, in the loop: it has to be quick, and must not raise."""

    def __call__(self, what: str, seconds: float, outcome: str) -> None:
        """Take note of one request.

        Args:
            what: the request, by the name of its class.
            seconds: how long it took, waiting for a turn included.
            outcome: "ok", "refused:" and the code of the refusal, or "failed": a bug, which crashes the actor.
        """
        ...
