"""The cache in this process, for a laptop, tests, and a backbone that shares its windows with nobody."""

from backbone.cache.memory.cache import MemoryCache

__all__ = ["MemoryCache"]
