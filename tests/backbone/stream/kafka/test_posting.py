"""Dead letters as records, for their own topic and for the topic of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone.store.records import DeadLetter
from backbone.stream.errors import StreamUnavailable
from backbone.stream.kafka.posting import again, is_readable, passed_on, post
from backbone.stream.kafka.wire import encoded
from backbone.stream.letters import Message
from backbone.stream.sink import Outgoing, TopicRefuses
from tests.backbone.stream.kit import row

AT = datetime(2026, 1, 1, tzinfo=UTC)
nothing_or_bytes = st.none() | st.binary()
headers = st.lists(st.tuples(st.text(), nothing_or_bytes)).map(tuple)


def letter(message: Message, reason: str = "no frame") -> DeadLetter:
    return DeadLetter("backbone", "backbone.quotes", 3, 1042, reason, message.packed(), AT)


@given(nothing_or_bytes, nothing_or_bytes, headers)
def test_a_letter_is_the_message_that_it_was_and_where_it_lay_and_why(
    key: bytes | None, value: bytes | None, theirs: tuple[tuple[str, bytes | None], ...]
) -> None:
    sent = passed_on(letter(Message(key, value, theirs), "no header \ud800 given"))
    assert (sent.key, sent.value) == (key, value)
    ours = {name: text for name, text in sent.headers if name.startswith("dlq.")}
    assert ours == {
        "dlq.topic": b"backbone.quotes",
        "dlq.partition": b"3",
        "dlq.offset": b"1042",
        "dlq.error": b"no header \\ud800 given",
        "dlq.at": b"2026-01-01T00:00:00+00:00",
    }
    assert [each for each in sent.headers if each[0] not in ours] == [
        each for each in theirs if not each[0].startswith("dlq.")
    ]


def test_a_message_can_not_say_where_another_one_lay() -> None:
    sent = passed_on(letter(Message(headers=(("dlq.topic", b"elsewhere"), ("x", None)))))
    assert [text for name, text in sent.headers if name == "dlq.topic"] == [b"backbone.quotes"]
    assert ("x", None) in sent.headers


@given(nothing_or_bytes, nothing_or_bytes, headers)
def test_a_letter_that_is_sent_back_is_the_message_that_it_was(
    key: bytes | None, value: bytes | None, theirs: tuple[tuple[str, bytes | None], ...]
) -> None:
    sent = again(letter(Message(key, value, theirs)))
    assert (sent.key, sent.value) == (key, value)
    assert list(sent.headers)[-1] == ("dead-letter", b"backbone.quotes/3/1042")
    assert list(sent.headers)[:-1] == [each for each in theirs if each[0] != "dead-letter"]


def test_what_can_be_read_by_now_is_told_from_what_can_not() -> None:
    key, value, ours = encoded(row(1))
    assert is_readable(again(letter(Message(key, value, tuple(ours)))))
    assert not is_readable(again(letter(Message(key, b"no frame", tuple(ours)))))
    assert not is_readable(again(letter(Message())))


class Narrow:
    """A topic that takes no long value."""

    def __init__(self) -> None:
        self.took: list[bytes | None] = []
        self.down = False

    async def publish(self, topic: str, records: Sequence[Outgoing]) -> None:
        if self.down:
            raise StreamUnavailable("no broker")
        if any(len(each.value or b"") > 3 for each in records):
            raise TopicRefuses(f"{topic} takes 3 bytes")
        self.took += [each.value for each in records]

    async def close(self) -> None:
        return


async def test_one_that_the_topic_does_not_take_keeps_no_other_back() -> None:
    narrow = Narrow()
    assert await post(narrow, "dlq", [Outgoing(b"k", value) for value in (b"1", b"large", b"2", None)]) == 1
    assert narrow.took == [b"1", b"2", None]
    narrow.down = True
    with pytest.raises(StreamUnavailable):
        await post(narrow, "dlq", [Outgoing(b"k", b"1")])
