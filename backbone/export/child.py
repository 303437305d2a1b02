"""The place of exports in the tree."""

from __future__ import annotations

from actors import ChildSpec
from backbone.calls import Calls
from backbone.export.actor import ExportActor
from backbone.settings import Settings

__all__ = ["child"]


def child(settings: Settings, calls: Calls) -> ChildSpec:
    """The actor that writes exports."""
    return ChildSpec(
        "export",
        ExportActor,
        args=(calls, settings),
        shutdown=settings.supervision.shutdown,
        backoff=settings.supervision.delays(),
    )
