"""The place of the control socket in the tree."""

from __future__ import annotations

from actors import ChildSpec, Restart
from backbone.control.actor import Answers, ControlActor
from backbone.settings import Settings

__all__ = ["child"]


def child(settings: Settings, answers: Answers, streams: Answers) -> ChildSpec | None:
    """The actor that serves the socket; None where the settings want none."""
    if not settings.control.enabled:
        return None
    args = (settings.control.path, answers, streams)
    return ChildSpec(
        "control", ControlActor, args=args, restart=Restart.TRANSIENT, backoff=settings.supervision.delays()
    )
