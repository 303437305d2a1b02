"""The server goes back in time under a running backbone: its files are put back, or an older copy takes over."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from backbone import Backbone, Dimension, PositionLost, StoreError, load_settings
from backbone.services import native
from backbone.services.service import Site
from backbone.services.timescale import Timescale
from backbone.store.timescale import TimescaleStore
from tests.services.stores import SMALL, bars, make_database, opened

BARS = Dimension.INTRADAY_BARS
RECOVERY = "restore_command = 'false'\nrecovery_target_timeline = 'latest'\n"


@asynccontextmanager
async def stopped(services: native.Services) -> AsyncIterator[Path]:
    """While it is stopped, the folder of its cluster is ours."""
    await native.down(services.data, ["timescale"])
    yield services.data / "timescale" / "cluster"
    await services.restart("timescale")


def copy(source: Path, target: Path) -> None:
    """All files, each its owner's."""
    shutil.copytree(source, target, symlinks=True)
    for path in [source, *source.rglob("*")]:
        facts = path.lstat()
        os.lchown(target / path.relative_to(source), facts.st_uid, facts.st_gid)


def put_back(backup: Path, cluster: Path, *, as_standby: bool) -> None:
    """The older files; as a standby that lagged they are promoted: the server begins another timeline."""
    shutil.rmtree(cluster)
    copy(backup, cluster)
    if as_standby:
        (cluster / "recovery.signal").touch()
        with (cluster / "postgresql.auto.conf").open("a") as settings:
            settings.write(RECOVERY)


async def recorded(backbone: Backbone, hour: int, close: float) -> None:
    """Record a bar, as often as it takes the backbone to be connected again."""
    with anyio.fail_after(60):
        while True:
            try:
                await backbone.record(bars({hour: close}))
            except StoreError:
                await anyio.sleep(0.05)
            else:
                return


async def next_bar(updates: Any) -> tuple[int, float]:
    with anyio.fail_after(30):
        rows = (await anext(updates)).frame.to_arrow().to_pylist()
    return rows[-1]["ts"].hour, rows[-1]["close"]


@pytest.mark.parametrize("as_standby", [False, True], ids=["restored", "failed-over"])
async def test_a_server_that_goes_back_in_time_is_begun_with_anew(
    alone: native.Services, tmp_path: Path, caplog: pytest.LogCaptureFixture, as_standby: bool
) -> None:
    dsn = await make_database(alone, "timescale")
    store = {"store.backend": "timescale", "store.pool_size": 2, "control.enabled": False}
    settings = load_settings(profile="embedded", env={"BACKBONE_STORE_URL": dsn}, overrides=store)
    async with Backbone.open(settings) as backbone, backbone.subscribe(BARS, start="latest") as updates:
        await backbone.record(bars({0: 1.0}))
        assert await next_bar(updates) == (0, 1.0)
        async with stopped(alone) as cluster:
            copy(cluster, tmp_path / "backup")
        for close in range(1, 30):
            await recorded(backbone, 2, float(close))
            assert await next_bar(updates) == (2, float(close))
        assert len(await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h")) == 2
        async with stopped(alone) as cluster:
            put_back(tmp_path / "backup", cluster, as_standby=as_standby)
        await recorded(backbone, 5, 5.0)
        with pytest.raises(PositionLost, match="set back"), anyio.fail_after(30):
            await anext(updates)
        assert await backbone.fetch(BARS, symbols=["EURUSD"], interval="1h") == bars({0: 1.0, 5: 5.0})
        async with backbone.subscribe(BARS, start="latest") as anew:
            for close in range(1, 40):
                await backbone.record(bars({6: float(close)}))
                while (met := await next_bar(anew)) in [(0, 1.0), (5, 5.0)]:
                    assert close == 1  # the stream began anew, and they were published after somebody had subscribed
                assert met == (6, float(close))
            with anyio.fail_after(30):
                while (await backbone.outbox()).pending:  # noqa: ASYNC110  the stored cursor follows, nobody is told
                    await anyio.sleep(0.05)
    said = [each.message for each in caplog.records if "was set back" in each.message]
    assert len(said) == 1, said


async def nobody(_service: Timescale, _site: Site) -> None:
    """A server that only reads admits whom it knows."""


async def test_a_server_that_recovers_says_so_for_it_may_lag_behind_what_was_published(
    alone: native.Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = await make_database(alone, "timescale")
    async with opened(dsn) as store:
        assert not (await store.outbox_status()).standby
    with monkeypatch.context() as patched:
        patched.setattr(Timescale, "admit", nobody)
        async with stopped(alone) as cluster:
            (cluster / "standby.signal").touch()
    reading = TimescaleStore(dsn, bounds=SMALL)
    try:
        await reading.open()
        status = await reading.outbox_status()
        assert (status.standby, status.server[-1]) == (True, "/")
    finally:
        await reading.close()
        async with stopped(alone) as cluster:
            (cluster / "standby.signal").unlink()
