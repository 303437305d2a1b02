"""The event loops that the tests of the runtime run on: virtual time, and the loops that hosts bring along."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from inspect import signature

from actors.testing import virtual_loop

__all__ = ["LoopFactory", "real", "virtual"]

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def virtual() -> dict[str, LoopFactory]:
    """Virtual time; where Python has eager tasks, also with a host that makes its tasks eager."""
    return _with_eager({"virtual": virtual_loop})


def real() -> dict[str, LoopFactory]:
    """Real time, on asyncio's own loop and on uvloop, which has no Windows; the same with eager tasks."""
    loops: dict[str, LoopFactory] = {"asyncio": asyncio.new_event_loop}
    if sys.platform != "win32":
        import uvloop

        loops["uvloop"] = uvloop.new_event_loop
    loops = _with_eager(loops)
    if sys.version_info >= (3, 13) and "eager_start" not in signature(asyncio.eager_task_factory).parameters:
        # from 3.13 on uvloop hands it to the factory, and that of early 3.13 does not take it: no program runs so
        loops.pop("uvloop-eager", None)
    return loops


def _with_eager(loops: dict[str, LoopFactory]) -> dict[str, LoopFactory]:
    if not hasattr(asyncio, "eager_task_factory"):
        return loops
    return loops | {f"{name}-eager": _eager(factory) for name, factory in loops.items()}


def _eager(factory: LoopFactory) -> LoopFactory:
    def make() -> asyncio.AbstractEventLoop:
        loop = factory()
        # this very one: anyio knows it, and task groups of anyio do not work with a host's own
        loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined, unused-ignore]
        return loop

    return make
