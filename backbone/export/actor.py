"""The export actor: one export and one job of Spark at a time, each a task beside its mailbox; others wait."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import msgspec

from actors import Actor, handles
from backbone.calls import REFUSABLE, Calls, refuse
from backbone.export.jobs import Progress
from backbone.export.messages import ExportProgress, RunExport, RunSpark, SparkProgress
from backbone.export.report import ExportReport
from backbone.export.run import Exporter
from backbone.export.spark.report import SparkReport
from backbone.export.spark.run import run_spark
from backbone.export.spark.wire import Reply, Step
from backbone.settings import Settings

__all__ = ["ExportActor"]


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
                report = await Exporter(self._ask, self._settings, self.context.clock, asked, self._tell).run()
            except REFUSABLE as error:
                raise refuse(error) from error
        if self._published is not None:
            await self._published()
        self._last |= {"export": report.id, "status": report.status, "rows": report.rows, "seconds": report.seconds}
        self.context.log.info("export done", export=report.id, status=report.status, rows=report.rows)
        return report

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
        self._last |= {"spark": report.job, "spark_status": report.status, "spark_seconds": report.seconds}
        log = self.context.log.warning if report.status == "failed" else self.context.log.info
        log("spark done", job=report.job, status=report.status, rows=report.rows, why=report.why)
        return report

    def _tell(self, progress: Progress) -> None:
        self.context.system.publish(ExportProgress, self.context.ref.path, **msgspec.structs.asdict(progress))

    async def _ask(self, request: Any) -> Any:
        return await self._calls.ask("store", request, self._settings.export.snapshot_seconds)
