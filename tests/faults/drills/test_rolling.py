"""TimescaleDB, Redis and Kafka in turn, killed, frozen and restarted under a run, live rows and a subscriber.

Each server meets each harm at least once; with BACKBONE_DRILL_MINUTES it goes on for so long. BACKBONE_DRILL_SEED
repeats an order.
"""

from __future__ import annotations

import os
import random
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import anyio
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backbone import Backbone, Frame, IngestPlan, StoreError
from backbone.domain.clock import utc_now
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

PACE_SECONDS = 0.1
SYMBOLS, LINES = 4, 1000  # of a file
CHUNK = 100
DAY_US = 86_400_000_000


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[native.Services]:
    """All three servers, for this module to break."""
    yield from serving(native.ALL, tmp_path_factory.mktemp("rolling"))


@pytest.fixture
async def settings(services: native.Services) -> AsyncIterator[Settings]:
    dsn = await make_database(services, "timescale")
    yield institutional(services, dsn, **{"stream.max_payload_bytes": 4096, "ingest.chunk_rows": CHUNK})
    await drop_database(services, dsn)


async def restarted(services: native.Services, server: str) -> None:
    """Stopped in good order, with all that TimescaleDB holds and nothing of what Redis and Kafka did."""
    await (services.restart(server) if server == "timescale" else emptied(services, server))


HARMS: tuple[Harm, ...] = (killed, frozen, restarted)


def turns(chance: random.Random) -> Iterator[tuple[str, Harm]]:
    """Each server in turn; in three turns each meets each harm."""
    while True:
        harms = {server: chance.sample(HARMS, len(HARMS)) for server in ACTORS}
        for turn in range(len(HARMS)):
            for server in chance.sample(sorted(ACTORS), len(ACTORS)):
                yield server, harms[server][turn]


class Ingesting:
    """Files that are ingested one after the other, each by chunks; what the store did not take is run again."""

    def __init__(self, backbone: Backbone, folder: Path) -> None:
        self._backbone = backbone
        self._folder = folder
        self.runs = self.rows = self.refused = 0
        self.stop, self.done = anyio.Event(), anyio.Event()

    async def run(self) -> None:
        while not self.stop.is_set():
            plan = IngestPlan(dimensions=[QUOTES], source="parquet", path=self._file())
            try:
                await self._backbone.ingest(plan)
            except StoreError:
                self.refused += 1  # a store that is away refuses at once: without a pause this would be all that runs
            else:
                self.runs += 1
            await anyio.sleep(PACE_SECONDS)
        self.done.set()

    def _file(self) -> Path:
        """That of the next run; the same again where the last one failed."""
        path = self._folder / f"{self.runs}.parquet"
        if not path.exists():
            pq.write_table(rows_of(self.runs), path)
        return path


def rows_of(file: int) -> pa.Table:
    """Later than those of the files before it, and other symbols than those of live rows."""
    number = 1 + file * LINES + np.arange(LINES)
    return pa.table(
        {
            "symbol": pa.array([f"F{each}" for each in number % SYMBOLS]),
            "ts": pa.array(DAY_US + number * 1000, pa.timestamp("us", "UTC")),
            "sequence": number,
            "bid": number.astype(float),
        }
    )


class Outage(NamedTuple):
    """One line of the table."""

    number: int
    server: str
    harm: str
    at: str
    lasted: float
    told: float | None
    back: float
    why: str

    def __str__(self) -> str:
        told = "never" if self.told is None else f"{self.told:.2f}"
        seconds = f"{self.lasted:8.1f} {told:>7} {self.back:7.2f}"
        return f"{self.number:4} {self.at} {self.server:10} {self.harm:10} {seconds}  {self.why}"


HEAD = f"{'':4} {'at':8} {'server':10} {'harm':10} {'lasted s':>8} {'told s':>7} {'ok s':>7}  what the roster said"


async def suffered(backbone: Backbone, services: native.Services, number: int, server: str, harm: Harm) -> Outage:
    """Do it, and see how it is told and when all is well again."""
    at, began = utc_now(), time.monotonic()
    async with anyio.create_task_group() as group:
        told = Told(backbone, ACTORS[server])
        group.start_soon(told.watch)
        await harm(services, server)
        lasted = time.monotonic() - began
        back = await are_ok(backbone, *ACTORS.values())
        group.cancel_scope.cancel()
    why = "; ".join(sorted(reason for level, all_of in told.said.items() if level != "ok" for reason in all_of))
    return Outage(number, server, harm.__name__, f"{at:%H:%M:%S}", lasted, told.after, back, why)


async def test_each_server_in_turn(services: native.Services, settings: Settings, tmp_path: Path) -> None:
    seed = int(os.environ.get("BACKBONE_DRILL_SEED") or secrets.randbits(32))
    minutes = float(os.environ.get("BACKBONE_DRILL_MINUTES") or 0)
    say(f"BACKBONE_DRILL_SEED={seed}; each server meets each harm, for {minutes:g} minutes at least")
    outages: list[Outage] = []
    async with Backbone.open(settings) as backbone, judging(settings) as judge:
        course, files = Course(backbone, pace=PACE_SECONDS, patient=True), Ingesting(backbone, tmp_path)
        opened, until = anyio.Event(), time.monotonic() + 60 * minutes
        async with anyio.create_task_group() as group:
            group.start_soon(course.read, opened)
            await opened.wait()
            group.start_soon(course.write)
            group.start_soon(files.run)
            say(HEAD)
            for server, harm in turns(random.Random(seed)):
                await anyio.sleep(QUIET_SECONDS)
                outages.append(await suffered(backbone, services, len(outages) + 1, server, harm))
                say(str(outages[-1]))
                if time.monotonic() > until and len(outages) >= len(ACTORS) * len(HARMS):
                    break
            for each in (course, files):
                each.stop.set()
            await course.written.wait()
            await files.done.wait()
            outbox = await caught_up(backbone, judge, course)
            group.cancel_scope.cancel()
        symbols = await backbone.symbols(QUOTES)
        fetched = Frame.concat([await backbone.fetch(QUOTES, symbols=[each]) for each in symbols])
        roster = backbone.roster()
        found = await inspect(judge, QUOTES)
    say(f"{len(course.results)} calls of record taken, {course.refused} refused and made again")
    say(f"{files.runs} runs of {LINES} rows, {files.refused} refused and made again")
    say(f"{found.rows} rows in {found.outbox} changes; {len(course.seen)} given; {course.fetched} fetches on one")
    given_once(outbox, course.seen)
    assert hash_of(fetched) == found.table
    assert found.rows == files.runs * LINES + rows_left(len(course.results))
    assert not roster.orphans
    assert [each for each in outages if each.told is None or not each.why] == [], "an outage was not told"
    assert [each for each in outages if each.back >= BACK_SECONDS] == []
