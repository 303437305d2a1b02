"""The embedded store: one DuckDB file, one process, one writer."""

from __future__ import annotations

from backbone.store.duckdb.store import DuckDBStore

__all__ = ["DuckDBStore"]
