"""Where the stream began again last, and what of it still holds."""

from __future__ import annotations

from aiokafka import TopicPartition

from backbone.stream.kafka.identity import Beginning, Seen
from backbone.stream.kafka.standing import Identity

BEGINNING = Beginning("generation", 100, {"backbone.quotes": {"0": 500}}, {"backbone.quotes": "first"})
AT = TopicPartition("backbone.quotes", 0)


def test_what_lies_before_the_marker_of_a_partition_counts_no_more() -> None:
    identity = Identity({"backbone.quotes": Seen("first", 1)}, BEGINNING)
    assert (identity.marker(AT), identity.began_after) == (501, 100)


def test_a_topic_that_was_made_anew_after_the_stream_began_again_has_no_marker() -> None:
    assert Identity({"backbone.quotes": Seen("second", 1)}, BEGINNING).marker(AT) == 0
