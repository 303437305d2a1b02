"""A rehearsal waits for all rows, in whatever order they come, and proves nothing where a part does not answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from backbone.ingest.plan import IngestPlan
from backbone.operations.rehearsal.cycle import RehearsalRequest
from backbone.stream.errors import StreamUnavailable
from backbone.stream.port import Stream
from backbone.testing import embedded, with_stream

HEAD = "ts,symbol,open,high,low,close\n"
SYMBOLS = ("AUDUSD", "EURUSD", "GBPUSD", "USDJPY")


def request(file: Path) -> RehearsalRequest:
    return RehearsalRequest(plan=IngestPlan(dimensions=["intraday"], interval="1h", path=file))


class Backwards:
    """What it wraps, whose cursors hand out what is newest first."""

    ordered = False

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def subscriber(self) -> Any:
        return Backwards(self._inner.subscriber())

    async def cursor(self, **given: Any) -> Any:
        return Backwards(await self._inner.cursor(**given))

    async def poll(self, *given: Any) -> list[Any]:
        return list(reversed(await self._inner.poll(*given)))


def backwards(stream: Stream) -> Stream:
    return cast("Stream", Backwards(stream))


async def test_rows_that_come_behind_the_last_position_are_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    lines = [f"2024-01-02T0{hour}:00:00Z,{symbol},1,2,0.5,1.5\n" for hour in range(4) for symbol in SYMBOLS]
    file.write_text(HEAD + "".join(lines), encoding="utf-8")
    async with embedded(parts=with_stream(backwards)) as backbone:
        report = await backbone.rehearse(request(file))
    assert (report.delivery.rows, report.failures) == (16, ())
    assert report.succeeded


class Deaf:
    """A stream that takes what is published, and answers no probe."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def publisher(self) -> Any:
        return Deaf(self._inner.publisher())

    async def probe(self) -> Any:
        raise StreamUnavailable("it gives nothing back")


def deaf(stream: Stream) -> Stream:
    return cast("Stream", Deaf(stream))


async def test_a_cycle_after_which_a_part_answers_no_probe_has_not_succeeded(tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    file.write_text(f"{HEAD}2024-01-02T00:00:00Z,EURUSD,1,2,0.5,1.5\n", encoding="utf-8")
    async with embedded(parts=with_stream(deaf)) as backbone:
        report = await backbone.rehearse(request(file))
    assert not report.succeeded
    [failure] = report.failures
    assert failure.startswith("stream: ")
    assert "it gives nothing back" in failure
