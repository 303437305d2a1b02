"""What a store remembers for those who consume what others sent: events seen, offsets, dead letters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from backbone.store.port import Store
from backbone.store.records import DeadLetter

DAY = datetime(2024, 1, 1, tzinfo=UTC)
SIZES = (0, 1, 16_384, 16_385, 1_000_000, 70_000)
"""Bytes of messages."""


def letter(offset: int, at: datetime = DAY, **more: object) -> DeadLetter:
    return msgspec.structs.replace(DeadLetter("group", "trades", 3, offset, "no frame", b"\0\xff", at), **more)


async def test_an_event_is_seen_once_it_was_recorded_and_by_its_consumer_alone(store: Store) -> None:
    assert await store.seen("ingest", ["a", "b"]) == set()
    assert await store.record_seen("ingest", ["a", "b", "a"]) == 2
    assert await store.record_seen("ingest", ["b", "c"]) == 1
    assert await store.seen("ingest", ["c", "a", "d"]) == {"a", "c"}
    assert await store.seen("other", ["a"]) == set()
    assert await store.record_seen("other", ["a"]) == 1


async def test_no_events_are_no_question(store: Store) -> None:
    assert await store.record_seen("ingest", []) == 0
    assert await store.seen("ingest", []) == set()


async def test_events_seen_are_pruned_with_the_outbox(store: Store) -> None:
    await store.record_seen("ingest", ["a", "b"])
    earlier, later = (datetime.now(UTC) + timedelta(hours=hours) for hours in (-1, 1))
    assert (await store.prune(outbox_before=earlier, quarantine_before=later, dry_run=False))["seen"] == 0
    assert (await store.prune(outbox_before=later))["seen"] == 2
    assert await store.seen("ingest", ["a"]) == {"a"}
    assert (await store.prune(outbox_before=later, dry_run=False))["seen"] == 2
    assert await store.seen("ingest", ["a", "b"]) == set()


async def test_offsets_are_those_that_the_group_committed_last(store: Store) -> None:
    assert await store.offsets("ingest") == {}
    await store.commit_offsets("ingest", {("trades", 0): 5, ("trades", 1): 7, ("quotes", 0): 1})
    await store.commit_offsets("ingest", {("trades", 1): 9, ("quotes", 0): 0})
    await store.commit_offsets("other", {("trades", 0): 100})
    assert await store.offsets("ingest") == {("trades", 0): 5, ("trades", 1): 9, ("quotes", 0): 0}
    await store.commit_offsets("ingest", {})
    assert await store.offsets("other") == {("trades", 0): 100}


async def test_a_dead_letter_is_kept_once_as_it_came_with_its_reason(store: Store) -> None:
    assert await store.add_dead_letters([letter(2), letter(1), letter(2)]) in (
        [letter(2), letter(1)],
        [letter(1), letter(2)],
    )
    assert await store.add_dead_letters([letter(2, reason="other"), letter(2, group="other")]) == [
        letter(2, group="other")
    ]
    assert sorted(each.group for each in await store.dead_letters()) == ["group", "group", "other"]
    [first] = [each for each in await store.dead_letters() if each.offset == 1]
    assert first == letter(1)
    assert await store.add_dead_letters([]) == []


async def test_dead_letters_are_listed_newest_first_and_page_by_page(store: Store) -> None:
    letters = [letter(n, DAY + timedelta(hours=n)) for n in range(4)]
    await store.add_dead_letters(letters)
    assert await store.dead_letters(2) == [letters[3], letters[2]]
    assert await store.dead_letters(2, 2) == [letters[1], letters[0]]
    assert await store.dead_letters(2, 4) == []
    assert await store.dead_letters(2, 1, letters[2].at) == [letters[1], letters[0]]


async def test_dead_letters_are_found_by_where_they_lay(store: Store) -> None:
    await store.add_dead_letters([letter(1), letter(2), letter(2, group="other"), letter(2, partition=4)])
    found = await store.dead_letters_at([("trades", 3, 2), ("trades", 9, 2), ("quotes", 3, 2), ("trades", 3, 1)])
    assert found == [letter(1), letter(2), letter(2, group="other")]
    assert await store.dead_letters_at([("no\0topic", 2**62, 2**62)]) == []
    assert await store.dead_letters_at([]) == []


async def test_dead_letters_are_deleted_by_their_place(store: Store) -> None:
    await store.add_dead_letters([letter(1), letter(2), letter(2, partition=4)])
    assert await store.delete_dead_letters([letter(2), letter(9)]) == 1
    assert {(each.partition, each.offset) for each in await store.dead_letters()} == {(3, 1), (4, 2)}
    assert await store.delete_dead_letters([]) == 0


async def test_dead_letters_are_pruned_with_bad_rows(store: Store) -> None:
    await store.add_dead_letters([letter(1), letter(2, DAY + timedelta(days=40))])
    cut = DAY + timedelta(days=30)
    assert (await store.prune(quarantine_before=cut))["dead_letters"] == 1
    assert (await store.prune(outbox_before=datetime.now(UTC), quarantine_before=cut, dry_run=False))[
        "dead_letters"
    ] == 1
    assert [each.offset for each in await store.dead_letters()] == [2]


async def test_large_dead_letters_are_kept_whole_beside_small_ones(store: Store) -> None:
    letters = [letter(n, DAY + timedelta(days=n), payload=bytes([n]) * size) for n, size in enumerate(SIZES)]
    assert await store.add_dead_letters([*letters, *letters]) == letters
    assert await store.add_dead_letters([letter(3, payload=b"another")]) == []
    assert await store.dead_letters() == letters[::-1]
    places = [("trades", 3, n) for n in (3, 0, 4)]
    assert await store.dead_letters_at(places) == [letters[0], letters[3], letters[4]]
    assert await store.delete_dead_letters([letters[3]]) == 1
    assert await store.dead_letters(3) == [letters[5], letters[4], letters[2]]
    await store.prune(quarantine_before=letters[4].at, dry_run=False)
    assert await store.dead_letters() == [letters[5], letters[4]]
    assert await store.add_dead_letters([letters[3]]) == [letters[3]]
    assert await store.dead_letters_at(places[:1]) == [letters[3]]


async def test_a_reason_that_no_database_takes_is_written_out(store: Store) -> None:
    await store.add_dead_letters([letter(1, reason="a\0b\x1b[31m\ud800" + "x" * 5000)])
    [kept] = await store.dead_letters()
    assert kept.reason.startswith("a\\x00b\\x1b[31m\\ud800x")
    assert len(kept.reason) <= 2000


async def test_a_database_says_which_one_it_is(store: Store) -> None:
    generation = (await store.probe()).generation
    assert len(generation) == 32
    await store.migrate()
    assert (await store.probe()).generation == generation
