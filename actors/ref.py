"""Handles of actors and supervisors: stable across incarnations, safe to keep and to share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from actors._core.cell import Cell, Life, Wait, blocked_run, life_of
from actors._core.deadlock import NO_EDGE, Edges, check_ask, check_wait, room_edge
from actors._core.mailbox import Ask, Closed, Full
from actors._core.tasks import GIVE_WAY, OWNER, pause
from actors.errors import InvalidMessage, MailboxFull
from actors.messages import Message, R, Request, Terminated
from actors.roster import Health
from actors.stop_reason import StopReason

if TYPE_CHECKING:
    from typing import Self


T = TypeVar("T")
_NEVER = math.inf


class ActorRef:
    """The handle of one child, whichever incarnation is alive."""

    __slots__ = ("__weakref__", "_cell")

    def __init__(self, cell: Cell) -> None:
        self._cell = cell

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._cell.path} #{self._cell.incarnation} {self._cell.state}>"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self  # a handle: a copy would be of the whole system

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{self._cell.path}: a ref lives in one process; send its path and use system.find(path) there")

    @property
    def path(self) -> str:
        """Where it stands in the tree: "/trading/backbone/store"."""
        return self._cell.path

    @property
    def id(self) -> str:
        """Its id in its supervisor."""
        return self._cell.id

    @property
    def incarnation(self) -> int:
        """The number of the newest life, from 1."""
        return self._cell.incarnation

    @property
    def is_alive(self) -> bool:
        """True while an incarnation runs and takes messages."""
        return self._cell.alive

    @property
    def health(self) -> Health:
        """What the newest incarnation reported last, read without a message."""
        return self._cell.health

    async def tell(self, message: Message, timeout: float | None = 5.0) -> None:
        """Send; waits for room in the mailbox.

        Raises:
            MailboxFull: no room within `timeout` seconds; the message was not delivered.
            ActorDead: the actor has ended for good.
            InvalidMessage: it declares no handler for this class.
        """
        cell = self._cell
        runtime = cell.runtime
        runtime.sends = sends = runtime.sends + 1
        if not sends % GIVE_WAY:
            await pause()  # before the send: who is cancelled here has not sent
        if runtime.careful:
            return await self._tell_carefully(message, timeout)
        box = cell.box
        if message.__class__ not in cell.accepts or box is None:
            return self._refuse(message)
        items = box.items
        if items is not None and len(items) < box.capacity and not box.senders:
            items.append(message)
            if box.idle is not None:
                box.wake()
        else:
            await self._put(message, message, timeout)
        return None

    async def _tell_carefully(self, message: Message, timeout: float | None) -> None:
        cell = self._cell
        item = cell.outgoing(message)
        if message.__class__ not in cell.accepts:
            return self._refuse(message)
        await self._put(item, message, timeout)
        return None

    def tell_nowait(self, message: Message) -> None:
        """Send without waiting.

        Raises:
            MailboxFull: there is no room now; also ActorDead and InvalidMessage, as `tell`.
        """
        cell = self._cell
        item = cell.outgoing(message) if cell.runtime.careful else message
        if message.__class__ not in cell.accepts or cell.box is None:
            return self._refuse(message)
        try:
            accepted = cell.box.put_nowait(item)
        except Full:
            accepted = False
        if not accepted:
            raise self._full(message, 0.0)
        return None

    async def ask(self, request: Request[R], timeout: float | None = 5.0) -> R:
        """Send a request and wait for its reply.

        Raises:
            AskTimeout: no reply within `timeout` seconds.
            ActorDead: the actor is dead or died before it replied (`__cause__`: its error).
            AskRejected: the handler refused by `Reject`.
            DeadlockError: this actor already waits for the asker.
        """
        cell = self._cell
        runtime = cell.runtime
        runtime.sends = sends = runtime.sends + 1
        if not sends % GIVE_WAY:
            await pause()
        box = cell.box
        kind = request.__class__
        if kind not in cell.accepts or box is None:
            raise cell.refusal(request)
        if not kind.__asks__:
            text = f"can't be asked: {kind.__name__} is not a Request; tell it, or derive it from Request[R]"
            raise cell.problem(InvalidMessage, text, message=request)
        future = runtime.future()
        limit = _NEVER if timeout is None else timeout
        ask = Ask(request, future, cell, limit, runtime.time() + limit)
        if runtime.careful:
            ask.origin = runtime.origin(cell.path)
        owner = OWNER.get()
        if owner is not None and owner.blocking and (run := life_of(owner)) is not None:
            return await self._ask_within(run, ask, timeout)  # type: ignore[no-any-return]
        if timeout is not None:
            runtime.deadlines.watch(ask, timeout)
        items = box.items
        if items is not None and len(items) < box.capacity and not box.senders:
            items.append(ask)
            if box.idle is not None:
                box.wake()
        else:
            await self._put_ask(ask, timeout)
        answer = await future
        ask.answered()
        return answer  # type: ignore[no-any-return]

    async def _ask_within(self, run: Life, ask: Ask, timeout: float | None) -> Any:
        """From a handler or hook: an edge in the graph of waits, and refused where it would close a circle."""
        cell = self._cell
        check_ask(run, cell, ask.message)
        with Edges((run.waiting,), Wait(cell, "ask", ask)):
            if timeout is not None:
                cell.runtime.deadlines.watch(ask, timeout)
            await self._put_ask(ask, timeout)
            answer = await ask.future
        ask.answered()
        return answer

    async def _put_ask(self, ask: Ask, timeout: float | None) -> None:
        sent = False
        try:
            await self._put(ask, ask.message, timeout)
            sent = True
        finally:
            if not sent and not ask.future.cancel() and not ask.future.cancelled():
                ask.future.exception()  # its deadline was the mailbox's, too: seen

    async def stop(self) -> None:
        """Stop in order and stay stopped (as terminate_child): the spec is kept, nothing is counted.

        Whoever gives up waiting does not give up the stop. That goes for drain(), kill() and terminate_child(), too.
        """
        await self._end(False)

    async def drain(self) -> None:
        """Handle what is queued, refuse what comes later, then stop."""
        await self._end(True)

    async def kill(self) -> None:
        """Crash it with reason `killed`: its restart type decides what follows."""
        cell = self._cell
        check_wait(cell, "kill")
        run = cell.run
        if run is not None:
            run.kill(StopReason("killed", "kill() was called"))
            await cell.runtime.deadlines.settled(run.exited(), None)

    async def stopped(self) -> StopReason:
        """Wait until it has ended for good, as a watcher is told it, and say why; restarts do not count.

        Raises:
            DeadlockError: this actor is a part of it.
        """
        cell = self._cell
        check_wait(cell, "end")
        run = blocked_run()
        if run is not None:
            check_ask(run, cell)
        ended = cell.runtime.future()
        forget = self._on_end(lambda reason: None if ended.done() else ended.set_result(reason))
        try:
            with NO_EDGE if run is None else Edges((run.waiting,), Wait(cell, "end")):
                return await ended  # type: ignore[no-any-return]
        finally:
            forget()

    def _on_end(self, tell: Callable[[StopReason], None]) -> Callable[[], None]:
        """Have `tell(reason)` called when it has ended for good, now if it has; what is returned takes that back."""
        cell = self._cell
        if cell.ended is not None:
            tell(cell.ended)
            return lambda: None
        ending = _Ending(tell)
        if cell.watchers is None:
            cell.watchers = {}
        cell.watchers[ending] = None
        return lambda: None if cell.watchers is None else cell.watchers.pop(ending, None)

    async def _end(self, drain: bool) -> None:
        cell = self._cell
        check_wait(cell, "stop")
        parent = cell.parent
        if parent is None:
            await cell.runtime.system.stop()
        elif cell.in_doubt:
            raise cell.dead()  # its supervisor is down and may bring it back: to return would be a lie
        elif parent.children.get(cell.id) is cell and not parent.ended:
            await parent.stop_child(cell, drain)

    def _refuse(self, message: Message) -> None:
        """Raise why `message` can't be sent; an actor that tells itself after stop_self gets a dead letter instead."""
        cell = self._cell
        owner = OWNER.get()
        if cell.closed is not None and owner is not None and owner.run is not None and owner.run is cell.run:
            cell.runtime.dead_letter(cell.path, message, "sent to itself after it was told to stop")
            return
        raise cell.refusal(message)

    async def _put(self, item: object, message: Message, timeout: float | None) -> None:
        cell = self._cell
        box = cell.box
        if box is None:
            raise cell.refusal(message)
        began = cell.runtime.time()
        try:
            if box.put_nowait(item):
                return
            with room_edge(blocked_run(), cell):
                await box.put(item, timeout, cell.runtime.deadlines)
        except Full:
            raise self._full(message, cell.runtime.time() - began) from None
        except Closed:
            raise cell.dead(message) from None

    def _full(self, message: Message, elapsed: float) -> MailboxFull:
        cell = self._cell
        capacity = 0 if cell.box is None else cell.box.capacity
        text = f"has a mailbox of {capacity}, full for {elapsed:.3f} s; {type(message).__name__} was not delivered"
        return cell.problem(MailboxFull, text, message=message, elapsed=elapsed)


class _Ending:
    """Hears of the end of one child, as a watch does, but by a call instead of a mailbox."""

    __slots__ = ("tell",)

    def __init__(self, tell: Callable[[StopReason], None]) -> None:
        self.tell = tell

    def receive(self, _cell: Cell, message: Terminated) -> None:
        """It has ended for good."""
        self.tell(message.reason)
