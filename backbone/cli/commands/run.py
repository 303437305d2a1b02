"""`backbone run`: a backbone that runs until it is told to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from backbone.cli.exits import DONE
from backbone.cli.failures import say
from backbone.cli.options import COMMON, Common, prepare

if TYPE_CHECKING:
    from backbone.facade.backbone import Backbone
    from backbone.operations.validation import ValidationReport
    from backbone.settings import Settings

__all__ = ["run"]


def run(*, common: Common = COMMON) -> int:
    """Keep a backbone running until SIGINT or SIGTERM; status and roster ask it from another terminal.

    Exits 130 or 143 after an orderly stop, 4 where the store can't be opened.

    Args:
        common: the options that all commands share.
    """
    settings = prepare(common, serves=True)
    from backbone.cli.process import running
    from backbone.cli.process.garbage import settled
    from backbone.cli.process.opening import observed, place_of

    async def work(backbone: Backbone) -> None:
        if not common.quiet:
            mode = f"{settings.run_mode}, {settings.environment}"
            say(f"running with the {settings.profile} settings ({mode}); {_how_to_ask(backbone)}; Ctrl-C stops it")
        with settled():
            await anyio.sleep_forever()

    def afterwards(report: ValidationReport) -> None:
        if not common.quiet or not report.succeeded:
            say(f"stopped: orphans {len(report.orphans)}, tasks left {len(report.tasks_left)}")

    if not common.quiet:
        say(f"starting with the {settings.profile} settings; store {_place(settings)}")
    running.run(lambda: observed(settings, work, place_of(settings), afterwards=afterwards))
    return DONE


def _place(settings: Settings) -> str:
    """Which store, without the address of a server, which may hold a password."""
    store = settings.store
    return f"{store.backend} {store.path}" if store.backend == "duckdb" else store.backend


def _how_to_ask(backbone: Backbone) -> str:
    """How another process asks it, or why none can."""
    entry = backbone.roster().find(f"{backbone.system.ref.path}/backbone/control")
    if entry is None:
        return "it has no control socket (control.enabled is false), so that backbone status can't ask it"
    if entry.health.level != "ok":
        return f"backbone status can't ask it: {entry.health.why}"
    return f"backbone status asks it through {backbone.settings.control.path}"
