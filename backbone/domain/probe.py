"""What a part answers to a probe that really asked it; the same for store, cache and stream."""

from __future__ import annotations

import msgspec

__all__ = ["ProbeAnswer"]


class ProbeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A round trip came back.

    Attributes:
        backend: which adapter: "duckdb", "timescale", "memory", "redis", "kafka"; "off" where nothing is cached.
        healthy: whether the part can do its work now: a row be written, an entry kept, a record published.
        degraded_reason: why it works less well than it should, None if it does not.
        details: facts for the operator, as text.
    """

    backend: str
    healthy: bool
    degraded_reason: str | None = None
    details: dict[str, str] = {}
