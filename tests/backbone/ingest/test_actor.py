"""What the ingest actor promises: one writer a source, one live commit at a time, and nobody pays for another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from actors import ActorDead, AskRejected
from backbone import Dimension, Frame, RecordResult
from backbone.ingest.messages import RecordRows, RunIngest
from backbone.store.messages import ClaimEpoch, QuarantineRows, RecordJournal, WriteChunk
from tests.backbone.answers import Answer
from tests.backbone.facade.kit import BARS, START, bars, plan, write_csv
from tests.backbone.ingest.kit import BASE, Ingesting, bar, ingesting, settled


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "bars.csv", bars(3))


async def finish(room: Ingesting) -> None:
    """The store takes the run that claims next."""
    (await room.desk.next(ClaimEpoch)).answer(1)
    (await room.desk.next(WriteChunk)).commit()


async def test_two_runs_of_one_source_go_one_after_the_other(path: Path) -> None:
    """Side by side the second would fence the first one out."""
    async with ingesting() as room:
        first = await room.ask(RunIngest(plan(path), "run-1"))
        second = await room.ask(RunIngest(plan(path), "run-2"))
        claim = await room.desk.next(ClaimEpoch)
        await settled()
        assert room.desk.waiting == []
        claim.answer(1)
        write = await room.desk.next(WriteChunk)
        await settled()
        assert room.desk.waiting == []
        assert not second.is_there
        write.commit()
        assert (await first.get()).run_id == "run-1"
        await finish(room)
        assert (await second.get()).run_id == "run-2"


async def test_runs_of_two_sources_go_side_by_side(path: Path) -> None:
    async with ingesting() as room:
        other = write_csv(path.with_name("others.csv"), bars(3))
        answers = [await room.ask(RunIngest(plan(each), f"run-{each.stem}")) for each in (path, other)]
        claims = [await room.desk.next(ClaimEpoch) for _ in answers]
        for claim in claims:
            claim.answer(1)
        for _ in answers:
            (await room.desk.next(WriteChunk)).commit()
        assert [(await answer.get()).inserted for answer in answers] == [3, 3]


async def test_a_run_that_the_store_refuses_makes_way_for_the_next_of_its_source(path: Path) -> None:
    async with ingesting() as room:
        first = await room.ask(RunIngest(plan(path), "run-1"))
        second = await room.ask(RunIngest(plan(path), "run-2"))
        (await room.desk.next(ClaimEpoch)).refuse()
        assert await first.refusal() == "unavailable"
        await finish(room)
        assert (await second.get()).inserted == 3


async def test_a_run_whose_input_fails_is_journalled_and_makes_way_for_the_next_of_its_source(tmp_path: Path) -> None:
    async with ingesting() as room:
        path = tmp_path / "bars.csv"
        first = await room.ask(RunIngest(plan(path), "run-1"))
        (await room.desk.next(ClaimEpoch)).answer(1)
        journal = await room.desk.next(RecordJournal)
        assert isinstance(journal.message, RecordJournal)
        row = journal.message.row
        assert (row.run_id, row.status) == ("run-1", "failed")
        assert "bars.csv" in (row.error or "")
        write_csv(path, bars(3))
        second = await room.ask(RunIngest(plan(path), "run-2"))
        await finish(room)
        assert (await second.get()).inserted == 3
        journal.refuse()  # that it is not journalled changes nothing of what the caller is told
        assert await first.refusal() == "input_missing"


async def test_a_run_that_fails_takes_no_other_run_with_it(path: Path, tmp_path: Path) -> None:
    async with ingesting() as room:
        other = write_csv(tmp_path / "others.csv", bars(3))
        fails = await room.ask(RunIngest(plan(path), "run-1"))
        goes_on = await room.ask(RunIngest(plan(other), "run-2"))
        first, second = [await room.desk.next(ClaimEpoch) for _ in range(2)]
        second.answer(1)
        write = await room.desk.next(WriteChunk)
        first.refuse()
        assert await fails.refusal() == "unavailable"
        missing = await room.ask(RunIngest(plan(tmp_path / "none.csv"), "run-3"))
        (await room.desk.next(ClaimEpoch)).answer(1)
        (await room.desk.next(RecordJournal)).answer()
        assert await missing.refusal() == "input_missing"
        write.commit()
        assert (await goes_on.get()).inserted == 3


async def _error(answer: Answer[Any]) -> Exception:
    with pytest.raises(Exception) as caught:
        await answer.get()
    return caught.value


async def test_only_so_many_runs_go_side_by_side_and_only_so_many_wait(tmp_path: Path) -> None:
    async with ingesting() as room:
        paths = [write_csv(tmp_path / f"{n}.csv", bars(1)) for n in range(64)]
        answers = [await room.ask(RunIngest(plan(each), f"run-{each.stem}")) for each in paths]
        assert len(room.desk.waiting) == 4
        assert await (await room.ask(RunIngest(plan(paths[0]), "run-64"))).refusal() == "unavailable"
        for _ in answers:
            while room.desk.waiting and isinstance(room.desk.waiting[0].message, ClaimEpoch):
                room.desk.waiting.pop(0).answer(1)
                await settled()
            (await room.desk.next(WriteChunk)).commit()
            await settled()
        assert [(await answer.get()).inserted for answer in answers] == [1] * 64


async def test_live_rows_do_not_wait_for_runs(path: Path) -> None:
    async with ingesting() as room:
        run = await room.ask(RunIngest(plan(path), "run-1"))
        (await room.desk.next(ClaimEpoch)).answer(1)
        write = await room.desk.next(WriteChunk)
        record = await room.ask(RecordRows(bar()))
        (await room.desk.next(WriteChunk)).commit(position=7)
        assert (await record.get()).position == 7
        assert not run.is_there
        write.commit()
        assert (await run.get()).inserted == 3


async def test_the_roster_counts_the_rows_of_all_runs_and_live_ones_together(path: Path) -> None:
    def committed(room: Ingesting) -> object:
        seen = room.system.roster(detail=True).find(f"{BASE}/ingest")
        return None if seen is None or seen.detail is None else seen.detail["rows_committed"]

    async with ingesting() as room:
        record = await room.ask(RecordRows(bars(9)))
        (await room.desk.next(WriteChunk)).commit()
        await record.get()
        for name, expected in (("run-1", 12), ("run-2", 15)):
            run = await room.ask(RunIngest(plan(path), name))
            await finish(room)
            await run.get()
            assert committed(room) == expected


async def test_live_rows_that_come_during_a_commit_go_in_together_with_the_next_one_in_order() -> None:
    async with ingesting() as room:
        first = await room.ask(RecordRows(bar(close=1.0)))
        commit = await room.desk.next(WriteChunk)
        others = [await room.ask(RecordRows(bar(close=close))) for close in (2.0, 3.0)]
        other_bar = await room.ask(RecordRows(bar(hour=1, close=4.0)))
        await settled()
        assert room.desk.waiting == []  # else the older value might win
        commit.commit(position=1)
        assert (await first.get()).position == 1
        commit = await room.desk.next(WriteChunk)
        assert commit.frame.column("close").tolist() == [3.0, 4.0]
        await settled()
        assert room.desk.waiting == []
        commit.commit(position=2)
        overtaken, newest = [await each.get() for each in others]
        assert (overtaken.superseded, overtaken.inserted) == (1, 0)
        assert (newest.superseded, newest.inserted, newest.position) == (0, 1, 2)
        assert (await other_bar.get()).inserted == 1


async def test_live_rows_of_many_callers_are_one_commit() -> None:
    async with ingesting() as room:
        first = await room.ask(RecordRows(bar()))
        commit = await room.desk.next(WriteChunk)
        answers = [await room.ask(RecordRows(bar(hour=hour))) for hour in range(1, 21)]
        commit.commit()
        commit = await room.desk.next(WriteChunk)
        assert commit.frame.num_rows == 20
        commit.commit()
        assert [(await answer.get()).inserted for answer in (first, *answers)] == [1] * 21
        assert room.desk.waiting == []


async def test_one_commit_takes_no_more_rows_than_its_bound() -> None:
    async with ingesting(record_batch_rows=3) as room:
        answers = [await room.ask(RecordRows(bar(hour=hour))) for hour in range(5)]
        for rows in (1, 3, 1):
            commit = await room.desk.next(WriteChunk)
            assert commit.frame.num_rows == rows
            commit.commit()
        assert [(await answer.get()).inserted for answer in answers] == [1] * 5


async def test_one_commit_takes_no_more_bytes_than_its_bound() -> None:
    size = bar().nbytes
    async with ingesting(record_batch_bytes=size * 2) as room:
        answers = [await room.ask(RecordRows(bar(hour=hour))) for hour in range(5)]
        for rows in (1, 2, 2):
            commit = await room.desk.next(WriteChunk)
            assert commit.frame.num_rows == rows
            commit.commit()
        assert [(await answer.get()).inserted for answer in answers] == [1] * 5


async def test_a_row_that_is_larger_than_the_bound_of_a_commit_goes_in_alone() -> None:
    async with ingesting(record_batch_bytes=1) as room:
        answers = [await room.ask(RecordRows(bar(hour=hour))) for hour in range(2)]
        for _ in answers:
            (await room.desk.next(WriteChunk)).commit()
        assert [(await answer.get()).inserted for answer in answers] == [1] * 2


async def test_a_record_of_many_rows_is_several_commits_and_its_answer_their_sum() -> None:
    async with ingesting(record_batch_rows=3) as room:
        answer = await room.ask(RecordRows(bars(8)))
        for position in (5, 6, 7):
            assert not answer.is_there
            (await room.desk.next(WriteChunk)).commit(position=position)
        result = await answer.get()
        assert (result.inserted, result.position) == (8, 7)


async def test_where_a_part_of_a_record_is_refused_the_caller_is_told_what_to_do_and_the_rest_is_not_written() -> None:
    async with ingesting(record_batch_rows=3) as room:
        answer = await room.ask(RecordRows(bars(9)))
        behind = await room.ask(RecordRows(bar(symbol="GBPUSD")))
        (await room.desk.next(WriteChunk)).commit()
        (await room.desk.next(WriteChunk)).refuse()
        with pytest.raises(AskRejected, match="other rows of this call are in, and the same call again does no harm"):
            await answer.get()
        commit = await room.desk.next(WriteChunk)
        assert commit.frame.symbols == ("GBPUSD",)
        commit.commit()
        assert (await behind.get()).inserted == 1


@pytest.mark.parametrize("bound", ["record_waiting_rows", "record_waiting_bytes"])
async def test_what_waits_is_bounded_seen_in_the_roster_and_refused_beyond(bound: str) -> None:
    most: dict[str, Any] = {bound: 3 if bound == "record_waiting_rows" else 3 * bar().nbytes}
    async with ingesting(**most) as room:
        writing = await room.ask(RecordRows(bar()))
        commit = await room.desk.next(WriteChunk)
        waiting = [await room.ask(RecordRows(bar(hour=hour))) for hour in range(1, 4)]
        seen = room.system.roster(detail=True).find(f"{BASE}/ingest")
        assert seen is not None
        assert seen.detail is not None
        assert (seen.detail["rows_waiting"], seen.detail["bytes_waiting"]) == (3, 3 * bar().nbytes)
        refused = await room.ask(RecordRows(bar(hour=4)))
        assert await refused.refusal() == "busy"
        commit.commit()
        commit = await room.desk.next(WriteChunk)
        assert commit.frame.num_rows == 3
        later = await room.ask(RecordRows(bar(hour=4)))
        for asked in (commit, None):
            (asked or await room.desk.next(WriteChunk)).commit()
        for answer in (writing, *waiting, later):
            assert (await answer.get()).inserted == 1


async def test_a_record_without_rows_is_answered_without_a_commit() -> None:
    async with ingesting() as room:
        assert await (await room.ask(RecordRows(Frame.empty(BARS)))).get() == RecordResult()
        assert room.desk.waiting == []


async def test_a_record_larger_than_all_that_may_wait_goes_in_where_nothing_else_does() -> None:
    async with ingesting(record_waiting_rows=2) as room:
        answer = await room.ask(RecordRows(bars(9)))
        (await room.desk.next(WriteChunk)).commit()
        assert (await answer.get()).inserted == 9


async def test_live_rows_of_two_dimensions_do_not_wait_for_each_other() -> None:
    async with ingesting() as room:
        quote = Frame.from_records(Dimension.QUOTES, [{"symbol": "EURUSD", "ts": START, "bid": 1.1, "ask": 1.2}])
        answers = [await room.ask(RecordRows(frame)) for frame in (bar(), quote)]
        commits = [await room.desk.next(WriteChunk) for _ in answers]
        assert {commit.frame.dimension for commit in commits} == {BARS, Dimension.QUOTES}
        for commit in reversed(commits):
            commit.commit()
        assert [(await answer.get()).inserted for answer in answers] == [1, 1]


async def test_while_the_store_is_down_each_caller_is_told_and_later_rows_go_in() -> None:
    async with ingesting() as room:
        first = await room.ask(RecordRows(bar()))
        commit = await room.desk.next(WriteChunk)
        behind = [await room.ask(RecordRows(bar(hour=hour))) for hour in (1, 2)]
        commit.refuse()
        assert await first.refusal() == "unavailable"
        (await room.desk.next(WriteChunk)).refuse("busy")
        assert [await answer.refusal() for answer in behind] == ["busy", "busy"]
        later = await room.ask(RecordRows(bar()))
        (await room.desk.next(WriteChunk)).commit()
        assert (await later.get()).inserted == 1


async def test_a_live_commit_of_unknown_outcome_is_given_again_as_the_same_chunk() -> None:
    async with ingesting() as room:
        answer = await room.ask(RecordRows(bar()))
        first = await room.desk.next(WriteChunk)
        first.refuse("unknown_outcome")
        again = await room.desk.next(WriteChunk)
        assert again.message == first.message
        again.commit()
        assert (await answer.get()).inserted == 1


async def test_bad_live_rows_are_kept_aside_before_the_good_ones_are_written() -> None:
    async with ingesting() as room:
        bad = await room.ask(RecordRows(bar(hour=1, close=-1.0)))
        good = await room.ask(RecordRows(bar()))
        (await room.desk.next(QuarantineRows)).answer(1)
        commit = await room.desk.next(WriteChunk)
        assert commit.frame.num_rows == 1
        commit.commit()
        assert (await bad.get()).quarantined == 1
        assert (await good.get()).inserted == 1


async def test_a_stop_tells_all_whose_rows_wait_and_writes_nothing_more() -> None:
    async with ingesting() as room:
        written = await room.ask(RecordRows(bar()))
        await room.desk.next(WriteChunk)
        behind = await room.ask(RecordRows(bar(hour=1)))
        quote = Frame.from_records(Dimension.QUOTES, [{"symbol": "EURUSD", "ts": START, "bid": 1.1, "ask": 1.2}])
        other = await room.ask(RecordRows(quote))
        await room.desk.next(WriteChunk)
        with anyio.fail_after(1):
            await room.system.terminate_child("ingest")
        for answer in (written, behind, other):
            assert isinstance(await _error(answer), ActorDead)
        assert room.desk.waiting == []


async def test_a_stop_tells_all_whose_runs_are_under_way_or_wait(path: Path) -> None:
    async with ingesting() as room:
        answers = [await room.ask(RunIngest(plan(path), f"run-{n}")) for n in range(6)]
        (await room.desk.next(ClaimEpoch)).answer(1)
        await room.desk.next(WriteChunk)
        with anyio.fail_after(1):
            await room.system.terminate_child("ingest")
        for answer in answers:
            assert isinstance(await _error(answer), ActorDead)


async def test_each_request_is_observed_with_its_time_and_outcome(path: Path) -> None:
    seen: list[tuple[str, float, str]] = []
    async with ingesting(observe=lambda what, seconds, out: seen.append((what, round(seconds, 2), out))) as room:
        run = await room.ask(RunIngest(plan(path), "run-1"))
        claim = await room.desk.next(ClaimEpoch)
        await anyio.sleep(3)  # virtual
        claim.answer(1)
        (await room.desk.next(WriteChunk)).commit()
        await run.get()
        for outcome in ("commit", "refuse"):
            record = await room.ask(RecordRows(bar()))
            getattr(await room.desk.next(WriteChunk), outcome)()
            await _ended(record)
        run = await room.ask(RunIngest(plan(path), "run-2"))
        (await room.desk.next(ClaimEpoch)).refuse("busy")
        await _ended(run)
    assert seen == [
        ("RunIngest", 3.0, "ok"),
        ("RecordRows", 0.0, "ok"),
        ("RecordRows", 0.0, "refused:unavailable"),
        ("RunIngest", 0.0, "refused:busy"),
    ]


async def _ended(answer: Answer[Any]) -> None:
    await settled()
    assert answer.is_there
