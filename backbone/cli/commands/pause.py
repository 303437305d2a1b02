"""`backbone pause`: let the schedule of the running backbone wait."""

from __future__ import annotations

from backbone.cli.options import COMMON, Common, prepare

__all__ = ["pause"]


def pause(*, common: Common = COMMON) -> int:
    """Let the schedule wait until it is resumed; a run that is under way goes on.

    Exits 1 where there is no schedule, 4 where no backbone runs with these settings.

    Args:
        common: the options that all commands share.
    """
    from backbone.cli.commands.scheduling import told

    return told(prepare(common), "pause")
