"""What `backbone run` does with a backbone: look whether it is well, fetch, serve, and say what was drained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from backbone.cli.exits import DONE, FAILED, NOT_READY, UNREACHABLE
from backbone.cli.failures import say
from backbone.cli.process.garbage import settled
from backbone.cli.show.text import count, one_line, seconds
from backbone.domain.errors import BackboneError
from backbone.domain.status import Status
from backbone.facade.tree import stand_ins
from backbone.files import is_there
from backbone.ingest.market import reason_against

if TYPE_CHECKING:
    from rich.console import Console

    from backbone.facade.backbone import Backbone
    from backbone.ingest.market_report import MarketRun
    from backbone.operations.validation import ValidationReport
    from backbone.settings import Settings

__all__ = ["Session", "draw_run"]

_UNREACHED = {"source_unavailable", "unavailable", "busy"}
_ASK_TIMEOUT = 1.0


class Session:
    """One `backbone run`.

    Args:
        settings: of the backbone.
        mode: "once", "schedule", or None: as the settings say.
        limit: seconds until it ends by itself; None: never.
        check: whether servers that do not answer keep it from beginning.
        bootstrap: whether it fetches at its start.
        quiet: whether it says nothing but errors.

    Attributes:
        fetched: the report of what was fetched at the start; None: nothing was.
    """

    def __init__(
        self, settings: Settings, mode: str | None, limit: float | None, *, check: bool, bootstrap: bool, quiet: bool
    ) -> None:
        self.settings = settings
        self.fetched: MarketRun | None = None
        self._mode = mode
        self._limit = float("inf") if limit is None else limit
        self._check = check
        self._bootstrap = bootstrap
        self._quiet = quiet
        self._drained = ""

    async def work(self, backbone: Backbone) -> int:
        """All of it; gives the exit code."""
        try:
            if self._check and (code := await self._unready(backbone)) != DONE:
                return code
            self._say(_how_to_ask(backbone, self.settings))
            with anyio.move_on_after(self._limit):
                code = await self._fetch(backbone)
                if self._mode == "once":
                    return code
                await self._say_when(backbone)
                with settled():
                    await anyio.sleep_forever()
            if self._mode == "once":
                say(f"error: --duration, {self._limit:g} s, was over before all was fetched; the run was cut off")
                return FAILED
            return DONE
        finally:
            with anyio.CancelScope(shield=True):
                self._drained = await drained(backbone)

    def afterwards(self, report: ValidationReport) -> None:
        """Say what was drained, and what was left behind."""
        if not self._quiet or not report.succeeded:
            left = f"orphans {len(report.orphans)}, tasks left {len(report.tasks_left)}"
            say(f"stopped: {left}; {self._drained or 'what waited was not counted'}")

    def _say(self, text: str) -> None:
        if not self._quiet:
            say(text)

    async def _unready(self, backbone: Backbone) -> int:
        """Whether the servers that are configured answer; a stand-in is no server."""
        embedded = stand_ins(self.settings)
        code = DONE
        for probe in (await backbone.connectivity()).probes:
            if embedded.get(probe.name) is not None and probe.healthy:
                continue
            if probe.status in {Status.FAILED, Status.UNKNOWN}:
                code = UNREACHABLE
            elif probe.status is Status.DEGRADED and embedded.get(probe.name) is None:
                code = max(code, NOT_READY)
            else:
                continue
            say(f"error: {probe.name} ({probe.backend}) is {probe.status}: {one_line(probe.why)}")
        return code

    async def _fetch(self, backbone: Backbone) -> int:
        """Fetch at the start, where something is planned; gives the exit code of that."""
        if not self._bootstrap or reason_against(self.settings):
            return DONE
        switch = self.settings.kill_switch
        if self._mode != "once" and is_there(switch):
            self._say(f"the kill switch {switch} is there: nothing is fetched at the start, nor by schedule")
            return DONE
        run = self.fetched = await backbone.run_market(trigger="bootstrap")
        for each in run.dimensions:
            new, what = count(each.inserted), f"; {one_line(each.why)}" if each.why else ""
            self._say(f"{each.dimension}: {each.status}, {count(each.rows)} rows of {each.source}, {new} new{what}")
        return _code(run)

    async def _say_when(self, backbone: Backbone) -> None:
        state = await backbone.schedule()
        if state.paused:
            self._say(f"the schedule waits: {state.paused}")
        elif state.next_run_at is not None:
            self._say(f"the schedule fetches next at {state.next_run_at:%Y-%m-%d %H:%M:%S} UTC")


def _code(run: MarketRun) -> int:
    failed = [each for each in run.dimensions if each.status is Status.FAILED]
    if not failed:
        return DONE
    unreached = run.status is Status.FAILED and all(each.code in _UNREACHED for each in failed)
    return UNREACHABLE if unreached else FAILED


async def drained(backbone: Backbone) -> str:
    """What waited when it was told to stop, which the stop brings to its end or leaves where it is safe."""
    roster = backbone.roster()
    ingest = roster.find(f"{backbone.path}/ingest")
    scheduler = roster.find(f"{backbone.path}/scheduler")
    live = (ingest.detail or {}).get("rows_waiting", 0) if ingest is not None else 0
    under_way = bool((scheduler.detail or {}).get("run_under_way")) if scheduler is not None else False
    waiting = sum(entry.mailbox_depth for entry in roster.entries if entry.path.startswith(f"{backbone.path}/"))
    parts = [f"live rows {count(live)}", f"messages {count(waiting)}", f"runs cut off {int(under_way)}"]
    with anyio.move_on_after(_ASK_TIMEOUT):
        try:
            outbox = await backbone.outbox()
        except BackboneError:
            return f"waited when it was told to stop: {', '.join(parts)}; of changes to publish the store does not say"
        parts.append(f"changes to publish {count(outbox.pending)}")
    return f"waited when it was told to stop: {', '.join(parts)}"


def _how_to_ask(backbone: Backbone, settings: Settings) -> str:
    """That it runs, and how another process asks it, or why none can."""
    running = f"running with the {settings.profile} settings ({settings.run_mode}, {settings.environment})"
    entry = backbone.roster().find(f"{backbone.system.ref.path}/backbone/control")
    if entry is None:
        how = "it has no control socket (control.enabled is false), so that backbone status can't ask it"
    elif entry.health.level != "ok":
        how = f"backbone status can't ask it: {entry.health.why}"
    else:
        how = f"backbone status asks it through {settings.control.path}"
    return f"{running}; {how}; Ctrl-C stops it"


def draw_run(console: Console, done: MarketRun) -> None:
    """The dimensions, a line each, and what was tried again."""
    from rich.text import Text

    from backbone.cli.show.page import heading, numbers, verdict

    heading(console, "Market", f"{done.trigger} · {seconds(done.duration_s)} · run {done.run_id}")
    for each in done.dimensions:
        verdict(console, each.status, f"{each.dimension} of {each.source}{f': {each.why}' if each.why else ''}")
        names = ("rows", "inserted", "changed", "unchanged", "quarantined")
        console.print(numbers("Rows", [(name, count(getattr(each, name))) for name in names]))
    for each in done.recovery:
        console.print(Text(f"  tried again ({each.attempt}): {each.dimension}: {one_line(each.why)}", style="dim"))
