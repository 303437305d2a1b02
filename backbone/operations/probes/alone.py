"""Asking store, cache and stream without a running backbone: each adapter is opened, probed and closed again."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import anyio

from backbone.cache import child as cache
from backbone.domain.errors import BackboneError
from backbone.domain.probe import ProbeAnswer
from backbone.operations.probes.connectivity import ConnectivityReport, probe_all
from backbone.operations.probes.endpoints import endpoints
from backbone.settings.transport import insecure_parts
from backbone.store import child as store
from backbone.stream import child as stream

if TYPE_CHECKING:
    from backbone.settings import Settings

__all__ = ["probe_alone"]

_CLOSE_TIMEOUT = 2.0
_MEMORY = ":memory:"


class _Unanswered(BackboneError):
    """There is nobody to ask, or there was no answer in time."""


class _Probed(Protocol):
    async def open(self) -> None: ...
    async def probe(self) -> ProbeAnswer: ...
    async def close(self) -> None: ...


async def probe_alone(settings: Settings, timeout: float) -> ConnectivityReport:
    """A round trip through each part that is a server or a file; what lives in a process only is `unknown`.

    Args:
        settings: where the parts are.
        timeout: seconds for each of them, all at once.
    """
    asks = {"store": _store, "cache": _cache, "stream": _stream}
    stand_ins = {
        "store": store.stand_in(settings),
        "cache": cache.stand_in(settings),
        "stream": stream.stand_in(settings),
    }
    return await probe_all(
        {name: _bounded(ask, settings, timeout) for name, ask in asks.items()},
        embedded=stand_ins,
        clock=time.perf_counter,
        timeout=timeout + _CLOSE_TIMEOUT,
        insecure=insecure_parts(settings),
        facts={name: {"endpoint": place} for name, place in endpoints(settings).items()},
        settings_hash=settings.hash,
    )


def _bounded(
    ask: Callable[[Settings], Awaitable[ProbeAnswer | None]], settings: Settings, timeout: float
) -> Callable[[], Awaitable[ProbeAnswer | None]]:
    async def asked() -> ProbeAnswer | None:
        with anyio.move_on_after(timeout):
            return await ask(settings)
        raise _Unanswered(f"no answer within {timeout:g} s")

    return asked


async def _store(settings: Settings) -> ProbeAnswer | None:
    if settings.store.backend == "duckdb" and not _is_there(settings.store.path):
        return None  # to look must not make a file
    stores = store.factory(settings)
    try:
        async with _opened(stores()) as opened:
            return await opened.probe()
    finally:
        stores.close()


def _is_there(path: str) -> bool:
    return path != _MEMORY and Path(path).exists()


async def _cache(settings: Settings) -> ProbeAnswer | None:
    made = cache.only_probed(settings)
    if made is None:
        return None
    async with _opened(made) as opened:
        return await opened.probe()


async def _stream(settings: Settings) -> ProbeAnswer | None:
    if settings.stream.backend == "memory":
        return None
    async with _opened(stream.adapter(settings).publisher()) as opened:
        return await opened.probe()


@asynccontextmanager
async def _opened(part: _Probed) -> AsyncIterator[_Probed]:
    try:
        await part.open()
        yield part
    finally:
        with anyio.move_on_after(_CLOSE_TIMEOUT, shield=True):
            await part.close()
