"""Statements that are stopped by name: those at work, those whose turn is still to come, and how many are kept."""

from __future__ import annotations

import pytest

from backbone.store.errors import StoreBusy
from backbone.store.statements import Running


async def test_as_many_names_are_kept_as_may_wait_and_the_oldest_goes_first() -> None:
    running = Running()
    for n in range(1025):
        running.stop(f"statement {n}")
    with running.work("statement 0"):
        pass
    for n in (1, 1024):
        with pytest.raises(StoreBusy, match="stopped"), running.work(f"statement {n}"):
            pass


async def test_one_that_is_done_can_be_stopped_and_nothing_comes_of_it_for_others() -> None:
    running = Running()
    with running.work("done"):
        pass
    running.stop("done")
    with running.work("another"):
        pass
