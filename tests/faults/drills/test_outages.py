"""Redis, then Kafka, killed, frozen and emptied under a backbone at work: nothing lost, doubled or stale."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import anyio
import pytest

from backbone import Backbone
from backbone.services import native
from backbone.settings import Settings
from tests.faults.drills.course import (
    ACTORS,
    BACK_SECONDS,
    QUIET_SECONDS,
    Course,
    Harm,
    Told,
    are_ok,
    caught_up,
    emptied,
    frozen,
    given_once,
    judging,
    killed,
    rows_left,
)
from tests.faults.drills.kit import QUOTES, hash_of, inspect, say
from tests.services.conftest import serving
from tests.services.cycle import institutional
from tests.services.stores import drop_database, make_database


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[native.Services]:
    """All three servers, for this module to break."""
    yield from serving(native.ALL, tmp_path_factory.mktemp("outages"))


@pytest.fixture
async def settings(services: native.Services) -> AsyncIterator[Settings]:
    dsn = await make_database(services, "timescale")
    yield institutional(services, dsn, **{"stream.max_payload_bytes": 4096})
    await drop_database(services, dsn)


@pytest.mark.parametrize("harm", [killed, frozen, emptied], ids=lambda each: each.__name__)
@pytest.mark.parametrize("server", ["redis", "kafka"])
async def test_an_outage_loses_nothing_doubles_nothing_and_ends_soon(
    services: native.Services, settings: Settings, server: str, harm: Harm
) -> None:
    actor = ACTORS[server]
    async with Backbone.open(settings) as backbone, judging(settings) as judge:
        course, told, opened = Course(backbone), Told(backbone, actor), anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(course.read, opened)
            await opened.wait()
            group.start_soon(course.write)
            group.start_soon(told.watch)
            await anyio.sleep(QUIET_SECONDS)
            await harm(services, server)
            back = await are_ok(backbone, actor)
            await anyio.sleep(QUIET_SECONDS)
            course.stop.set()
            await course.written.wait()
            outbox = await caught_up(backbone, judge, course)
            group.cancel_scope.cancel()
        fetched = await backbone.fetch(QUOTES)
        found = await inspect(judge, QUOTES)
    say(
        f"{server} {harm.__name__}: {len(course.results)} calls of record, {len(course.seen)} updates, "
        f"{course.fetched} fetches on one; ok {back:.2f} s after its return"
    )
    for level, reasons in told.said.items():
        say(f"  {actor} {level}: {'; '.join(sorted(reasons))}")
    assert set(told.said) - {"ok"}, "the outage was not told"
    assert found.rows == rows_left(len(course.results))
    given_once(outbox, course.seen)
    assert hash_of(fetched) == found.table
    assert back < BACK_SECONDS
