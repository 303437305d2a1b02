"""A fortnight that nobody looks after, in seconds: weekends, a holiday, a change of clocks, an outage, a storm of 429.

London's clocks change on Sunday 29 March 2026, so that its market opens an hour earlier by UTC; New York's have changed
three weeks before. Good Friday is a holiday of both, Easter Monday of London alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import anyio
import pytest

from backbone import Dimension, Frame
from backbone.domain.status import Status
from backbone.operations.telemetry.events import Telemetry
from backbone.store.run_records import WHOLE, RunRow
from tests.backbone.ingest.market_kit import desk, installed, overloaded, refusing

BEGAN = datetime(2026, 3, 23, 6, tzinfo=UTC)
LONDON = (
    '{"london": {"zone": "Europe/London", "open": "08:00", "close": "16:30", "holidays": ["2026-04-03", "2026-04-06"]}}'
)
RULES = '[{"symbols": "*.L", "calendar": "london"}, {"symbols": "*", "calendar": "us_equities"}]'
END = datetime(2026, 4, 7, 6, tzinfo=UTC)
OUTAGE = datetime(2026, 3, 25, 10, tzinfo=UTC), datetime(2026, 3, 25, 16, tzinfo=UTC)
STORM = datetime(2026, 4, 1, 11, tzinfo=UTC), datetime(2026, 4, 1, 15, tzinfo=UTC)

TABLE = """
Mon 23  06:00 08:00 10:00 12:00 14:00 16:00 18:00 20:00 22:00
Tue 24  10:00 12:00 14:00 16:00 18:00 20:00 22:00
Wed 25  10:00! 12:00! 14:00! 16:30 18:30 20:30 22:30
Thu 26  10:00 12:00 14:00 16:00 18:00 20:00 22:00
Fri 27  10:00 12:00 14:00 16:00 18:00 20:00 22:00
Mon 30  09:00 11:00 13:00 15:00 17:00 19:00 21:00
Tue 31  09:00 11:00 13:00 15:00 17:00 19:00 21:00
Wed 01  09:00 11:00! 13:00! 15:00 17:00 19:00 21:00
Thu 02  09:00 11:00 13:00 15:00 17:00 19:00 21:00
Mon 06  15:30 17:30 19:30 21:30
"""
"""The runs by UTC; those with a ! failed. The outage of Wednesday stops the schedule, somebody resumes it at 16:30."""
GATE = """
Mon 23 06:00  blocked  unknown: nothing is stored of VOD.L
Mon 23 07:00  ok
Wed 25 10:00  degraded  run: not carried out: no route to the provider
Wed 25 16:30  ok
Wed 01 11:00  degraded  run: not carried out: 429 Too Many Requests; it wants to be asked again after 3600 s
Wed 01 15:00  ok
"""
"""What the trade gate said of both symbols: weekends, holidays and the change of clocks make nothing stale."""


FELL = ["degraded", "degraded", "failed", "degraded", "degraded"]
"""What was told of the schedule where not all was well: two failures, the third that stops it, two in the storm."""


def weather(at: datetime, _dimension: Dimension) -> None:
    """What the provider does when."""
    if OUTAGE[0] <= at < OUTAGE[1]:
        refusing("no route to the provider")(at, _dimension)
    if STORM[0] <= at < STORM[1]:
        overloaded(3600.0)(at, _dimension)


async def test_a_fortnight(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = installed(monkeypatch)
    provider.trouble = weather
    told, gates = list[Telemetry](), list[Telemetry]()
    async with desk(
        BEGAN,
        schedule__enabled=True,
        schedule__interval=7200.0,
        market__symbols="VOD.L,AAPL",
        market__daily_lookback=3,
        quality__session=None,
        instruments__sessions=LONDON,
        instruments__rules=RULES,
        gate__interval=3600.0,
        gate__refresh=3600.0,
        gate__stream_down="ignored",  # there is no stream, whose looks would take all the time
        gate__lagging="ignored",
    ) as backbone:
        backbone.telemetry.listen(told.append, ["telemetry.ingest.scheduler"])
        backbone.telemetry.listen(gates.append, ["telemetry.gate"])
        for symbol in ("VOD.L", "AAPL"):
            backbone.gate(Dimension.DAILY_BARS, symbol)
        await anyio.sleep((OUTAGE[1] + timedelta(minutes=30) - BEGAN).total_seconds())
        stopped = await backbone.schedule()
        await backbone.resume_schedule()
        await anyio.sleep((END - OUTAGE[1] - timedelta(minutes=30)).total_seconds())
        state = await backbone.schedule()
        journal = (await backbone.runs(10_000)).runs
        stored = await backbone.fetch(Dimension.DAILY_BARS)
    assert "\n".join(table(journal)) == TABLE.strip()
    assert (stopped.running, stopped.consecutive_failures, stopped.next_run_at) == (False, 3, None)
    assert "no route to the provider" in stopped.last_error
    assert (state.running, state.consecutive_failures) == (True, 0)
    assert "no market is open before 2026-04-07 07:00 UTC" in state.why_then
    assert [str(each.payload.status) for each in told if each.payload.status != Status.OK] == FELL
    assert "\n".join(gate_table(gates)) == GATE.strip()
    assert days(stored, "VOD.L") == [18, 19, 20, 23, 24, 25, 26, 27, 30, 31, 1, 2]
    assert days(stored, "AAPL") == [18, 19, 20, 23, 24, 25, 26, 27, 30, 31, 1, 2, 6]


def table(journal: Sequence[RunRow]) -> Iterator[str]:
    """A line for each day, of the runs of all that was planned."""
    by_day: dict[str, list[str]] = {}
    for row in sorted(journal, key=lambda row: row.run_id):
        if row.dimension != WHOLE:
            mark = "!" if row.status == "failed" else ""
            by_day.setdefault(f"{row.executed_at:%a %d}", []).append(f"{row.executed_at:%H:%M}{mark}")
    return (f"{day}  {' '.join(runs)}" for day, runs in by_day.items())


def gate_table(told: Sequence[Telemetry]) -> Iterator[str]:
    """A line for each change of the gate: when, how it is then, and what speaks against it."""
    for each in told:
        change = each.payload
        assert change.symbols == ("VOD.L", "AAPL")
        yield f"{each.at:%a %d %H:%M}  {change.level}  {'; '.join(map(_kind, change.reasons))}".rstrip()


def _kind(reason: str) -> str:
    """A reason without the id of a run."""
    kind, _, text = reason.partition(": ")
    return f"{kind}: {text.partition(' was ')[2] or text}"


def days(frame: Frame, symbol: str) -> list[int]:
    """The days of the month of the bars of a symbol."""
    return [each.day for each in frame.select(symbols=[symbol]).to_arrow().column("ts").to_pylist()]
