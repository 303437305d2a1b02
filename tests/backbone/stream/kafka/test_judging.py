"""What somebody else has put into a topic is told by what it claims."""

from __future__ import annotations

import msgspec
import pytest

from backbone.domain.dimension import Dimension
from backbone.settings.sections.stream import StreamSettings
from backbone.stream.errors import StreamUnavailable
from backbone.stream.kafka.judging import Content, Judge
from backbone.stream.kafka.wire import Marker, Replayed
from backbone.stream.records import Record
from backbone.stream.topics import Topics

QUOTES = "backbone.quotes"
CHANGE = Record(8, 0, 0, "EURUSD", "event", "chunk", Dimension.QUOTES, 1, 1, b"")


class Database:
    """How far it has come, and how often that was asked for."""

    def __init__(self, newest: int) -> None:
        self.newest = newest
        self.asked = 0
        self.down = False

    async def reached(self, claimed: int) -> int:
        self.asked += 1
        if self.down:
            raise StreamUnavailable("the store is away")
        return self.newest


def judging(database: Database | None) -> Judge:
    judge = Judge(Topics.of(StreamSettings()))
    judge.reached = database.reached if database else None
    return judge


@pytest.mark.parametrize("content", [CHANGE, Marker("generation", 8), Replayed(1, 8)])
async def test_a_position_that_the_database_has_not_come_to_is_refused_and_the_last_that_it_has_is_not(
    content: Content,
) -> None:
    for newest, wanted in ((7, "position 8 given; the database has only come to 7"), (8, None)):
        judge = judging(Database(newest))
        await judge.hear(8)
        assert judge.refusal(QUOTES, content) == wanted


async def test_what_is_known_is_not_asked_for() -> None:
    database = Database(10)
    judge = judging(database)
    judge.published(8)
    await judge.hear(8)
    assert (database.asked, judge.refusal(QUOTES, CHANGE)) == (0, None)
    for position in (9, 10, 7):
        await judge.hear(position)
    assert database.asked == 1


async def test_where_nobody_can_tell_nothing_is_judged() -> None:
    database = Database(10)
    database.down = True
    with pytest.raises(StreamUnavailable):
        await judging(database).hear(8)


async def test_a_change_in_the_topic_of_another_dimension_is_refused() -> None:
    trade = msgspec.structs.replace(CHANGE, dimension=Dimension.TRADES)
    assert judging(None).refusal(QUOTES, trade) == "a change of trades given; this topic carries quotes"
    assert judging(None).refusal("backbone.trades", trade) is None


async def test_without_a_database_every_position_is_believed() -> None:
    judge = judging(None)
    await judge.hear(2**60)
    assert judge.refusal(QUOTES, msgspec.structs.replace(CHANGE, position=2**60)) is None
