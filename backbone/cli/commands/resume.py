"""`backbone resume`: let the schedule of the running backbone go on."""

from __future__ import annotations

from backbone.cli.options import COMMON, Common, prepare

__all__ = ["resume"]


def resume(*, common: Common = COMMON) -> int:
    """Let a schedule that has stopped after failures, or was paused, go on; its next run is due at once.

    Exits 1 where there is no schedule, 4 where no backbone runs with these settings.

    Args:
        common: the options that all commands share.
    """
    from backbone.cli.commands.scheduling import told

    return told(prepare(common), "resume")
