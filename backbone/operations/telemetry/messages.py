"""What the telemetry actor is told."""

from __future__ import annotations

from actors import Message, Request
from backbone.domain import arguments
from backbone.stream.provisioned import Provisioned

__all__ = ["AttendListeners", "EnsureTelemetryTopics"]


class AttendListeners(Message, frozen=True):
    """Somebody listens who is not served yet."""


class EnsureTelemetryTopics(Request[Provisioned], frozen=True):
    """Look for the topics of telemetry, and make those that are missing unless it is a dry run."""

    dry_run: bool = True

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.flag("dry_run", self.dry_run)
