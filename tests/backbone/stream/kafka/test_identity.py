"""Which topics these are, as brokers tell it; read beside the client's own description of the protocol."""

from __future__ import annotations

from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import ClusterAuthorizationFailedError, KafkaConnectionError, KafkaError
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields
from hypothesis import given
from hypothesis import strategies as st

from backbone.stream.kafka.identity import Seen, _Answer, _Ask, _Uuid, seen, topic_ids

NUMBERS = CompactArray(Int32)
ANSWER = Schema(
    ("throttle_time_ms", Int32),
    (
        "brokers",
        CompactArray(
            ("node_id", Int32),
            ("host", CompactString("utf-8")),
            ("port", Int32),
            ("rack", CompactString("utf-8")),
            ("tags", TaggedFields),
        ),
    ),
    ("cluster_id", CompactString("utf-8")),
    ("controller_id", Int32),
    (
        "topics",
        CompactArray(
            ("error_code", Int16),
            ("name", CompactString("utf-8")),
            ("topic_id", _Uuid),
            ("is_internal", Boolean),
            (
                "partitions",
                CompactArray(
                    ("error_code", Int16),
                    ("partition", Int32),
                    ("leader", Int32),
                    ("leader_epoch", Int32),
                    ("replicas", NUMBERS),
                    ("isr", NUMBERS),
                    ("offline", NUMBERS),
                    ("tags", TaggedFields),
                ),
            ),
            ("operations", Int32),
            ("tags", TaggedFields),
        ),
    ),
    ("tags", TaggedFields),
)


def answer(topics: list[Any], hosts: int = 1) -> dict[str, Seen]:
    brokers: list[Any] = [(n, f"broker-{n}.example", 9092, "rack" if n % 2 else None, {}) for n in range(hosts)]
    raw = ANSWER.encode((0, brokers, "cluster", 1, topics, {}))
    read: _Answer = _Answer.decode(BytesIO(raw))
    return read.topics


def partition(number: int, replicas: int) -> tuple[object, ...]:
    held = list(range(replicas))
    return (0, number, 1, 5, held, held[:1], held[1:], {})


@given(
    st.dictionaries(
        st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=249),
        st.tuples(st.binary(min_size=16, max_size=16), st.integers(0, 200), st.integers(0, 200)),
        max_size=20,
    ),
    st.integers(0, 200),
)
def test_ids_and_partitions_are_read_however_many_there_are(
    topics: dict[str, tuple[bytes, int, int]], hosts: int
) -> None:
    sent: list[Any] = [
        (0, name, raw, False, [partition(n, copies % 5) for n in range(count)], -1, {})
        for name, (raw, count, copies) in topics.items()
    ]
    read = answer(sent, hosts)
    assert {name: topic.partitions for name, topic in read.items()} == {n: each[1] for n, each in topics.items()}
    assert len({topic.id for topic in read.values()}) == len({each[0] for each in topics.values()})


def test_an_id_reads_as_in_kafkas_own_tools() -> None:
    [topic] = answer([(0, "t", bytes(range(16)), False, [], -1, {})]).values()
    assert topic.id == "AAECAwQFBgcICQoLDA0ODw"


@pytest.mark.parametrize("code", [3, 29])
def test_a_topic_that_is_missing_or_hidden_is_left_out(code: int) -> None:
    assert answer([(code, "t", bytes(16), False, [], -1, {}), (0, "u", bytes(16), False, [], -1, {})]).keys() == {"u"}


def test_another_error_of_a_topic_is_raised() -> None:
    with pytest.raises(ClusterAuthorizationFailedError):
        answer([(31, "t", bytes(16), False, [], -1, {})])


def test_k12_the_question_lets_no_broker_make_a_topic() -> None:
    asked = _Ask(["quotes"]).prepare({3: (0, 13)})
    assert asked.encode() == b"\x02" + bytes(16) + b"\x07quotes\x00" + b"\x00" + b"\x00" + b"\x00"
    assert _Ask(None).prepare({3: (0, 13)}).encode() == b"\x00" + b"\x00" + b"\x00" + b"\x00"


class Client:
    """Knows three brokers, of which the first ones asked fail."""

    def __init__(self, failing: int) -> None:
        self.failing = failing
        self.cluster = SimpleNamespace(brokers=lambda: [SimpleNamespace(nodeId=n) for n in range(3)])

    async def send(self, broker: int, request: object) -> _Answer:
        self.failing -= 1
        if self.failing >= 0:
            raise KafkaConnectionError(f"broker {broker} is gone")
        return _Answer({"t": Seen("id", 8)})


async def test_a_broker_that_is_gone_is_no_reason_while_another_answers() -> None:
    assert await topic_ids(Client(failing=2)) == {"t": "id"}
    with pytest.raises(KafkaError, match="is gone"):
        await seen(Client(failing=3))
