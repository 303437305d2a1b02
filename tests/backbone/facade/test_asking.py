"""SQL over an open backbone: answers, bounds, turns, and who goes away; by its own process and by the socket."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pyarrow as pa
import pytest

from backbone import Backbone, load_settings
from backbone.control.asking import bytes_of_running
from backbone.store.errors import StatementRefused, StoreBusy, TooMuch
from tests.backbone.facade.kit import START, bars

ENDLESS = "SELECT count(*) FROM range(100000000000) AS a(i), range(100000) AS b(j)"


@pytest.fixture
def ended() -> list[str]:
    """How statements ended in the store, in order."""
    return []


@pytest.fixture
async def backbone(tmp_path: Path, ended: list[str]) -> AsyncIterator[Backbone]:
    def observe(what: str, seconds: float, outcome: str) -> None:
        if what == "RunStatement":
            ended.append(outcome)

    overrides = {
        "store.path": str(tmp_path / "b.duckdb"),
        "control.path": str(tmp_path / "b.sock"),
        "sql.at_once": 1,
        "sql.waiting": 2,
        "sql.max_rows": 1000,
        "sql.max_temp_bytes": 1_000_000,
        "store.memory_limit": "48MB",
    }
    settings = load_settings(profile="embedded", env={}, overrides=overrides)
    async with Backbone.open(settings, observe=observe) as opened:
        yield opened


async def over_socket(backbone: Backbone, query: str, **more: Any) -> pa.Table | tuple[str, str]:
    path, arguments = backbone.settings.control.path, {"query": query, **more}
    answer = await anyio.to_thread.run_sync(partial(bytes_of_running, path, "sql", 30.0, arguments, 2**24))
    return answer if isinstance(answer, tuple) else pa.ipc.open_stream(answer).read_all()


async def test_the_answer_is_an_arrow_table_of_what_was_recorded(backbone: Backbone) -> None:
    await backbone.record(bars(3))
    query = "SELECT symbol, max(ts) AS newest FROM intraday_bars WHERE ts > $1 GROUP BY symbol"
    answer = await backbone.sql(query, START)
    assert answer.to_pylist() == [{"symbol": "EURUSD", "newest": START + timedelta(hours=2)}]


async def test_what_is_set_bounds_an_answer_and_the_process_itself_may_ask_for_more(backbone: Backbone) -> None:
    query = "SELECT i FROM range(1500) AS t(i)"
    with pytest.raises(TooMuch, match="1,000 rows"):
        await backbone.sql(query)
    assert (await backbone.sql(query, max_rows=1500)).num_rows == 1500
    assert (await backbone.sql(query, limit=2)).num_rows == 2
    with pytest.raises(TooMuch, match="bytes"):
        await backbone.sql(query, max_rows=1500, max_bytes=500)
    with pytest.raises(TooMuch, match=r"longer than 0\.05 s"):
        await backbone.sql(ENDLESS, timeout_s=0.05)


async def test_what_is_set_bounds_what_a_statement_lays_on_the_disk(backbone: Backbone) -> None:
    sorts = "SELECT m FROM (SELECT md5(i::VARCHAR) AS m FROM range(10000000000) AS t(i)) ORDER BY m OFFSET 1000000000"
    with pytest.raises(TooMuch, match="more than 1,000,000 bytes of temporary files"):
        await backbone.sql(sorts)


@pytest.mark.parametrize(
    "wrong",
    [{"timeout_s": 0}, {"timeout_s": "1"}, {"timeout_s": 1e9}, {"max_rows": 0}, {"max_bytes": 0}, {"limit": 0}],
    ids=str,
)
async def test_a_wrong_argument_is_refused_where_it_is_given(backbone: Backbone, wrong: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError), match=next(iter(wrong))):
        await backbone.sql("SELECT 1", **wrong)
    with pytest.raises(TypeError, match="SQL"):
        await backbone.sql(5)  # type: ignore[arg-type]


async def test_so_many_wait_and_further_ones_are_refused_at_once(backbone: Backbone) -> None:
    outcomes: list[str] = []

    async def ask() -> None:
        try:
            await backbone.sql(ENDLESS, timeout_s=1.0)
        except (TooMuch, StoreBusy) as error:
            outcomes.append(error.code)

    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(ask)
        await backbone.record(bars(2))
    assert sorted(outcomes) == ["busy"] * 7 + ["too_much"] * 3
    assert (await backbone.sql("SELECT count(*) AS n FROM intraday_bars")).to_pylist() == [{"n": 2}]


async def test_one_that_has_waited_is_told_what_it_was_allowed_and_not_what_was_left(backbone: Backbone) -> None:
    async def wait() -> None:
        with pytest.raises(TooMuch, match=r"longer than 4 s"):
            await backbone.sql(ENDLESS, timeout_s=4.0)

    async def ask() -> None:
        with pytest.raises(TooMuch, match=r"longer than 1 s"):
            await backbone.sql(ENDLESS, timeout_s=1.0)

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        group.start_soon(wait)


async def test_a_caller_who_is_cancelled_stops_the_statement(backbone: Backbone, ended: list[str]) -> None:
    with anyio.move_on_after(0.2):
        await backbone.sql(ENDLESS, timeout_s=3600)
    while not ended:
        await anyio.lowlevel.checkpoint()
    assert ended == ["refused:busy"]
    assert (await backbone.sql("SELECT 1 AS a", timeout_s=20)).to_pylist() == [{"a": 1}]
    assert (await backbone.record(bars(2))).inserted == 2


async def test_the_socket_answers_with_an_arrow_stream(backbone: Backbone) -> None:
    await backbone.record(bars(3))
    answer = await over_socket(backbone, "SELECT * FROM intraday_bars WHERE symbol = $1", parameters=["EURUSD"])
    assert isinstance(answer, pa.Table)
    assert answer.num_rows == 3


async def test_the_socket_gives_no_more_than_is_set_and_says_why_by_its_code(backbone: Backbone) -> None:
    query = "SELECT i FROM range(1500) AS t(i)"
    code, why = await over_socket(backbone, query, max_rows=10**6)
    assert (code, "1,000 rows" in why) == ("too_much", True)
    assert isinstance(await over_socket(backbone, "SELECT 1 AS a", timeout_s=1e9), pa.Table)
    code, why = await over_socket(backbone, "DELETE FROM trades")
    assert (code, why) == ("statement", "DELETE given; allowed is one SELECT, which changes nothing")
    code, why = await over_socket(backbone, "SELECT 1", nonsense=1)
    assert (code, "nonsense" in why) == ("refused", True)


async def test_who_closes_the_connection_stops_his_statement(backbone: Backbone, ended: list[str]) -> None:
    def ask_and_go() -> None:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(backbone.settings.control.path)
            arguments = {"query": ENDLESS, "timeout_s": 30.0}
            client.sendall(msgspec.json.encode({"schema": 1, "command": "sql", "arguments": arguments}) + b"\n")

    for _ in range(3):
        await anyio.to_thread.run_sync(ask_and_go)
    answer = await over_socket(backbone, "SELECT 1 AS a", timeout_s=20.0)
    assert isinstance(answer, pa.Table)
    assert set(ended[:-1]) <= {"refused:busy"}


async def test_a_statement_sees_what_is_committed_and_no_table_of_the_system(backbone: Backbone) -> None:
    with pytest.raises(StatementRefused, match=r"'telemetry\.outbox' at line 1, column 15"):
        await backbone.sql("SELECT * FROM telemetry.outbox")
    await backbone.record(bars(1))
    assert (await backbone.sql("SELECT close FROM intraday_bars")).to_pylist() == [{"close": 1.2}]
