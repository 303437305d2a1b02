"""Messages that nobody can read, until they are stored."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backbone.stream.letters import Letters, Message

QUOTES = ("backbone.quotes", 3)

messages = st.builds(
    Message,
    st.none() | st.binary(),
    st.none() | st.binary(),
    st.lists(st.tuples(st.text(), st.none() | st.binary())).map(tuple),
)


@given(messages)
def test_a_message_is_kept_whole(message: Message) -> None:
    assert Message.unpacked(message.packed()) == message


@given(st.binary())
def test_bytes_that_are_no_message_are_the_value_of_one(raw: bytes) -> None:
    assert Message.unpacked(raw) == Message(value=raw)


def test_what_only_begins_as_a_message_is_a_value_too() -> None:
    cut = Message(b"key", b"value").packed()[:-3]
    assert Message.unpacked(cut) == Message(value=cut)


def test_a_letter_says_where_its_message_lay_and_waits_until_it_is_stored() -> None:
    letters, told = Letters(), list[int]()
    letters.told = lambda: told.append(letters.came)
    letters.add(QUOTES, 7, "no header position given", Message(b"EURUSD", b"{"))
    letters.add(QUOTES, 7, "the same", Message(b"EURUSD", b"{"))
    letters.add(QUOTES, 8, "another", Message())
    first, second = letters.waiting
    assert (first.topic, first.partition, first.offset) == ("backbone.quotes", 3, 7)
    assert first.reason == "no header position given"
    assert Message.unpacked(first.payload) == Message(b"EURUSD", b"{")
    assert letters.inspect() == {"dead_letters": 2, "dead_letters_lost": 0}
    assert told == [1, 2]
    letters.stored([first])
    assert letters.waiting == (second,)


def test_with_the_store_away_for_long_the_newest_are_only_counted() -> None:
    letters = Letters()
    for offset in range(1500):
        letters.add(QUOTES, offset, "no frame", Message(value=b"x"))
    assert len(letters.waiting) == 1000
    assert (letters.came, letters.lost) == (1500, 500)
    large = Letters()
    for offset in range(20):
        large.add(QUOTES, offset, "no frame", Message(value=bytes(2**20)))
    assert 0 < len(large.waiting) < 20
    assert large.came == 20


def test_nothing_came_nothing_is_said() -> None:
    assert Letters().inspect() == {}


def test_what_waits_goes_over_to_the_letters_of_the_next_client_and_so_do_the_counts() -> None:
    former, letters = Letters(), Letters()
    former.add(QUOTES, 7, "no header position given", Message(b"EURUSD", b"{"))
    former.add(QUOTES, 8, "another", Message())
    letters.add(QUOTES, 8, "another", Message())
    letters.take_over(former)
    assert sorted(each.offset for each in letters.waiting) == [7, 8]
    assert letters.inspect() == {"dead_letters": 3, "dead_letters_lost": 0}
    letters.stored(letters.waiting)
    assert letters.waiting == ()
