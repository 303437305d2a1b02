"""The place of exports in the tree."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from actors import ChildSpec
from backbone.calls import Calls
from backbone.export.actor import ExportActor
from backbone.settings import Settings

__all__ = ["child"]


def child(settings: Settings, calls: Calls, published: Callable[[], Awaitable[None]] | None = None) -> ChildSpec:
    """The actor that writes exports; `published` is called when there is another one."""
    return ChildSpec(
        "export",
        ExportActor,
        args=(calls, settings, published),
        shutdown=settings.supervision.shutdown,
        backoff=settings.supervision.delays(),
    )
