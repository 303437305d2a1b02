"""The store on TimescaleDB, or on plain PostgreSQL without chunks, by asyncpg."""

from __future__ import annotations

from backbone.store.timescale.bounds import Bounds
from backbone.store.timescale.store import TimescaleStore

__all__ = ["Bounds", "TimescaleStore"]
