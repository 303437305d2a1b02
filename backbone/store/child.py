"""The store's place in the tree, and which adapter stands behind its port, by the settings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from actors import ChildSpec
from backbone.calls import Calls
from backbone.domain.clock import utc_now
from backbone.settings import Settings, SettingsError
from backbone.settings.starting import refuse_what_cannot_start
from backbone.settings.transport import insecure_parts
from backbone.store.actor import StoreActor
from backbone.store.errors import StoreUnavailable
from backbone.store.port import Adapter, Store, StoreFactory

__all__ = ["child", "factory", "stand_in"]


def child(settings: Settings, calls: Calls, make: Callable[[], Store]) -> ChildSpec:
    """The actor that owns the store; each of its lives opens a fresh adapter."""
    limits, start_timeout = settings.supervision, settings.store.start_timeout
    return ChildSpec(
        "store",
        StoreActor,
        args=(make, stand_in(settings), start_timeout),
        kwargs={"observe": calls.observe, "insecure": insecure_parts(settings).get("store")},
        shutdown=3 * limits.shutdown,
        start_timeout=start_timeout + 60.0,
        backoff=limits.delays(),
        metadata={"part": "store"},
    )


def stand_in(settings: Settings) -> str | None:
    """Why it is less than a server; None where it is one."""
    return "one process owns the file, nothing is replicated" if settings.store.backend == "duckdb" else None


class _Stores:
    """Makes stores, one after the other; `close` lets go of what they share.

    Who was killed has closed nothing: what he has left open is let go of before there is another one, and in the end.
    """

    def __init__(self, make: Callable[[], Adapter], close: Callable[[], None] = lambda: None) -> None:
        self._make = make
        self._close = close
        self._last: Adapter | None = None

    def __call__(self) -> Store:
        self._let_go()
        self._last = self._make()
        return self._last

    def close(self) -> None:
        self._let_go()
        self._close()

    def _let_go(self) -> None:
        last, self._last = self._last, None
        if last is not None:
            last.let_go()


def factory(settings: Settings, *, clock: Callable[[], datetime] | None = None) -> StoreFactory:
    """Makes the store's adapter; heavy clients are imported only where they are chosen.

    Args:
        settings: which, and where.
        clock: stamps what the embedded store writes; None: the machine's.

    Raises:
        SettingsError: a required server was not chosen, or its address is missing or no address of it.
    """
    refuse_what_cannot_start(settings, "store.")
    return _Stores(_timescale(settings)) if settings.store.backend == "timescale" else _duckdb(settings, clock)


def _duckdb(settings: Settings, clock: Callable[[], datetime] | None) -> StoreFactory:
    from backbone.store.duckdb.memory import MEMORY, MemoryDatabase
    from backbone.store.duckdb.store import DuckDBStore

    store, memory = settings.store, MemoryDatabase(attached=settings.store.inline)
    # where it is now: a store that is opened again after the process went to another folder is the same one
    path = store.path if store.path == MEMORY else Path(store.path).absolute()

    def make() -> Adapter:
        return DuckDBStore(
            path,
            memory=memory,
            threads=store.threads,
            memory_limit=store.memory_limit,
            inline=store.inline,
            max_payload_bytes=settings.stream.max_payload_bytes,
            clock=clock or utc_now,
        )

    return _Stores(make, memory.close)


def _timescale(settings: Settings) -> Callable[[], Adapter]:
    store = settings.store
    dsn = store.dsn()
    if dsn is None:
        raise SettingsError("store.backend is timescale, but its address is missing; set BACKBONE_STORE_URL")

    def make() -> Adapter:
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
            dsn,
            schema=store.schema_name,
            bounds=bounds,
            application_name=store.application_name,
            max_payload_bytes=settings.stream.max_payload_bytes,
            insecure=store.insecure,
        )

    return make
