"""The cache of hot windows: one port, `Cache`, and the memory cache that stands in for Redis on a laptop."""
