"""Dead letters as records: sent back to their topic, or sent to the topic that all of them go to.

There a letter has the key, the value and the headers of the message that it was, as they came. What else is known
stands in headers of ours: `dlq.topic`, `dlq.partition` and `dlq.offset`, which name it, `dlq.error`, and `dlq.at`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from backbone.domain import decode
from backbone.domain.codec import CodecError
from backbone.domain.text import storable
from backbone.store.records import DeadLetter
from backbone.stream.kafka.fetching import SENT_BACK
from backbone.stream.kafka.wire import Unreadable, decoded
from backbone.stream.letters import Message
from backbone.stream.records import Record
from backbone.stream.sink import Outgoing, Sink, TopicRefuses

__all__ = ["again", "is_readable", "passed_on", "post"]

_OURS: Final = "dlq."


def again(letter: DeadLetter) -> Outgoing:
    """For its own topic: whole, under a header by which it is known for one."""
    message = Message.unpacked(letter.payload)
    headers = [each for each in message.headers if each[0] != SENT_BACK]
    place = f"{letter.topic}/{letter.partition}/{letter.offset}".encode()
    return Outgoing(message.key, message.value, [*headers, (SENT_BACK, place)])


def is_readable(sent: Outgoing) -> bool:
    """Whether whoever reads its topic can take it today."""
    try:
        found = decoded("", 0, 0, sent.key, sent.value, sent.headers)
        return not isinstance(found, Record) or bool(decode(found.payload, found.checksum))
    except (Unreadable, CodecError):
        return False


def passed_on(letter: DeadLetter) -> Outgoing:
    """For the topic of dead letters."""
    message = Message.unpacked(letter.payload)
    told = {
        "topic": letter.topic,
        "partition": str(letter.partition),
        "offset": str(letter.offset),
        "error": letter.reason,
        "at": letter.at.isoformat(),
    }
    theirs = [each for each in message.headers if not each[0].startswith(_OURS)]
    ours = [(_OURS + name, storable(text).encode()) for name, text in told.items()]
    return Outgoing(message.key, message.value, [*theirs, *ours])


async def post(sink: Sink, topic: str, records: Sequence[Outgoing]) -> int:
    """Send them; one that the topic does not take keeps no other back. Returns how many it did not take."""
    try:
        await sink.publish(topic, records)
    except TopicRefuses:
        if len(records) == 1:
            return 1
        return sum([await post(sink, topic, [each]) for each in records])
    return 0
