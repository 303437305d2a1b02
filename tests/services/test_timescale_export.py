"""Exports of the real server: exact while others write, and in nobody's way."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from backbone import Frame, load_settings
from backbone.domain.status import Status
from backbone.export import shelf
from backbone.export.messages import RunExport
from backbone.store.messages import ReadPart
from backbone.store.timescale import TimescaleStore
from tests.backbone.export.kit import DAY, TRADES, Bench, trades
from tests.services.stores import bare


@pytest.fixture
async def desk(store: TimescaleStore, tmp_path: Path) -> Bench:
    overrides = {"export.path": str(tmp_path / "exports"), "export.restarts": 0, "export.readers": 3}
    return Bench(store, tmp_path / "exports", load_settings(profile="embedded", env={}, overrides=overrides))


@pytest.mark.parametrize("form", ["parquet", "csv"])
async def test_files_are_what_the_server_held_at_one_moment_whatever_is_written_meanwhile(
    desk: Bench, form: str
) -> None:
    before = Frame.concat([trades(range(500), name) for name in ("AIG", "BAC", "BTC/USD", "IBM")])
    await desk.put(before)
    asked = desk.ask
    written = False

    async def ask(request: Any) -> Any:
        nonlocal written
        if isinstance(request, ReadPart) and not written:
            written = True
            await desk.put(trades(range(500, 600), "IBM"), "meanwhile")
            change = {"symbol": "BAC", "ts": DAY + timedelta(seconds=499), "sequence": 499, "price": 1.0}
            await desk.put(Frame.from_records(TRADES, [change]), "correction")
            await desk.store.drop(TRADES, before=DAY + timedelta(seconds=50), dry_run=False)
        return await asked(request)

    desk.ask = ask  # type: ignore[method-assign]
    report = await desk.export(RunExport(form=form))  # type: ignore[arg-type]
    assert [job.why for job in report.jobs] == [""]
    assert written
    assert desk.rows_in_export(TRADES) == before
    assert shelf.verify(desk.root).status is Status.OK
    again = await desk.export(RunExport(form=form))  # type: ignore[arg-type]
    assert again.written == 4
    assert desk.rows_in_export(TRADES) == await desk.rows_in_store(TRADES)


async def test_what_has_not_changed_is_linked(desk: Bench) -> None:
    await desk.put(Frame.concat([trades(range(50), name) for name in ("AIG", "BAC", "IBM")]))
    await desk.export()
    await desk.put(trades(range(50, 60), "BAC"), "more")
    report = await desk.export()
    assert (report.written, report.linked) == (1, 2)
    assert desk.rows_in_export(TRADES) == await desk.rows_in_store(TRADES)


async def test_no_connection_of_an_export_stays_and_its_sessions_end_by_themselves(desk: Bench, dsn: str) -> None:
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    await desk.put(trades(range(50)))
    async with bare(dsn) as connection:
        before = await connection.fetchval(sessions)
        snapshot = await desk.store.open_snapshot("test", 30.0, 3)
        assert await connection.fetchval(sessions) == before + 3
        held = "SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND datname = current_database()"
        assert await connection.fetchval(held) == 0  # none has a number that the outbox would wait for
        await desk.store.close_snapshot(snapshot.name)
        await desk.export()
        for _ in range(50):
            if await connection.fetchval(sessions) == before:
                break
        assert await connection.fetchval(sessions) == before
