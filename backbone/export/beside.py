"""Work side by side, and off the event loop; what fails is raised as itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio
from anyio.abc import TaskGroup

from backbone.domain.threads import in_thread

__all__ = ["Threads", "side_by_side"]

T = TypeVar("T")


class Threads:
    """Where disk and columns are worked on.

    Args:
        inline: in the calling thread: for deterministic tests only.
        own: so many that nobody else uses: a disk that does not answer holds them, and nobody else's. 0: the loop's.
    """

    def __init__(self, *, inline: bool = False, own: int = 0) -> None:
        self._inline = inline
        self._own = ThreadPoolExecutor(own, "export") if own and not inline else None

    async def run(self, function: Callable[..., T], *values: Any) -> T:
        """Call a function."""
        if self._inline:
            return function(*values)
        return await in_thread(lambda: function(*values), executor=self._own)

    def close(self) -> None:
        """Let its own threads end with what they are at."""
        if self._own is not None:
            self._own.shutdown(wait=False)


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
