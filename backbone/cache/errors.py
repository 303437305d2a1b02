"""What can go wrong in the cache. Nobody who reads is told: reads go to the store until it is back."""

from __future__ import annotations

from backbone.domain.errors import BackboneError

__all__ = ["CacheUnavailable"]


class CacheUnavailable(BackboneError):
    """The cache can't be reached, or gives no answer in time. Whether a `put` or an `invalidate` went in is unknown."""

    code = "cache_unavailable"
