"""Work side by side, and off the event loop; what fails is raised as itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
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
    """

    def __init__(self, *, inline: bool = False) -> None:
        self._inline = inline

    async def run(self, function: Callable[..., T], *values: Any) -> T:
        """Call a function."""
        return function(*values) if self._inline else await in_thread(lambda: function(*values))


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
