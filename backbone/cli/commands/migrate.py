"""`backbone migrate`: bring the tables up to date, or say what would be done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from cyclopts import Parameter

from backbone.cli.exits import DONE
from backbone.cli.failures import UsageError
from backbone.cli.options import COMMON, Common, prepare

if TYPE_CHECKING:
    from backbone.settings import Settings
    from backbone.store.records import MigrationReport

__all__ = ["migrate"]

_DEADLINE = 60.0

Flag = Parameter(negative="", show_default=False)


def migrate(
    *,
    dry_run: Annotated[bool, Flag] = False,
    status: Annotated[bool, Flag] = False,
    how: Annotated[Literal["human", "json"], Parameter(name="--format")] = "human",
    common: Common = COMMON,
) -> int:
    """Apply the migrations that the store lacks; a second time does nothing.

    Opening a backbone does the same. The store must not be in use by a running backbone.

    Args:
        dry_run: only say what would be applied.
        status: only say what is in force and what is missing.
        how: how it is written.
        common: the options that all commands share.
    """
    if dry_run and status:
        raise UsageError("both --dry-run and --status given; both change nothing, give one of them")
    settings = prepare(common)
    from backbone.cli.process.running import run
    from backbone.cli.show.output import write, write_json

    look_only = dry_run or status
    chosen = _without_a_trace(settings) if look_only else settings
    report = run(lambda: _migrate(chosen, look_only=look_only))
    if how == "json":
        write_json(msgspec.to_builtins(report), None)
    else:
        write(_words(report), None)
    return DONE


def _without_a_trace(settings: Settings) -> Settings:
    """Where there is no file yet, a look at it must not make one: an empty store in memory lacks the same."""
    if settings.store.backend != "duckdb" or Path(settings.store.path).exists():
        return settings
    blank = msgspec.structs.replace(settings.store, path=":memory:")
    return msgspec.structs.replace(settings, store=blank)


async def _migrate(settings: Settings, *, look_only: bool) -> MigrationReport:
    """No tree: its actors work on tables that are up to date."""
    import anyio

    from backbone.store.child import factory

    store = factory(settings)()
    try:
        with anyio.fail_after(_DEADLINE):
            await store.open()
            return await store.migrate(dry_run=look_only)
    finally:
        with anyio.fail_after(_DEADLINE, shield=True):
            await store.close()


def _words(report: MigrationReport) -> str:
    lines = [f"in force: {report.current or 'nothing yet'}"]
    lines += [f"applied:  {name}" for name in report.applied]
    lines += [f"missing:  {name}" for name in report.pending]
    if not report.applied and not report.pending:
        lines.append("nothing to do")
    return "\n".join(lines)
