"""Which server stands behind each part, which of them this version can use, and which a tier asks for."""

from __future__ import annotations

__all__ = ["NOT_BUILT", "PROFILES", "SERVERS", "TIERS", "not_built"]

SERVERS = {"store": "timescale", "cache": "redis", "stream": "kafka"}
"""The server of each part: what its `required` is about."""

NOT_BUILT = frozenset({"kafka"})
"""Backends that have settings but no adapter yet."""

TIERS: dict[str, tuple[str, ...]] = {
    "tier_0": (),
    "tier_1": ("store",),
    "tier_2": ("store", "cache", "stream"),
}
"""The parts that a tier wants real servers for."""

PROFILES = {"tier_0": "embedded", "tier_1": "timescale", "tier_2": "institutional"}
"""The profile that a tier stands for where none is named."""


def not_built(section: str, backend: str) -> str:
    """That a backend can't be chosen yet, and which settings work today."""
    return (
        f"{section}.backend={backend} is not built yet; use --profile timescale (TimescaleDB, cache and stream in this "
        "process) or --profile embedded"
    )
