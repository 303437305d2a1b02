"""What pause and resume share: one word to the running backbone, and how its schedule is then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backbone.cli.exits import DONE

if TYPE_CHECKING:
    from backbone.settings import Settings

__all__ = ["told"]


def told(settings: Settings, word: str) -> int:
    """Tell it, and say how the schedule is."""
    from backbone.cli.process.asking import answer
    from backbone.cli.process.streams import put
    from backbone.ingest.schedule_state import ScheduleState

    state, _ = answer(settings, word, ScheduleState)
    if state.paused:
        put(f"the schedule waits: {state.paused}\n")
    elif state.run_under_way:
        put("the schedule goes on; a run is under way\n")
    elif state.next_run_at is not None:
        put(f"the schedule goes on; it fetches next at {state.next_run_at:%Y-%m-%d %H:%M:%S} UTC\n")
    return DONE
