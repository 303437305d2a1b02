"""Work side by side, and off the event loop; what fails is raised as itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from anyio.abc import TaskGroup

from backbone.domain.hanging import Threads, hanging
from backbone.export.errors import ExportFailed
from backbone.settings import Settings

__all__ = ["disk_threads", "hanging_at", "require_patience", "side_by_side", "why_hanging"]

_NAME = "export"
_MOST_HUNG = 3  # exports to one folder, and jobs over one in it, that were given up and hold threads
_MOST_IN_ALL = 12  # of them to whatever folders: those that are called by the day are many on one disk
_BESIDE = 2  # threads beside those of the files that are written at once
_GRACE = 1.0  # seconds for the step that is under way while an export is called off


def disk_threads(settings: Settings, root: Path) -> Threads:
    """Where disk and columns are worked on: a disk that does not answer holds these threads, and nobody else's."""
    return Threads(
        settings.export.write_seconds,
        str(root),
        "steps",
        name=_NAME,
        most=settings.export.readers + _BESIDE,
        grace=_GRACE,
        inline=settings.store.inline,
    )


def hanging_at(root: Path | None = None) -> list[Threads]:
    """What exports to a folder (None: to any) have left behind in this process, also those of an actor before."""
    return hanging(_NAME, None if root is None else str(root))


def why_hanging(left: Sequence[Threads], root: Path) -> str:
    """Why nothing can be written there now, and what to do."""
    hung = next(filter(None, (threads.hung for threads in left)), "")
    if hung:
        return f"{hung}; look after that disk: exports go on when it answers"
    return f"{root}: a step of an export that was called off is not back yet; try again in a moment"


def require_patience(root: Path) -> None:
    """Refuse to ask a disk once more that has not answered a few times.

    Raises:
        ExportFailed: what was asked of it before hangs.
    """
    here, everywhere = hanging_at(root), hanging_at()
    if len(here) >= _MOST_HUNG:
        raise ExportFailed(why_hanging(here, root))
    if len(everywhere) >= _MOST_IN_ALL:
        raise ExportFailed(f"{len(everywhere)} exports hang, to whatever folders; {why_hanging(everywhere, root)}")


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
