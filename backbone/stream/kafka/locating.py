"""Finds places in partitions by what lies there: the newest record, the first one after an outbox position.

Positions ascend in a partition, but for what was sent again: then they go back, and come once more up to where they
were.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import anyio
from aiokafka import TopicPartition

from backbone.stream.errors import StreamUnavailable
from backbone.stream.kafka.fetching import Fetched, Fetcher
from backbone.stream.kafka.wire import Marker
from backbone.stream.port import MOST_AT_ONCE
from backbone.stream.records import Record

__all__ = ["first_after", "first_at", "newest"]

Offsets = Mapping[TopicPartition, int]

_LOOK: Final = 0.5  # seconds for one look
_LOOKS: Final = 3.0  # seconds for all that are asked together
_AGAIN: Final = MOST_AT_ONCE + 1
"""One more than a publisher that another has replaced may send late at most."""


async def first_at(scout: Fetcher, offsets: Offsets, ends: Offsets) -> dict[TopicPartition, Fetched]:
    """What lies first in each partition from an offset on; left out where there is nothing before its end.

    Args:
        scout: a client, which is opened where it is needed.
        offsets: from where on.
        ends: up to where.

    Raises:
        OffsetsGone: an offset lies before what there is.
        StreamUnavailable: no answer.
    """
    wanted = {at: offset for at, offset in offsets.items() if offset < ends[at]}
    found: dict[TopicPartition, Fetched] = {}
    if not wanted:
        return found
    await scout.open()
    scout.assign(wanted)
    with anyio.move_on_after(_LOOKS):
        while scout.next:
            for each in await scout.fetch(_LOOK, 1):
                if each.offset < ends[each.at]:
                    found[each.at] = each
                scout.drop(each.at)
            for at in [at for at, offset in scout.next.items() if offset >= ends[at]]:
                scout.drop(at)  # nothing but what the brokers note for themselves
        return found
    raise StreamUnavailable(f"records at known offsets did not come within {_LOOKS:g} s")


async def newest(scout: Fetcher, begins: Offsets, ends: Offsets) -> dict[TopicPartition, Fetched]:
    """The newest that each partition holds; left out where it is empty."""
    return await first_at(scout, {at: max(begins[at], end - 1) for at, end in ends.items() if end > begins[at]}, ends)


async def first_after(scout: Fetcher, position: int, begins: Offsets, ends: Offsets) -> dict[TopicPartition, int]:
    """From where on each partition has all that was published after a position; what comes before it may be there, too.

    By halving. What was sent again does no harm: behind a record of before the position, all that come after it in the
    outbox come as well. Unless a publisher that was replaced has sent its last batch late: so one looks back over it.
    """
    low, high = dict(begins), dict(ends)
    while True:
        await _halve(scout, position, low, high)
        back = {at: max(begins[at], offset - _AGAIN) for at, offset in low.items() if offset > begins[at]}
        seen = await first_at(scout, back, low)
        passed = {at: back[at] for at, each in seen.items() if _comes_after(each, position)}
        if not passed:
            return low
        high = {**low, **passed}
        low = {**low, **{at: begins[at] for at in passed}}


async def _halve(
    scout: Fetcher, position: int, low: dict[TopicPartition, int], high: dict[TopicPartition, int]
) -> None:
    """Move `low` up to the first record that comes after the position, of which all are below `high`."""
    while middles := {at: (low[at] + high[at]) // 2 for at in low if low[at] < high[at]}:
        seen = await first_at(scout, middles, high)
        for at, middle in middles.items():
            each = seen.get(at)
            if each is None or _comes_after(each, position):
                high[at] = middle
            else:
                low[at] = each.until


def _comes_after(each: Fetched, position: int) -> bool:
    """What can't be read tells nothing: to begin before it is right in any case."""
    return not isinstance(each.content, Record | Marker) or each.content.position > position
