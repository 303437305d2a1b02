"""The loop over one incarnation's mailbox: the runtime's hot path, so it is inlined where elsewhere it would not be.

Handlers that return at once run bare. The first that must be awaited opens an anyio scope, by which a kill reaches it
at every await. A scope costs more than most messages, so it stays open while the actor rests, for as many actors as
the system keeps warm; it weighs more than an idle actor, so the others close theirs when their mailbox is empty.

For example the messages sync, sync, async: the first two are handled by the bare `serve`, which hands the coroutine of
the third back; `serve_scoped` awaits it in a scope, and goes on in there with what comes after it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from types import CoroutineType
from typing import Any

from actors._core.cell import ActorLife
from actors._core.kill_scope import KillScope
from actors._core.mailbox import Ask, Tick, payload
from actors._core.tasks import pause
from actors._core.traced import TracedTable
from actors.errors import Reject
from actors.messages import Terminated
from actors.stop_reason import StopReason

BUDGET = 64  # messages in one turn of the loop, so that no actor starves the others
WARM = 256  # actors of one system that keep their scope while they rest, and as many that keep their loop's frame


async def _awaited(future: Awaitable[Any]) -> Any:
    return await future


class Killed(Exception):
    """A kill has interrupted a handler or a hook; the reason is in `Incarnation.abort`."""


async def serve_scoped(run: ActorLife, work: Coroutine[Any, Any, Any]) -> StopReason | None:
    """Await `work` and what comes after it under a scope, until the incarnation is to end or (None) goes cold."""
    system = run.cell.runtime
    warm = system.warm < WARM
    system.warm += warm
    try:
        run.scope = KillScope()
        with run.scope:
            return await serve(run, work, warm)  # type: ignore[no-any-return]
    finally:
        run.scope = None
        system.warm -= warm
    raise Killed


async def serve(run: ActorLife, work: Coroutine[Any, Any, Any] | None = None, stay: bool = False) -> Any:
    """Turns of the loop, ended by a StopReason, by an empty mailbox (None) unless told to `stay`, or by a coroutine.

    A coroutine is handed back only where no `work` was given: it must be awaited in a scope.
    """
    cell, actor, time = run.cell, run.actor, run.cell.runtime.time
    table: Any = cell.table
    if cell.runtime.tracing is not None:
        table = TracedTable(run, table, cell.runtime.tracing)
    future, box = cell.runtime.future, run.box
    bare = work is None
    item = run.current
    while True:
        if run.signal and work is None:
            reason = run.attend()
            if reason is not None:
                return reason
            if run.signal:  # suspended: only what comes before all messages wakes it, and it looks again each time
                if not stay:
                    return None
                box.idle = idle = future()
                await idle
                continue
        items = box.items
        if items and len(items) > box.peak:
            box.peak = len(items)
        budget = BUDGET
        while work is not None or (items and budget and not run.signal):
            try:
                if work is None:
                    budget -= 1
                    item = items.popleft()  # type: ignore[union-attr]
                    if box.senders:
                        box.admit()
                    kind = item.__class__
                    if kind is Ask:
                        message = item.message
                    elif kind is Tick or kind is Terminated:
                        if not run.due(item):
                            continue
                        message = payload(item)
                    else:
                        message = item
                    run.current = item
                    result = table[message.__class__](actor, message)
                    if result is not None and hasattr(result, "__await__"):
                        if result.__class__ is not CoroutineType:
                            result = _awaited(result)
                        if bare:
                            return result
                        work = result
                if work is not None:
                    run.since = time()
                    result, work = await work, None
            except Reject as reject:
                work = None
                run.reject(reject)
                continue
            run.current = None
            cell.handled += 1
            if item.__class__ is Ask and not item.deferred:
                if item.future.done():
                    item.reply(result)  # too late
                else:
                    item.future.set_result(result)
        if run.signal:
            continue
        if box.items:
            await pause()
        elif run.stopping is not None:
            if not box.senders:
                return run.stopping
            await pause()  # who waited for room when the drain began comes in, too
        elif not stay:
            return None
        else:
            item = message = result = None  # keep no payload alive while at rest
            box.idle = idle = future()
            await idle
