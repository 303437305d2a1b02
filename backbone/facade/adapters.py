"""Which adapter stands behind each port, by the settings; heavy clients are imported only where they are chosen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from backbone.cache.port import Cache
from backbone.domain.dimension import Dimension
from backbone.ingest.settings import IngestRules
from backbone.retention.policy import Policy, RetentionRules
from backbone.settings import Settings, SettingsError
from backbone.settings.backends import not_built
from backbone.settings.explain import origin_of
from backbone.settings.starting import refuse_what_cannot_start
from backbone.store.errors import NotBuilt, StoreUnavailable
from backbone.store.port import Store, StoreFactory
from backbone.stream.port import Stream

__all__ = ["cache_factory", "embedded", "retention_rules", "rules", "store_factory", "stream"]

_STAND_INS = {
    "store": ("duckdb", "one process owns the file, nothing is replicated"),
    "cache": ("memory", "gone with this process, shared with nobody"),
    "stream": ("memory", "gone with this process; the outbox keeps what was committed"),
}


def embedded(settings: Settings) -> dict[str, str | None]:
    """By part: why it is less than a real service; None where it is one."""
    return {
        part: why if getattr(settings, part).backend == backend else None for part, (backend, why) in _STAND_INS.items()
    }


class _Stores:
    """Makes stores; `close` lets go of what they share."""

    def __init__(self, make: Callable[[], Store], close: Callable[[], None] = lambda: None) -> None:
        self._make = make
        self._close = close

    def __call__(self) -> Store:
        return self._make()

    def close(self) -> None:
        self._close()


def store_factory(settings: Settings) -> StoreFactory:
    """Makes the store's adapter.

    Raises:
        SettingsError: a required server was not chosen, or its address is missing or no address of it.
    """
    refuse_what_cannot_start(settings, "store.")
    return _Stores(_timescale(settings)) if settings.store.backend == "timescale" else _duckdb(settings)


def _duckdb(settings: Settings) -> StoreFactory:
    from backbone.store.duckdb.memory import MemoryDatabase
    from backbone.store.duckdb.store import DuckDBStore

    store, memory = settings.store, MemoryDatabase(attached=settings.store.inline)

    def make() -> Store:
        return DuckDBStore(
            store.path,
            memory=memory,
            threads=store.threads,
            memory_limit=store.memory_limit,
            inline=store.inline,
            max_payload_bytes=settings.stream.max_payload_bytes,
        )

    return _Stores(make, memory.close)


def _timescale(settings: Settings) -> Callable[[], Store]:
    store = settings.store
    dsn = store.dsn()
    if dsn is None:
        raise SettingsError("store.backend is timescale, but its address is missing; set BACKBONE_STORE_URL")

    def make() -> Store:
        try:
            from backbone.store.timescale import Bounds, TimescaleStore
        except ModuleNotFoundError as error:
            raise StoreUnavailable("store.backend=timescale needs asyncpg: pip install asyncpg") from error
        bounds = Bounds(
            pool_size=store.pool_size,
            max_overflow=store.max_overflow,
            pool_timeout=store.pool_timeout,
            pool_recycle=store.pool_recycle,
            pre_ping=store.pool_pre_ping,
            connect_timeout=store.connect_timeout,
            statement_timeout=store.statement_timeout,
        )
        return TimescaleStore(
            dsn.reveal(),
            schema=store.schema_name,
            bounds=bounds,
            application_name=store.application_name,
            max_payload_bytes=settings.stream.max_payload_bytes,
        )

    return make


def cache_factory(settings: Settings, *, clock: Callable[[], float] | None = None) -> Callable[[], Cache]:
    """Makes the cache's adapter; "off" is a memory cache that keeps nothing."""
    from backbone.cache.memory import MemoryCache
    from backbone.cache.policy import Policy as CachePolicy

    cache = settings.cache
    if cache.backend == "redis":
        raise NotBuilt(not_built("cache", cache.backend))
    policy = CachePolicy.of(
        "disabled" if cache.backend == "off" else cache.strategy,
        ttl=cache.ttl if _given(settings, "cache.ttl") else "default",
        capacity=cache.capacity if _given(settings, "cache.capacity") else "default",
        ttl_jitter=cache.ttl_jitter,
        namespace=cache.namespace,
    )
    return lambda: MemoryCache(policy) if clock is None else MemoryCache(policy, clock=clock, seed=0)


def _given(settings: Settings, path: str) -> bool:
    """Whether somebody set this value: only then it replaces the strategy's own figure."""
    return origin_of(settings, path) != "default"


def stream(settings: Settings) -> Stream:
    """The stream; what it makes connects. The in-process one lives as long as its backbone."""
    from backbone.stream.memory import MemoryStream

    given = settings.stream
    if given.backend != "memory":
        raise NotBuilt(not_built("stream", given.backend))
    return MemoryStream(partitions=given.partitions, capacity_bytes=given.capacity_bytes)


def rules(settings: Settings) -> IngestRules:
    """The rules of ingest runs."""
    ingest, quality = settings.ingest, settings.quality
    return IngestRules(
        chunk_rows=ingest.chunk_rows,
        csv_zone=ingest.csv_zone,
        session=quality.session,
        sessions=quality.sessions,
        warn_score=quality.warn_score,
        fail_score=quality.fail_score,
        batch_rows=ingest.record_batch_rows,
        linger=ingest.record_linger,
        inline=settings.store.inline,
        settings_hash=settings.hash,
    )


def retention_rules(settings: Settings) -> RetentionRules:
    """One policy for each dimension, and what the schedule does.

    Rows of an embedded store are never dropped: it may be the only copy that somebody has.
    """
    retention = settings.retention
    days = {dimension: retention.of(dimension) for dimension in Dimension}
    return RetentionRules(
        policies=tuple(Policy(dimension, of.target_days, of.minimum, of.cap) for dimension, of in days.items()),
        enforceable=settings.store.backend != "duckdb",
        scheduled=retention.enabled,
        interval=retention.interval,
        outbox_kept=timedelta(hours=retention.outbox_hours),
        quarantine_kept=timedelta(days=retention.quarantine_days),
        kill_switch=settings.kill_switch,
    )
