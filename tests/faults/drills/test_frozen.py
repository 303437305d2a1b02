"""The server is frozen (SIGSTOP) for 30 s: it takes connections and answers nothing."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import anyio

from backbone import Backbone
from backbone.domain import Dimension
from backbone.services import native
from backbone.store.errors import StoreError, StoreUnavailable, UnknownOutcome
from backbone.store.timescale import Bounds
from tests.backbone.facade.kit import BARS, bars, plan
from tests.faults.drills.kit import (
    QUOTES,
    becomes_ok,
    chunk,
    connections,
    hash_of,
    health,
    inspect,
    no_connection_left,
    say,
    settings_of,
    store_of,
)

FROZEN_SECONDS = 30.0
BACK_SECONDS = 5.0
GRACE_SECONDS = 3.0  # giving a connection up that does not answer


async def timed(work: Callable[[], Awaitable[object]]) -> tuple[float, Exception | None]:
    began = time.monotonic()
    try:
        await work()
    except (StoreError, TimeoutError) as error:
        return time.monotonic() - began, error
    return time.monotonic() - began, None


async def test_every_call_of_the_store_ends_within_its_deadline(services: native.Services, dsn: str) -> None:
    bounds = Bounds(pool_timeout=2.0, connect_timeout=2.0, statement_timeout=4.0)
    store = store_of(dsn, "frozen", bounds)
    await store.open()
    await store.migrate()
    epoch = await store.claim_epoch("drill", QUOTES)
    await store.write(chunk(0, epoch))
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "write": lambda: store.write(chunk(1, epoch)),
        "read_outbox": lambda: store.read_outbox(0),
        "probe": store.probe,
        "journal": store.journal,
        "outbox_status": store.outbox_status,
        "coverage": lambda: store.coverage(QUOTES),
        "claim_epoch": lambda: store.claim_epoch("other", QUOTES),
        "lookup": lambda: store.lookup("run 0", "none"),
    }
    taken: dict[str, tuple[float, Exception | None]] = {}

    async def call(name: str) -> None:
        taken[name] = await timed(calls[name])

    services.freeze("timescale")
    try:
        async with anyio.create_task_group() as group:
            for name in calls:
                group.start_soon(call, name)
        again = await timed(store.probe)
    finally:
        services.thaw("timescale")
    for name, (seconds, error) in {**taken, "probe again": again}.items():
        say(f"frozen: {name} ended after {seconds:.1f} s: {type(error).__name__}")
        assert isinstance(error, StoreUnavailable | UnknownOutcome), name
        # a write that lost its COMMIT's answer looks what came of it, which has a deadline of its own
        assert seconds <= (2 if name == "write" else 1) * bounds.deadline + GRACE_SECONDS
    began = time.monotonic()
    result = await store.write(chunk(1, epoch))
    say(f"thawed: written after {time.monotonic() - began:.2f} s")
    assert time.monotonic() - began < BACK_SECONDS
    assert result.inserted == 200
    await inspect(store, QUOTES)
    assert await connections(dsn, "frozen") <= bounds.most_connections
    await store.close()
    assert await no_connection_left(dsn, "frozen", within=20.0)


async def test_closing_a_store_of_a_frozen_server_ends_in_seconds(services: native.Services, dsn: str) -> None:
    store = store_of(dsn, "closing")
    await store.open()
    services.freeze("timescale")
    try:
        began = time.monotonic()
        await store.close()
        assert time.monotonic() - began < BACK_SECONDS
    finally:
        services.thaw("timescale")


async def test_a_backbone_says_so_serves_what_it_has_and_is_ok_within_5_s(services: native.Services, dsn: str) -> None:
    settings = settings_of(dsn, **{"store.statement_timeout": 3.0, "store.pool_timeout": 2.0})
    bound = 2.0 + 1.5 * 3.0
    async with Backbone.open(settings) as backbone:
        await backbone.ingest(plan())
        cached = await backbone.fetch(BARS, symbols=["EURUSD"], limit=100)
        services.freeze("timescale")
        frozen = time.monotonic()
        try:
            refused = 0
            while time.monotonic() - frozen < FROZEN_SECONDS:
                seconds, error = await timed(lambda: backbone.fetch(BARS, symbols=["EURUSD"], limit=7))
                assert isinstance(error, StoreUnavailable)
                assert seconds <= bound + GRACE_SECONDS
                refused += 1
                report = await backbone.connectivity()
                assert not report.store
                seconds, error = await timed(lambda: backbone.record(bars(2, close=1.3)))
                assert error is not None
                assert seconds <= 2 * bound + GRACE_SECONDS
            said = health(backbone, "store")
            assert (
                await backbone.fetch(BARS, symbols=["EURUSD"], limit=100)
            ).canonical_bytes() == cached.canonical_bytes()
        finally:
            services.thaw("timescale")
        took = await becomes_ok(backbone, "store", BACK_SECONDS)
        say(f"frozen for {time.monotonic() - frozen - took:.0f} s, {refused} rounds refused")
        say(f"store {said.level}: {said.why}")
        say(f"since {said.since:%H:%M:%S}; next: {said.next}; ok {took:.2f} s after SIGCONT")
        assert said.level == "failed"
        assert "no answer" in said.why or "did not answer" in said.why, said.why
        assert said.next
        assert said.since is not None
        assert took <= BACK_SECONDS
        assert await backbone.record(bars(2, close=1.4))
        await backbone.ingest(plan())
        table = await backbone.fetch(BARS)
    store = store_of(dsn, "inspector")
    await store.open()
    found = await inspect(store, Dimension.INTRADAY_BARS)
    await store.close()
    assert found.table == hash_of(table)
