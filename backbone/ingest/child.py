"""The place of ingest in the tree."""

from __future__ import annotations

from actors import ChildSpec, Mailbox
from backbone.calls import Calls
from backbone.ingest.actor import IngestActor
from backbone.settings import Settings

__all__ = ["child"]


def child(settings: Settings, calls: Calls) -> ChildSpec:
    """The actor that takes plans and live rows; how often each run was begun outlives a crash of it."""
    attempts: dict[str, int] = {}
    return ChildSpec(
        "ingest",
        IngestActor,
        args=(calls, settings, attempts),
        kwargs={"observe": calls.observe},
        shutdown=settings.supervision.shutdown,
        backoff=settings.supervision.delays(),
        mailbox=Mailbox(capacity=4096),
    )
