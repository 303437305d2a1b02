"""Reading back one record that was written just now: the way from the broker is proved like the way to it."""

from __future__ import annotations

from typing import Any, Final

from aiokafka.errors import LeaderNotAvailableError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

__all__ = ["echo"]

_WAIT_MS: Final = 1000  # for the followers to have it: nothing is given out before
_BYTES: Final = 64 * 1024
_UNCOMMITTED: Final = 0


async def echo(client: Any, place: TopicPartition, offset: int) -> bytes | None:
    """The value of the record at an offset; None: the leader gives none.

    Raises:
        aiokafka.errors.KafkaError: the leader does not answer, or refuses.
    """
    leader = client.cluster.leader_for_partition(place)
    if leader is None or leader == -1:
        raise LeaderNotAvailableError(f"{place.topic}, partition {place.partition}")
    wanted = [(place.topic, [(place.partition, offset, _BYTES)])]
    answer = await client.send(leader, FetchRequest(_WAIT_MS, 1, _BYTES, _UNCOMMITTED, wanted))
    for _, partitions in answer.topics:
        for _, code, *_, records in partitions:
            if code:
                raise for_code(code)(f"{place.topic}, partition {place.partition}")
            return _at(offset, records or b"")
    return None


def _at(offset: int, given: bytes) -> bytes | None:
    records = MemoryRecords(given)
    while records.has_next():
        for record in records.next_batch():
            if record.offset == offset:
                value: bytes | None = record.value
                return value
    return None
