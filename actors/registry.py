"""Names and groups: who is found by what it is for, wherever it stands in the tree.

Names are unique, as in Elixir's `Registry`; groups are those of Erlang's `pg`. They belong to the ref: a restart keeps
them, and the end for good, as a watcher is told it, takes them away.
"""

from __future__ import annotations

from functools import partial

import msgspec
from anyio import create_task_group

from actors._core.registrations import Registrations
from actors._core.runtime import Runtime
from actors._core.tasks import GIVE_WAY, pause
from actors.errors import ActorDead, ActorError, InvalidMessage, MailboxFull, NameNotFound, NameTaken, SpecError
from actors.events import GroupJoined, GroupLeft, NameLeft, NameRegistered
from actors.messages import Message
from actors.ref import ActorRef
from actors.stop_reason import StopReason

_SHOWN = 10  # names in the text of an error
_REFUSALS = (MailboxFull, ActorDead, InvalidMessage)


class Told(msgspec.Struct, frozen=True):
    """What became of a message to a group: how many members' `tell` took it, and by path why the others' did not."""

    delivered: int
    refused: dict[str, ActorError]


class Registry:
    """The unique names and the groups of one system: `system.registry`."""

    __slots__ = ("_groups", "_names", "_runtime")

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._names: dict[str, ActorRef] = {}
        self._groups: dict[str, dict[ActorRef, None]] = {}

    def register(self, name: str, ref: ActorRef) -> None:
        """Give a name to an actor, a supervisor or a task; it may have several. Twice the same is fine.

        Raises:
            NameTaken: another one has it (`ref`). ActorDead: `ref` has ended for good. SpecError: an empty name, or
            the ref of another system.
        """
        self._check("register", name, ref)
        holder = self._names.get(name)
        if holder is ref:
            return
        if holder is not None:
            text = f"has the name {name!r}; use its ref, or choose another name"
            raise holder._cell.problem(NameTaken, text, name=name)
        self._names[name] = ref
        self._registrations(ref).names[name] = None
        self._changed(ref)
        self._runtime.publish(NameRegistered, ref.path, name=name)

    def unregister(self, name: str) -> bool:
        """Take a name away; False: nobody had it."""
        ref = self._names.pop(name, None)
        if ref is None:
            return False
        del self._registrations(ref).names[name]
        self._changed(ref)
        self._runtime.publish(NameLeft, ref.path, name=name)
        return True

    def whereis(self, name: str) -> ActorRef | None:
        """Who has this name, also while it waits for its restart; None: nobody."""
        return self._names.get(name)

    def lookup(self, name: str) -> ActorRef:
        """Who has this name.

        Raises:
            NameNotFound: nobody; `names` are those that there are.
        """
        ref = self._names.get(name)
        if ref is None:
            names = self.names()
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            there = f"{', '.join(names[:_SHOWN])}{more}" if names else "none"
            raise NameNotFound(f"nobody in {self._runtime.name} has the name {name!r}; there are: {there}", names=names)
        return ref

    def names(self) -> tuple[str, ...]:
        """All names, in the order in which they were given."""
        return tuple(self._names)

    def join(self, group: str, ref: ActorRef) -> None:
        """Make an actor, a supervisor or a task a member of a group, which is there while it has members.

        Twice the same is one membership, with the place of the first.

        Raises:
            ActorDead: `ref` has ended for good. SpecError: an empty name, or the ref of another system.
        """
        self._check("join", group, ref)
        members = self._groups.setdefault(group, {})
        if ref in members:
            return
        members[ref] = None
        self._registrations(ref).groups[group] = None
        self._changed(ref)
        self._runtime.publish(GroupJoined, ref.path, group=group)

    def leave(self, group: str, ref: ActorRef) -> bool:
        """End a membership; False: there was none."""
        if ref not in self._groups.get(group, ()):
            return False
        self._drop(group, ref)
        del self._registrations(ref).groups[group]
        self._changed(ref)
        self._runtime.publish(GroupLeft, ref.path, group=group)
        return True

    def members(self, group: str) -> tuple[ActorRef, ...]:
        """Who is in a group, in the order of joining; nobody, where there is no such group."""
        return tuple(self._groups.get(group, ()))

    def groups(self) -> tuple[str, ...]:
        """All groups that have members, the oldest first."""
        return tuple(self._groups)

    async def tell_all(self, group: str, message: Message, timeout: float | None = 5.0) -> Told:
        """Tell every member that there is at the call, in the order of joining; an actor that is one tells itself, too.

        First it goes to all that have room. Then those that are full are waited for side by side, for at most
        `timeout` seconds in all. Nobody is left out for another's sake: who is full, dead, or does not handle the
        class is in `Told.refused`, and nothing is raised. A message that a mailbox drops by its policy was taken.
        """
        runtime = self._runtime
        began = runtime.time()
        members = self.members(group)
        refused: dict[str, ActorError] = {}
        full: list[ActorRef] = []
        for ref in members:
            runtime.sends = sends = runtime.sends + 1
            if not sends % GIVE_WAY:
                await pause()
            if isinstance(_offer(ref, message, refused), MailboxFull):
                full.append(ref)
        if full:
            left = None if timeout is None else max(0.0, timeout - (runtime.time() - began))
            async with create_task_group() as tasks:
                for ref in full:
                    tasks.start_soon(_wait_for_room, ref, message, left, refused)
        return Told(len(members) - len(refused), refused)

    def tell_all_nowait(self, group: str, message: Message) -> Told:
        """Tell every member without waiting: who is full is in `Told.refused`, too."""
        refused: dict[str, ActorError] = {}
        members = self.members(group)
        for ref in members:
            _offer(ref, message, refused)
        return Told(len(members) - len(refused), refused)

    def _check(self, verb: str, name: str, ref: ActorRef) -> None:
        if not isinstance(name, str) or not name:
            raise SpecError(f"{verb}: got {name!r}; allowed: any text that is not empty")
        if not isinstance(ref, ActorRef):
            raise SpecError(f"{verb} {name!r}: got {type(ref).__name__}; allowed: an ActorRef")
        if ref._cell.runtime is not self._runtime:
            here = self._runtime.name
            raise SpecError(f"{verb} {name!r}: got {ref.path}, of another system; allowed: who lives in this {here}")
        if ref._cell.ended is not None:
            raise ref._cell.dead(reason=ref._cell.ended)

    def _registrations(self, ref: ActorRef) -> Registrations:
        """Its names and groups; from the first one on its end is watched for."""
        held = self._runtime.registrations.get(ref._cell)
        if held is None:
            held = Registrations(ref._on_end(partial(self._ended, ref)))
            self._runtime.registrations[ref._cell] = held
        return held

    def _changed(self, ref: ActorRef) -> None:
        """The roster shows it; who has neither names nor groups left costs nothing any more."""
        held = self._runtime.registrations[ref._cell]
        if not held.names and not held.groups:
            del self._runtime.registrations[ref._cell]
            held.forget()
        ref._cell.entry = None
        self._runtime.version += 1

    def _drop(self, group: str, ref: ActorRef) -> None:
        members = self._groups[group]
        del members[ref]
        if not members:
            del self._groups[group]

    def _ended(self, ref: ActorRef, _: StopReason) -> None:
        """It has ended for good: all is taken away before anybody hears of any of it."""
        held = self._runtime.registrations.pop(ref._cell, None)
        if held is None:
            return
        for name in held.names:
            del self._names[name]
        for group in held.groups:
            self._drop(group, ref)
        ref._cell.entry = None
        self._runtime.version += 1
        for name in held.names:
            self._runtime.publish(NameLeft, ref.path, name=name)
        for group in held.groups:
            self._runtime.publish(GroupLeft, ref.path, group=group)


def _offer(ref: ActorRef, message: Message, refused: dict[str, ActorError]) -> ActorError | None:
    """Tell one member without waiting; returns, and notes, why it did not take the message."""
    try:
        ref.tell_nowait(message)
    except _REFUSALS as error:
        refused[ref.path] = error
        return error
    return None


async def _wait_for_room(
    ref: ActorRef, message: Message, timeout: float | None, refused: dict[str, ActorError]
) -> None:
    try:
        await ref.tell(message, timeout)
    except _REFUSALS as error:
        refused[ref.path] = error
    else:
        del refused[ref.path]
