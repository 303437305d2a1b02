"""The export actor: one export at a time, each a task beside its mailbox; the others wait for their turn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import msgspec

from actors import Actor, handles
from backbone.calls import REFUSABLE, Calls, refuse
from backbone.export.jobs import Progress
from backbone.export.messages import ExportProgress, RunExport
from backbone.export.report import ExportReport
from backbone.export.run import Exporter
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
        self._last = {"export": report.id, "status": report.status, "rows": report.rows, "seconds": report.seconds}
        self.context.log.info("export done", **self._last)
        return report

    def _tell(self, progress: Progress) -> None:
        self.context.system.publish(ExportProgress, self.context.ref.path, **msgspec.structs.asdict(progress))

    async def _ask(self, request: Any) -> Any:
        return await self._calls.ask("store", request, self._settings.export.snapshot_seconds)
