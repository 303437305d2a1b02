"""What backfills note of pieces under way: two of them at once, in two processes, keep out of each other's way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from backbone import Backbone, Dimension
from backbone.ingest.backfill_notes import Notes, Piece
from backbone.testing import embedded

MONDAY = datetime(2018, 6, 4, tzinfo=UTC)


def piece(day: int) -> Piece:
    start = MONDAY + timedelta(days=day)
    return Piece("AAPL", None, start, start + timedelta(hours=23), 0)


def notes_of(backbone: Backbone) -> Notes:
    return Notes(Dimension.TRADES, lambda question: backbone._ask("store", question))


async def test_what_one_has_noted_another_one_neither_overwrites_nor_strikes_out() -> None:
    async with embedded() as backbone:
        one, other = notes_of(backbone), notes_of(backbone)
        assert [await each.unfinished() for each in (one, other)] == [[], []]
        await one.begin(piece(0))
        await other.begin(piece(1))
        assert await notes_of(backbone).unfinished() == [piece(0), piece(1)]
        await other.end(piece(1))
        assert await notes_of(backbone).unfinished() == [piece(0)]
        await other.begin(piece(2))
        await one.end(piece(0))
        assert await notes_of(backbone).unfinished() == [piece(2)]


async def test_a_place_that_was_struck_out_is_used_again() -> None:
    async with embedded() as backbone:
        notes = notes_of(backbone)
        for day in range(3):
            await notes.begin(piece(day))
            await notes.end(piece(day))
        await notes.begin(piece(7))
        await notes.begin(piece(7))
        assert await notes.unfinished() == [piece(7)]
        assert len(notes._numbers) == 2
