"""Sources of other packages may fail anywhere and give anything: it is told as theirs, and nothing restarts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from backbone import Dimension, Frame, IngestPlan, SourceError
from backbone.sources import registry
from backbone.sources.port import Account, BadRow, SourceChunk
from backbone.testing import embedded
from tests.backbone.facade.kit import BARS, bars

PLAN = IngestPlan(dimensions=[BARS], source="plugin", interval="1h")


class Given:
    """A source that gives what it is told to."""

    name: Any = "plugin"

    def __init__(self, given: list[Any]) -> None:
        self._given = given

    def chunks(self, *, progress: Any = None) -> Iterator[Any]:
        return iter(self._given)


def raising(error: BaseException) -> Callable[..., Any]:
    def make(**_: Any) -> Any:
        raise error

    return make


class Nameless(Given):
    name = None


WRONG: dict[str, tuple[Any, str]] = {
    "no callable": (7, "is 7; its package has to name"),
    "falls when it is made": (raising(OSError(5, "Input/output error")), "can't be made: OSError"),
    "has a bug when it is made": (raising(TypeError("x")), "can't be made: TypeError"),
    "makes nothing": (lambda **_: None, "made None; a source has a name and chunks"),
    "has no name": (lambda **_: Nameless([]), "a source has a name"),
    "gives nothing that is a chunk": (lambda **_: Given([None]), "gave None; allowed are SourceChunks"),
    "gives a table": (lambda **_: Given([SourceChunk(bars(3).to_arrow(), (), "", 3)]), "allowed are SourceChunks"),
    "gives another dimension": (
        lambda **_: Given([SourceChunk(Frame.empty(Dimension.TRADES), (), "", 0)]),
        "gave trades; intraday_bars were asked for",
    ),
    "gives bad rows that are none": (lambda **_: Given([SourceChunk(bars(1), ("bad",), "", 2)]), "no BadRows"),  # type: ignore[arg-type]
    "counts its bad rows in numbers": (
        lambda **_: Given([SourceChunk(bars(1), (BadRow(17, "why", ""),), "", 2)]),  # type: ignore[arg-type]
        "no BadRows of texts",
    ),
    "shows nothing of a bad row": (
        lambda **_: Given([SourceChunk(bars(1), (BadRow("x:17", "why", None),), "", 2)]),  # type: ignore[arg-type]
        "no BadRows of texts",
    ),
    "has no reason for a bad row": (
        lambda **_: Given([SourceChunk(bars(1), (BadRow("x:17", None, ""),), "", 2)]),  # type: ignore[arg-type]
        "no BadRows of texts",
    ),
}


@pytest.mark.parametrize("what", WRONG)
async def test_a_source_that_is_none_is_refused(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, why = WRONG[what]
    monkeypatch.setattr(registry, "_load", lambda _: make)
    async with embedded() as backbone:
        with pytest.raises(SourceError, match=why):
            await backbone.ingest(PLAN)
        assert sum(entry.restarts for entry in backbone.roster().entries) == 0


async def test_a_source_may_count_in_numbers_of_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    chunk = SourceChunk(bars(3), (), "", np.int64(3))  # type: ignore[arg-type]
    monkeypatch.setattr(registry, "_load", lambda _: lambda **_: Given([chunk]))
    async with embedded() as backbone:
        run = await backbone.ingest(PLAN)
    assert (run.inserted, run.rows_read, type(run.rows_read)) == (3, 3, int)


async def test_a_chunk_of_any_size_goes_in_by_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = BadRow("here", "why", "x" * 10_000)
    chunk = SourceChunk(bars(250_000), (bad,), "", 250_001)
    monkeypatch.setattr(registry, "_load", lambda _: lambda **_: Given([chunk]))
    async with embedded() as backbone:
        run = await backbone.ingest(PLAN)
        assert (run.chunks, run.inserted, run.quarantined, run.duplicates) == (3, 250_000, 1, 0)
        assert [len(row.excerpt) for row in await backbone.quarantined()] == [2000]


class Vintages(Given):
    """Gives figures that were known long ago, and one more column each time."""

    def __init__(self, known_at: Any) -> None:
        at = datetime(2020, 1, 1, tzinfo=UTC)
        rows = [{"calendar": "CPI", "event": "CPI", "ts": at + timedelta(days=n), "actual": 1.0} for n in range(2)]
        frame = Frame.from_records(Dimension.MACRO_EVENTS, rows)
        super().__init__([SourceChunk(frame, (), "", 2, known_at=known_at)])
        self.account = Account()

    def chunks(self, *, progress: Any = None) -> Iterator[Any]:
        self.account.columns |= {"value": "actual"}
        return super().chunks(progress=progress)


MACRO = IngestPlan(dimensions=[Dimension.MACRO_EVENTS], source="plugin")
KNOWN = datetime(2021, 6, 1, tzinfo=UTC)


async def test_since_when_figures_are_known_is_told_by_sources_of_others_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_load", lambda _: lambda **_: Vintages(KNOWN))
    async with embedded() as backbone:
        assert (await backbone.ingest(MACRO)).inserted == 2
        assert (await backbone.fetch("macro", as_of=KNOWN)).num_rows == 2
        assert (await backbone.fetch("macro", as_of=KNOWN - timedelta(days=1))).num_rows == 0


async def test_a_contract_leaves_alone_since_when_figures_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = Vintages(None), Vintages(KNOWN)
    first._given = [SourceChunk(first._given[0].frame.slice(0, 1), (), "", 1, known_at=KNOWN)]
    second.account.ignored = {"remark": "is not read"}
    given = iter([first, second])
    monkeypatch.setattr(registry, "_load", lambda _: lambda **_: next(given))
    async with embedded(overrides={"quality.contracts.macro_events": "discard"}) as backbone:
        await backbone.ingest(MACRO)
        run = await backbone.ingest(MACRO)
        assert any("'remark' is new" in note for note in run.notes)
        assert (await backbone.fetch("macro", as_of=KNOWN)).num_rows == 2


@pytest.mark.parametrize("known_at", [7, datetime(2020, 1, 1)])  # noqa: DTZ001
async def test_a_moment_that_is_none_is_refused(known_at: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_load", lambda _: lambda **_: Vintages(known_at))
    async with embedded() as backbone:
        with pytest.raises(SourceError, match=r"known_at=.* a moment with a time zone"):
            await backbone.ingest(MACRO)


@pytest.mark.parametrize(("bad", "score", "status"), [(0, 1.0, "ok"), (1, 0.75, "degraded"), (9, 0.25, "failed")])
async def test_rows_that_could_not_be_read_lower_the_score(
    bad: int, score: float, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = tuple(BadRow(f"x:{n}", "why", "") for n in range(bad))
    monkeypatch.setattr(registry, "_load", lambda _: lambda **_: Given([SourceChunk(bars(3), rows, "", 3 + bad)]))
    async with embedded() as backbone:
        quality = (await backbone.ingest(PLAN)).quality
        assert quality is not None
        assert quality.score == pytest.approx(score)
        assert quality.status == status
        assert [finding.count for finding in quality.findings if finding.code == "kept_aside"] == ([bad] if bad else [])


async def test_where_no_row_could_be_read_the_score_is_0(monkeypatch: pytest.MonkeyPatch) -> None:
    """One good row among them was told as failed, none at all as nothing to judge."""
    rows = tuple(BadRow(f"x:{n}", "why", "") for n in range(3))
    monkeypatch.setattr(registry, "_load", lambda _: lambda **_: Given([SourceChunk(Frame.empty(BARS), rows, "", 3)]))
    async with embedded() as backbone:
        quality = (await backbone.ingest(PLAN)).quality
        assert quality is not None
        assert (quality.score, quality.status, quality.observed_rows) == (0.0, "failed", 0)


@pytest.mark.parametrize(("told", "read", "untold"), [(1, 3, 0), (3, 3, 0), (5, 5, 2)])
async def test_what_a_source_counts_and_does_not_give_is_told(
    told: int, read: int, untold: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that counted too few had duplicates below zero."""
    monkeypatch.setattr(registry, "_load", lambda _: lambda **_: Given([SourceChunk(bars(3), (), "", told)]))
    async with embedded() as backbone:
        run = await backbone.ingest(PLAN)
    assert (run.rows_read, run.inserted, run.duplicates) == (read, 3, untold)
    assert sum(run.left_out.values()) == untold
