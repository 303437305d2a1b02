"""The export actor: one export and one job of Spark at a time, each a task beside its mailbox; others wait."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import msgspec

from actors import Actor, ActorDead, Message, handles
from backbone.calls import REFUSABLE, Calls, refuse
from backbone.export.beside import hanging_at, require_patience, why_hanging
from backbone.export.errors import ExportBusy
from backbone.export.jobs import Progress
from backbone.export.messages import ExportProgress, RunExport, RunSpark, SparkProgress
from backbone.export.report import ExportReport
from backbone.export.run import Exporter, root_of
from backbone.export.spark.report import SparkReport
from backbone.export.spark.run import root_of as spark_root
from backbone.export.spark.run import run_spark
from backbone.export.spark.wire import Reply, Step
from backbone.settings import Settings

__all__ = ["ExportActor"]

_LOOK_EVERY = 5.0  # seconds, while a disk hangs


class Look(Message, frozen=True):
    """Time to look whether a disk answers again."""


class ExportActor(Actor):
    """Writes exports, as they are asked for.

    Args:
        calls: where the store is.
        settings: where exports go, and how.
        published: called when there is another one, before who asked is told; None: nobody reads it here.
    """

    def __init__(
        self, calls: Calls, settings: Settings, published: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._published = published
        self._calls = calls
        self._settings = settings
        self._one_at_a_time = anyio.Lock(fast_acquire=True)
        self._one_job = anyio.Lock(fast_acquire=True)
        self._last: dict[str, Any] = {}
        self._asked: dict[Path, None] = {Path(settings.export.path).absolute(): None}

    async def on_start(self) -> None:
        """What an export of a life before this one has left behind may hang yet."""
        if any(map(hanging_at, self._asked)):
            self.context.send_after(0.0, Look(), key="look")

    def inspect(self) -> dict[str, Any]:
        """What the last export came to."""
        return dict(self._last)

    @handles
    def export(self, message: RunExport) -> None:
        """See RunExport."""
        reply = self.context.defer_reply()
        self.context.run_task(self._export(message), name="export", reply=reply)

    async def _export(self, asked: RunExport) -> ExportReport:
        async with self._one_at_a_time:
            try:
                report = await self._written(asked, root_of(asked, self._settings))
            except REFUSABLE as error:
                raise refuse(error) from error
        if self._published is not None:
            await self._published()
        self._last |= {"export": report.id, "status": report.status, "rows": report.rows, "seconds": report.seconds}
        self.context.log.info("export done", export=report.id, status=report.status, rows=report.rows)
        return report

    async def _written(self, asked: RunExport, root: Path) -> ExportReport:
        """Export; where a disk hangs it is asked a few times yet: it may have been mounted anew, and answer."""
        require_patience(root)
        before = hanging_at(root)
        try:
            report = await Exporter(self._ask, self._settings, self.context.clock, asked, self._tell).run()
        except ExportBusy as error:
            if left := hanging_at(root):  # a step that was given up has the folder
                raise ExportBusy(why_hanging(left, root)) from error
            raise
        finally:
            self._watch(root)
        for threads in before:
            threads.forget()
        return report

    def _watch(self, root: Path) -> None:
        """Look whether something hangs there."""
        self._asked[root] = None
        with suppress(ActorDead):
            self.context.send_after(0.0, Look(), key="look")

    @handles
    def look(self, message: Look) -> None:
        """See Look."""
        left = {root: found for root in self._asked if (found := hanging_at(root))}
        self._asked = dict.fromkeys(left)
        if not left:
            self.context.report_health("ok")
            return
        whys = "; ".join(why_hanging(found, root) for root, found in left.items())
        following = "the next export to that folder asks the disk again"
        remedy = f"look after the disk that {', '.join(map(str, left))} lies on"
        self.context.report_health("degraded", f"what was asked of a disk was given up: {whys}", following, remedy)
        self.context.send_after(_LOOK_EVERY, Look(), key="look")

    @handles
    def spark(self, message: RunSpark) -> None:
        """See RunSpark."""
        reply = self.context.defer_reply()
        self.context.run_task(self._spark(message), name="spark", reply=reply)

    async def _spark(self, asked: RunSpark) -> SparkReport:
        """One at a time, beside exports: it reads what is published."""

        def told(reply: Reply) -> None:
            if isinstance(reply, Step):
                path = self.context.ref.path
                self.context.system.publish(SparkProgress, path, job=asked.job, what=reply.what)

        async with self._one_job:
            try:
                report = await run_spark(self._settings, asked, told)
            except REFUSABLE as error:
                raise refuse(error) from error
            finally:
                self._watch(spark_root(asked, self._settings))
        self._last |= {"spark": report.job, "spark_status": report.status, "spark_seconds": report.seconds}
        log = self.context.log.warning if report.status == "failed" else self.context.log.info
        log("spark done", job=report.job, status=report.status, rows=report.rows, why=report.why)
        return report

    def _tell(self, progress: Progress) -> None:
        self.context.system.publish(ExportProgress, self.context.ref.path, **msgspec.structs.asdict(progress))

    async def _ask(self, request: Any) -> Any:
        return await self._calls.ask("store", request, self._settings.export.snapshot_seconds)
