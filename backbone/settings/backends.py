"""Which server stands behind each part, and which of them a tier asks for."""

from __future__ import annotations

__all__ = ["PROFILES", "SERVERS", "TIERS"]

SERVERS = {"store": "timescale", "cache": "redis", "stream": "kafka"}
"""The server of each part: what its `required` is about."""

TIERS: dict[str, tuple[str, ...]] = {
    "tier_0": (),
    "tier_1": ("store",),
    "tier_2": ("store", "cache", "stream"),
}
"""The parts that a tier wants real servers for."""

PROFILES = {"tier_0": "embedded", "tier_1": "timescale", "tier_2": "institutional"}
"""The profile that a tier stands for where none is named."""
