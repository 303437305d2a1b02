"""A run waits for a store that restarts or is locked, up to `store.patience` seconds."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from backbone.ingest.messages import RunIngest
from backbone.store.messages import ClaimEpoch, WriteChunk
from tests.backbone.facade.kit import bars, plan, write_csv
from tests.backbone.ingest.kit import ingesting


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "bars.csv", bars(3))


async def test_what_the_store_has_no_time_for_is_asked_again(path: Path) -> None:
    async with ingesting(patience=30.0) as room:
        run = await room.ask(RunIngest(plan(path), "run"))
        (await room.desk.next(ClaimEpoch)).refuse("unavailable")
        (await room.desk.next(ClaimEpoch)).answer(7)
        written = []
        for code in ("busy", "unavailable", "busy", "unavailable"):
            written.append(await room.desk.next(WriteChunk))
            written[-1].refuse(code)
        last = await room.desk.next(WriteChunk)
        assert all(each.message == last.message for each in written)
        last.commit()
        assert (await run.get()).inserted == 3


async def test_it_waits_no_longer_than_it_was_told_and_passes_the_refusal_on(path: Path) -> None:
    async with ingesting(patience=5.0) as room:
        run = await room.ask(RunIngest(plan(path), "run"))
        (await room.desk.next(ClaimEpoch)).answer(1)
        began, asked = anyio.current_time(), 0
        while not run.is_there:
            while room.desk.waiting and isinstance(room.desk.waiting[0].message, WriteChunk):
                room.desk.waiting.pop(0).refuse("busy")
                asked += 1
            await anyio.sleep(0.01)
        assert await run.refusal() == "busy"
        assert 5.0 <= anyio.current_time() - began < 6.0
        assert 4 < asked < 12


@pytest.mark.parametrize("code", ["fenced", "store", "schema"])
async def test_what_no_waiting_mends_is_passed_on_at_once(path: Path, code: str) -> None:
    async with ingesting(patience=30.0) as room:
        run = await room.ask(RunIngest(plan(path), "run"))
        (await room.desk.next(ClaimEpoch)).refuse(code)
        assert await run.refusal() == code
