"""What is published is cut into rounds: order within a partition, and bounds on what is under way."""

from __future__ import annotations

from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from backbone.store.records import OutboxRow
from backbone.stream.kafka.rounds import rounds
from backbone.stream.records import Envelope
from tests.backbone.stream.kit import row

ROOM = 2 * 2**20


def change(position: int, size: int) -> OutboxRow:
    return row(position, payload=bytes(size))


def positions(made: dict[TopicPartition, list[Envelope]]) -> dict[TopicPartition, list[int]]:
    return {place: [each.position for each in changes] for place, changes in made.items()}


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 1, 900, 60_000, 131_072, 524_288])), max_size=80))
def test_each_partition_keeps_its_order_and_each_batch_its_bound(given: list[tuple[int, int]]) -> None:
    placed = [(TopicPartition("t", number), change(n, size)) for n, (number, size) in enumerate(given, 1)]
    made = rounds(placed, 131_072)
    for place in {place for place, _ in placed}:
        wanted = [each.position for where, each in placed if where == place]
        assert [position for each in made for position in positions(each).get(place, [])] == wanted
    for each in made:
        sizes = [[len(change.payload) for change in changes] for changes in each.values()]
        assert all(len(batch) == 1 or sum(batch) < 131_072 for batch in sizes)
        assert sum(map(len, sizes)) == 1 or sum(map(sum, sizes)) < ROOM


def test_a_full_batch_holds_up_no_other_partition() -> None:
    busy, quiet = TopicPartition("t", 0), TopicPartition("t", 1)
    placed = [(busy, change(1, 900)), (busy, change(2, 900)), (busy, change(3, 900)), (quiet, change(4, 900))]
    first, second, third = (positions(each) for each in rounds(placed, 1000))
    assert (first, second, third) == ({busy: [1], quiet: [4]}, {busy: [2]}, {busy: [3]})


def test_nothing_makes_no_round() -> None:
    assert rounds([], 1000) == []
