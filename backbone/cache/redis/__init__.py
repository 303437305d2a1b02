"""The cache on Redis: shared by processes, with the hottest windows kept in this one as well."""

from backbone.cache.redis.cache import RedisCache

__all__ = ["RedisCache"]
