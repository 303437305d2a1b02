"""`backbone run`: a backbone that fetches, by schedule too, and runs until it is told to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from backbone.cli.failures import UsageError, say
from backbone.cli.options import COMMON, Common, Format, Output, Symbols, prepare, symbols_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backbone.settings import Settings

__all__ = ["run"]

Mode = Annotated[Literal["once", "schedule"] | None, Parameter(name="--mode", show_default=False)]
Flag = Parameter(negative="")

_WITHIN = 9.0  # seconds from a signal to the end, in order or not


def run(
    *,
    mode: Mode = None,
    symbols: Symbols = (),
    duration: str | None = None,
    check_connectivity: Annotated[bool, Flag] = False,
    skip_bootstrap: Annotated[bool, Flag] = False,
    how: Format = "human",
    output: Output = None,
    common: Common = COMMON,
) -> int:
    """Fetch what section market of the settings says, then by schedule, and stream until SIGINT or SIGTERM.

    Where nothing is to be fetched it only serves: subscribers, status and roster ask it from another terminal.

    After a signal it ends within 10 s, says what was drained, and exits 130 or 143; after --duration, or once --mode
    once has fetched, with 0. It exits 1 where --mode once fetched less than all dimensions, 2 where nothing is to be
    fetched and --mode says that something is, 4 where the store can't be opened, or no provider could be reached. With
    --check-connectivity it exits before it begins: 4 where a server that is configured does not answer, 3 where one
    is degraded.

    Args:
        mode: once: fetch, and end; schedule: fetch, then by schedule; as schedule.enabled says unless given.
        symbols: instead of market.symbols; comma-separated or repeated.
        duration: ends after so long: seconds, or such as 90s, 15m, 8h.
        check_connectivity: begin only where the servers that are configured answer.
        skip_bootstrap: fetch nothing at the start; the schedule begins by itself.
        how: how the report of --mode once is written.
        output: a file for it, instead of stdout.
        common: the options that all commands share.
    """
    limit = _seconds(duration)
    if mode == "once" and skip_bootstrap:
        raise UsageError("--mode once fetches once, and --skip-bootstrap says not to; leave one of them out")
    settings = _chosen(prepare(common, serves=True), mode, symbols_of(symbols))
    from backbone.cli.commands.running import Session
    from backbone.cli.process import running
    from backbone.cli.process.opening import observed, place_of

    session = Session(settings, mode, limit, check=check_connectivity, bootstrap=not skip_bootstrap, quiet=common.quiet)
    if not common.quiet:
        say(f"starting with the {settings.profile} settings; store {_place(settings)}")
    code, _ = running.run(
        lambda: observed(settings, session.work, place_of(settings), afterwards=session.afterwards), within=_WITHIN
    )
    if mode == "once" and session.fetched is not None:
        from backbone.cli.commands.running import draw_run
        from backbone.cli.show.output import show

        done = session.fetched
        show(done, lambda console: draw_run(console, done), how, output, no_color=common.no_color)
    return code


def _seconds(text: str | None) -> float | None:
    """A duration given on the command line.

    Raises:
        UsageError: it is none.
    """
    if text is None:
        return None
    from backbone.domain.clock import parse_duration

    try:
        found = float(text) if text.strip().replace(".", "", 1).isdigit() else parse_duration(text).total_seconds()
    except ValueError as error:
        raise UsageError(f"--duration: {error}") from error
    if found <= 0:
        raise UsageError(f"--duration {text}: allowed is more than 0")
    return found


def _chosen(settings: Settings, mode: str | None, symbols: Sequence[str]) -> Settings:
    """The settings with what the options say.

    Raises:
        UsageError: something is to be fetched, and nothing is planned.
    """
    from msgspec.structs import replace

    from backbone.ingest.market import reason_against

    if symbols:
        settings = replace(settings, market=replace(settings.market, symbols=tuple(symbols)))
    if mode is not None:
        settings = replace(settings, schedule=replace(settings.schedule, enabled=mode == "schedule"))
        reason = reason_against(settings)
        if reason:
            raise UsageError(f"--mode {mode}: {reason}")
    return settings


def _place(settings: Settings) -> str:
    """Which store, without the address of a server, which may hold a password."""
    store = settings.store
    return f"{store.backend} {store.path}" if store.backend == "duckdb" else store.backend
