"""How far the database has come is told by the store, and by no standby that lags."""

from __future__ import annotations

import pytest

from backbone.store.messages import ReadReached
from backbone.stream.errors import StreamUnavailable
from backbone.stream.reached import reached_by
from tests.backbone.stream.kit import house, row


async def test_the_newest_position_is_how_far_the_database_has_come() -> None:
    async with house() as made:
        made.outbox.rows = [row(3)]
        for claimed in (2, 3, 4):
            made.outbox.asked.clear()
            assert await reached_by(made.calls)(claimed) == 3
            assert made.outbox.asked == [ReadReached()]  # and not how many rows wait, which may be those of a day


async def test_a_standby_has_come_as_far_as_it_says_and_what_lies_behind_that_it_can_not_refuse() -> None:
    """The server that it follows may have committed and published it long since: it would be lost to its readers."""
    async with house() as made:
        made.outbox.rows, made.outbox.standby = [row(3)], True
        reached = reached_by(made.calls)
        assert await reached(3) == 3
        with pytest.raises(StreamUnavailable, match="position 4 given; the standby that answers has only come to 3"):
            await reached(4)
        made.outbox.rows.append(row(4))
        assert await reached(4) == 4


async def test_a_store_that_is_away_can_not_tell() -> None:
    async with house() as made:
        made.outbox.down = "restarting"
        with pytest.raises(StreamUnavailable, match="the store does not say how far it has come"):
            await reached_by(made.calls)(1)
