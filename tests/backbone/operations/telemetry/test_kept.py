"""What is kept for who asks from outside: in order, within bounds, with gaps told."""

from __future__ import annotations

import msgspec

from backbone.operations.telemetry.kept import Kept, Page


def filled(capacity: int, events: int) -> Kept:
    kept = Kept("session", capacity)
    for n in range(events):
        kept.add("telemetry.cache" if n % 2 else "telemetry.cached", b'{"n":%d}' % n)
    return kept


def numbers(page: Page) -> list[int]:
    return [msgspec.json.decode(each)["number"] for each in page.events]


def test_all_that_is_kept_comes_first_and_then_what_is_new() -> None:
    kept = filled(10, 3)
    page = kept.after(None)
    assert (numbers(page), page.next, page.lost) == ([1, 2, 3], 3, 0)
    assert kept.after(page.next).events == []
    kept.add("telemetry.cache", b"{}")
    assert numbers(kept.after(page.next)) == [4]


def test_events_that_gave_way_are_counted_as_lost() -> None:
    kept = filled(4, 10)
    page = kept.after(2)
    assert (numbers(page), page.lost) == ([7, 8, 9, 10], 4)
    assert kept.after(None).lost == 0


def test_a_page_is_bounded_and_the_next_one_goes_on() -> None:
    kept = filled(10, 10)
    first = kept.after(None, limit=4)
    assert numbers(first) == [1, 2, 3, 4]
    assert numbers(kept.after(first.next, limit=100)) == [5, 6, 7, 8, 9, 10]


def test_kinds_are_chosen_by_name_and_with_those_below_them_but_not_by_how_they_begin() -> None:
    kept = filled(10, 4)
    kept.add("telemetry.cache.health", b"{}")
    page = kept.after(None, ["telemetry.cache"])
    assert (numbers(page), page.next) == ([2, 4, 5], 5)


def test_a_number_of_later_than_the_newest_is_the_newest() -> None:
    kept = filled(10, 3)
    assert kept.after(99).next == 3


def test_large_events_give_way_by_bytes() -> None:
    kept = Kept("session", 1000)
    for _ in range(20):
        kept.add("telemetry.cache", b'{"x":"' + b"x" * 2**20 + b'"}')
    assert 1 <= len(kept.after(None).events) <= 8
