"""What can go wrong between two processes, and what to do about it."""

from __future__ import annotations

from backbone.domain.errors import BackboneError

__all__ = ["ControlUnreachable", "NobodyRuns"]


class ControlUnreachable(BackboneError):
    """No running backbone of ours answers at this socket; the message says what to do."""

    code = "control"


class NobodyRuns(ControlUnreachable):
    """No backbone runs with these settings: nobody listens at its socket."""
