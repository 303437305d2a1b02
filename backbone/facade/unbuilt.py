"""What a Backbone is to do and does not yet: each says what serves meanwhile."""

from __future__ import annotations

from typing import Any

from backbone.store.errors import NotBuilt

__all__ = ["Unbuilt"]


class Unbuilt:
    """Methods to come."""

    async def readiness(self) -> Any:
        """Not built yet."""
        raise NotBuilt("readiness is not built yet; connectivity() probes store, cache and stream")

    async def drill(self, *_: Any, **__: Any) -> Any:
        """Not built yet."""
        raise NotBuilt("drill is not built yet; `make test` runs the crash tests")
