"""Where each part is, without what is secret in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from backbone.settings.addresses import shown_place, shown_url

if TYPE_CHECKING:
    from backbone.settings import Settings

__all__ = ["HERE", "endpoints"]

HERE = "this process"


def endpoints(settings: Settings) -> Mapping[str, str]:
    """By part: its address, the file of an embedded store, or that it lives in the process of the backbone."""
    store, cache, stream = settings.store, settings.cache, settings.stream
    url = store.dsn() if store.backend == "timescale" else None
    at = cache.dsn() if cache.backend == "redis" else None
    return {
        "store": store.path if url is None else shown_url(url.reveal()),
        "cache": HERE if at is None else shown_url(at.reveal()),
        "stream": shown_place(stream.bootstrap) if stream.backend == "kafka" and stream.bootstrap else HERE,
    }
