"""The place of retention in the tree."""

from __future__ import annotations

from actors import ChildSpec
from backbone.calls import Calls
from backbone.retention.actor import RetentionActor
from backbone.retention.policy import enforceable
from backbone.settings import Settings

__all__ = ["child"]


def child(settings: Settings, calls: Calls) -> ChildSpec:
    """The actor that judges what is kept, and drops and prunes."""
    return ChildSpec(
        "retention",
        RetentionActor,
        args=(calls, settings),
        kwargs={"enforceable": enforceable(settings)},
        shutdown=settings.supervision.shutdown,
        backoff=settings.supervision.delays(),
    )
