"""A place in Kafka as a text."""

from __future__ import annotations

import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from backbone.domain.arguments import LARGEST
from backbone.stream.kafka.marks import Marks, Spot, passed_of, spots_of

QUOTES, TRADES = TopicPartition("backbone.quotes", 0), TopicPartition("backbone.trades", 11)

numbers = st.integers(min_value=0, max_value=LARGEST)
topics = st.from_regex(r"[A-Za-z0-9._-]{1,20}", fullmatch=True)
places = st.dictionaries(
    st.builds(TopicPartition, topics, st.integers(min_value=0, max_value=9999)), st.builds(Spot, numbers, numbers)
)


@given(places)
def test_a_mark_says_where_it_was_made(spots: dict[TopicPartition, Spot]) -> None:
    assert spots_of(Marks("a1b2", spots).text(), "a1b2") == spots


def test_a_mark_follows_one_partition_at_a_time() -> None:
    marks = Marks("a1b2", {QUOTES: Spot(1, 10), TRADES: Spot(2, 20)})
    assert marks.text() == "a1b2;backbone.quotes=0.1.a;backbone.trades=11.2.14"
    marks.put(TRADES, Spot(3, 30))
    assert spots_of(marks.text(), "a1b2") == {QUOTES: Spot(1, 10), TRADES: Spot(3, 30)}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "of another kind of stream",
        "ffff;backbone.quotes=0.1.a",
        "a1b2;backbone.quotes",
        "a1b2;=0.1.a",
        "a1b2;backbone.quotes=0.1",
        "a1b2;backbone.quotes=0.1.a,",
        "a1b2;backbone.quotes=-1.1.a",
        "a1b2;backbone.quotes=0.ffffffffffffffff.a",
        "a1b2;" + "backbone.quotes=0.1.a;" * 20_000,
    ],
)
def test_what_is_no_mark_of_this_generation_says_nothing(text: str) -> None:
    assert spots_of(text, "a1b2") is None


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    spots_of(f"a1b2;{text}", "a1b2")


@pytest.mark.parametrize(
    ("line", "counts", "known"),
    [
        ("", {"backbone.quotes": 2}, True),
        ("", {"backbone.quotes": 4}, False),
        ("", {}, False),
        ("began again", {"backbone.quotes": 2}, False),
    ],
)
def test_what_was_handed_out_is_known_in_topics_made_anew_of_as_many_partitions(
    line: str, counts: dict[str, int], known: bool
) -> None:
    mark = Marks("a1b2", {QUOTES: Spot(1, 10)}, counts={"backbone.quotes": 2}).text()
    assert spots_of(mark, "a1b2") == {QUOTES: Spot(1, 10)}
    assert passed_of(mark, line, counts) == ({QUOTES: 10} if known else {})


def test_a_mark_of_a_stream_that_began_again_says_so() -> None:
    mark = Marks("a1b2", {QUOTES: Spot(1, 10)}, "ffff", {"backbone.quotes": 2}).text()
    assert spots_of(mark, "a1b2") == {QUOTES: Spot(1, 10)}
    assert passed_of(mark, "ffff", {"backbone.quotes": 2}) == {QUOTES: 10}
    assert passed_of("of another kind of stream", "", {"backbone.quotes": 2}) == {}
