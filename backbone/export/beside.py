"""Work side by side, and off the event loop; what fails is raised as itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from anyio.abc import TaskGroup

from backbone.domain.hanging import Threads
from backbone.settings import Settings

__all__ = ["disk_threads", "side_by_side"]

_BESIDE = 2  # threads beside those of the files that are written at once
_GRACE = 1.0  # seconds for the step that is under way while an export is called off


def disk_threads(settings: Settings, root: Path) -> Threads:
    """Where disk and columns are worked on: a disk that does not answer holds these threads, and nobody else's."""
    return Threads(
        settings.export.write_seconds,
        str(root),
        "steps",
        name="export",
        most=settings.export.readers + _BESIDE,
        grace=_GRACE,
        inline=settings.store.inline,
    )


@asynccontextmanager
async def side_by_side() -> AsyncIterator[TaskGroup]:
    """A task group whose first failure comes out as it was, and not as one of a group."""
    try:
        async with anyio.create_task_group() as group:
            yield group
    except BaseExceptionGroup as errors:
        raise _first(errors) from None


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
