"""The store: one port, `Store`, and the DuckDB file that stands in for TimescaleDB on a laptop."""
