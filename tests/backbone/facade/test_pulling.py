"""Updates through the control socket: a question at a time, bounded, none lost and none twice."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from backbone.control.asking import ask_running
from backbone.control.errors import ControlUnreachable, NobodyRuns
from backbone.domain import Frame, decode
from backbone.facade.backbone import Backbone
from backbone.facade.pulling import Pulling
from backbone.testing import embedded

T0 = datetime(2020, 1, 6, tzinfo=UTC)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[Backbone, Path]]:
    """A backbone that can be asked, and its socket."""
    path = tmp_path / "b.sock"
    async with embedded(overrides={"control.enabled": True, "control.path": str(path)}) as backbone:
        yield backbone, path


def trades(count: int, symbol: str = "EURUSD", first: int = 0) -> Frame:
    rows = [
        {"symbol": symbol, "ts": T0 + timedelta(seconds=first + n), "sequence": first + n, "price": 1.0}
        for n in range(count)
    ]
    return Frame.from_records("trades", rows)


async def asked(path: Path, **arguments: Any) -> dict[str, Any]:
    given = {"dimension": "trades", "wait": 0.0, **arguments}
    return await anyio.to_thread.run_sync(lambda: ask_running(path, "updates", 10.0, given))


async def test_what_comes_after_a_place_comes_once_and_in_order(served: tuple[Backbone, Path]) -> None:
    backbone, path = served
    begun = await asked(path)
    assert begun["updates"] == []
    for n in range(5):
        await backbone.record(trades(1, first=n))
    sequences: list[int] = []
    after = begun["after"]
    with anyio.fail_after(60):
        while len(sequences) < 5:
            answer = await asked(path, after=after, wait=1.0)
            after = answer["after"]
            for each in answer["updates"]:
                frame = decode(base64.b64decode(each["payload"]))
                assert (each["symbol"], each["rows"]) == ("EURUSD", 1)
                sequences += frame.to_arrow().column("sequence").to_pylist()
    assert sequences == [0, 1, 2, 3, 4]
    assert (await asked(path, after=after))["updates"] == []


async def test_an_answer_is_bounded_and_the_next_one_goes_on_where_it_was_cut(served: tuple[Backbone, Path]) -> None:
    backbone, path = served
    for n in range(6):
        await backbone.record(trades(8_000, first=n * 8_000))
    rows, answers, question = 0, 0, {"start": "earliest"}
    with anyio.fail_after(60):
        while rows < 48_000:
            answer = await asked(path, **question)
            assert sum(len(each["payload"]) for each in answer["updates"]) < 2 * 2**20
            rows += sum(each["rows"] for each in answer["updates"])
            answers += 1
            question = {"after": answer["after"]}
    assert (rows, answers > 1) == (48_000, True)


async def test_a_token_of_an_update_is_a_start(served: tuple[Backbone, Path]) -> None:
    backbone, path = served
    await backbone.record(trades(1))
    [first] = (await asked(path, start="earliest", wait=1.0))["updates"]
    await backbone.record(trades(1, first=1))
    [second] = (await asked(path, start=first["resume"], wait=1.0))["updates"]
    assert second["position"] > first["position"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"dimension": "futures"}, "unknown dimension"),
        ({"start": "yesterday"}, "'latest', 'earliest'"),
        ({"wait": 60}, "wait"),
        ({"symbols": "EURUSD"}, "symbols"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_question_that_is_none_is_refused(
    served: tuple[Backbone, Path], arguments: dict[str, Any], told: str
) -> None:
    _, path = served
    with pytest.raises(ValueError, match=told):
        await asked(path, **arguments)


async def test_no_answer_waits_longer_than_it_was_told_to(served: tuple[Backbone, Path]) -> None:
    backbone, _ = served
    pulling = Pulling(backbone._subscribing)
    with anyio.fail_after(10):
        assert b'"updates":[]' in await pulling.answer({"dimension": "quotes", "wait": 0.01})


async def test_nobody_runs_and_somebody_else_answers_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(NobodyRuns, match="no running backbone"):
        ask_running(tmp_path / "none.sock", "roster")
    (tmp_path / "file.sock").write_text("")
    with pytest.raises(ControlUnreachable, match="is no socket") as refused:
        ask_running(tmp_path / "file.sock", "roster")
    assert not isinstance(refused.value, NobodyRuns)
