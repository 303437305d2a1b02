"""The place of reads from exports in the tree."""

from __future__ import annotations

from actors import ChildSpec
from backbone.history.actor import HistoryActor
from backbone.history.reading import History
from backbone.settings import Settings

__all__ = ["child"]


def child(settings: Settings, history: History) -> ChildSpec:
    """The actor that looks after it."""
    return ChildSpec(
        "history",
        HistoryActor,
        args=(history,),
        shutdown=settings.supervision.shutdown,
        backoff=settings.supervision.delays(),
    )
