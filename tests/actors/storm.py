"""A system in bad weather: clerks who pass parcels on, people who send them, and misfortune; all drawn from one seed.

Everybody writes into a ledger what was sent, begun and done; `test_conservation.py` holds it against the events.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import anyio

from actors import (
    ActorError,
    ActorRef,
    Backoff,
    ChildSpec,
    DeadLetter,
    Intensity,
    Mailbox,
    Overflow,
    Reply,
    Restart,
    Shutdown,
    Strategy,
    SupervisorRef,
    SupervisorSpec,
    SystemFailed,
    TaskSpec,
)
from actors.testing import TestSystem
from tests.actors.clerk import ODD, PARCELS, QUERIES, Boom, Clerk, Ledger, Panic, Parcel, Query

SHUTDOWNS: tuple[float | Shutdown, ...] = (0.5, 5.0, 5.0, Shutdown.BRUTAL, Shutdown.INFINITE)


class Storm:
    """One system and all that happens to it, drawn from `seed`."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.ledger = Ledger()
        self.forgotten: list[tuple[Reply[int], int]] = []
        self.refs: list[ActorRef] = []
        self.policies: dict[str, Overflow] = {}  # by id
        self.insisting: list[anyio.CancelScope] = []
        self.system = TestSystem(seed=seed, intensity=Intensity(self.chance.choice([3, 10**6]), 1.0))

    def odd(self) -> BaseException:
        return self.chance.choice(ODD)()

    async def pause(self) -> None:
        """No turn, a turn of the loop, or up to two seconds."""
        await anyio.sleep(self.chance.choice([0, 0, 0.001, 0.1, 0.5, self.chance.random() * 2]))

    def target(self) -> ActorRef:
        """One of the clerks, most often a living one."""
        living = [ref for ref in self.refs if ref.is_alive] if self.chance.random() < 0.8 else []
        return self.chance.choice(living or self.refs)

    def clerk(self, id: str, restart: Restart | None = None, overflow: Overflow | None = None) -> ChildSpec:  # noqa: A002
        chance = self.chance
        policy = self.policies[id] = overflow or chance.choice(list(Overflow))
        return ChildSpec(
            id,
            Clerk,
            args=(self,),
            restart=restart or chance.choice(list(Restart)),
            backoff=chance.choice([None, Backoff(0.3, 1.0), Backoff(0.2, 0.2, max_restarts=2)]),
            mailbox=Mailbox(chance.randint(1, 4), policy),
            drain_on_stop=chance.random() < 0.3,
            shutdown=chance.choice(SHUTDOWNS),
            start_timeout=chance.choice([1.0, 30.0]),
        )

    def desk(self) -> SupervisorSpec:
        chance = self.chance
        return SupervisorSpec(
            "desk",
            children=[self.clerk("a"), self.clerk("b"), TaskSpec("task", self.work, shutdown=2.0), self.clerk("c")],
            strategy=chance.choice(list(Strategy)),
            intensity=Intensity(chance.choice([2, 5, 1000]), 3.0),
            parallel_shutdown=chance.random() < 0.3,
            backoff=chance.choice([None, Backoff(0.5, 1.0)]),
        )

    async def grow(self) -> None:
        """One clerk for each policy below the root, and a desk."""
        for overflow in Overflow:
            with contextlib.suppress(ActorError):
                self.refs.append(await self.system.start_child(self.clerk(overflow.value, overflow=overflow)))
        with contextlib.suppress(ActorError):
            await self.system.start_child(self.desk())
            self.refs += [self.system.find(f"/test/desk/{each}") for each in "abc"]
        while not self.refs:
            with contextlib.suppress(ActorError):
                await self.hire()

    def longest(self, sender: str) -> float | None:
        """Only people outside wait without an end: a stop hook that does may hold up the whole stop."""
        return None if sender.startswith("host") else 8.0

    async def send(self, sender: str) -> None:
        await self.tell(self.target(), sender, wait=self.chance.random() < 0.7)

    async def tell(self, ref: ActorRef, sender: str, *, wait: bool, deed: str = "") -> None:
        number, ledger = self.ledger.number(), self.ledger
        parcel = Parcel(number, sender, deed or self.chance.choice(PARCELS))
        try:
            if wait:
                await ref.tell(parcel, self.chance.choice([0.0, 0.1, 2.0, self.longest(sender)]))
            else:
                ref.tell_nowait(parcel)
        except BaseException as error:
            ledger.refused[number] = error
            if not isinstance(error, ActorError):
                raise
        else:
            ledger.told.add(number)

    async def ask(self, sender: str) -> None:
        number = self.ledger.number()
        outcomes = self.ledger.asked[number] = []
        query = Query(number, sender, self.chance.choice(QUERIES))
        limit, began = self.chance.choice([0.05, 1.0, 5.0, self.longest(sender)]), self.system.clock.time()
        try:
            outcomes.append(await self.target().ask(query, limit))
        except BaseException as error:
            outcomes.append(error)
            if not isinstance(error, ActorError | Boom):
                raise
        finally:
            if limit is not None and self.system.clock.time() > began + limit + 0.001:
                self.ledger.late.append(f"ask {number} within {limit} s ended by {outcomes}")

    async def correspond(self, name: str) -> None:
        """Somebody outside the tree who writes one message after the other."""
        for _ in range(self.chance.randint(5, 20)):
            await self.pause()
            if self.chance.random() < 0.3:
                await self.ask(name)
            elif self.chance.random() < 0.7:
                await self.send(name)
            else:
                await self.insist(name)

    async def insist(self, name: str) -> None:
        """Many messages at once to the same clerk, perhaps with little patience."""
        ref, patience = self.target(), self.chance.choice([0.0, 0.1, 1.0, 60.0, 60.0])
        with anyio.move_on_after(patience) as scope:
            self.insisting.append(scope)
            for _ in range(self.chance.randint(3, 12)):
                await self.tell(ref, name, wait=self.chance.random() < 0.8)

    async def work(self) -> int:
        number = self.ledger.number()
        log = self.ledger.tasks[number] = ["begun"]
        try:
            await self.pause()
            await self.send(f"task {number}")
            if self.chance.random() < 0.4:
                raise self.odd()
            return 7
        finally:
            log.append("ended")

    async def await_result(self) -> None:
        outcomes = self.ledger.awaited[self.ledger.number()] = []
        try:
            ref = await self.system.start_task(
                self.work, restart=self.chance.choice(list(Restart)[1:]), shutdown=2.0, deadline=10.0
            )
            if self.chance.random() < 0.3:
                await self.pause()
                ref.cancel()
            outcomes.append(await ref.result())
        except BaseException as error:
            outcomes.append(error)
            if not isinstance(error, Exception):
                raise

    async def step(self, counts: Counter[int], item: int) -> int:
        counts[item] += 1
        if self.chance.random() < 0.3:
            await self.pause()
        if self.chance.random() < 0.1:
            raise self.odd()
        return item

    async def map_items(self) -> None:
        counts = self.ledger.mapped[self.ledger.number()] = Counter()
        ordered, read = self.chance.random() < 0.5, set[int]()
        with contextlib.suppress(ActorError, ExceptionGroup):
            async for item in self.system.map(
                lambda each: self.step(counts, each), range(12), limit=3, ordered=ordered
            ):
                assert counts[item] == 1
                assert item not in read
                assert not ordered or item == max({item, *read})
                read.add(item)

    async def befall(self, host: list[asyncio.Task[None]]) -> None:
        """One thing goes wrong, and perhaps whoever wanted it does not wait for its end."""
        chance, ref = self.chance, self.target()
        above = self.system.find(ref.path.rpartition("/")[0])
        supervisor = above if isinstance(above, SupervisorRef) else self.system  # an actor's child has none of its own
        acts: list[Callable[[], Coroutine[Any, Any, Any]]] = [
            ref.kill,
            ref.stop,
            lambda: self.fill_and_drain(ref),
            lambda: self.fill_and_drain(ref),
            lambda: supervisor.restart_child(ref.id),
            lambda: supervisor.restart_child(ref.id),
            lambda: supervisor.terminate_child(ref.id),
            lambda: self.provoke(ref, supervisor),
            lambda: self.provoke(ref, supervisor),
            lambda: self.cancel(ref.path),
            lambda: self.cancel("/test/desk"),
            lambda: self.system.restart_child("desk"),
            lambda: self.cancel(chance.choice(host).get_name()),
            self.hire,
            lambda: self.hold(ref),
            lambda: self.hold(ref),
            lambda: self.system.restart(ref.path),
            lambda: self.system.restart(ref.path),
            lambda: self.system.restart("desk"),
            lambda: self.enrol(ref),
            lambda: self.enrol(ref),
            lambda: self.broadcast(f"crier {self.ledger.number()}"),
            lambda: self.budget(supervisor),
        ]
        with contextlib.suppress(ActorError), anyio.move_on_after(chance.choice([0.0, 0.1, 20.0, 20.0])):
            await chance.choice(acts)()

    def interrupt(self) -> None:
        """Somebody who writes many messages gives up."""
        for scope in self.insisting[-1:]:
            scope.cancel()

    async def provoke(self, ref: ActorRef, supervisor: SupervisorRef | TestSystem) -> None:
        """Its crash and a command that was given before meet."""
        await self.tell(ref, f"provoker {self.ledger.number()}", wait=False, deed="crash")
        await (supervisor.restart_child(ref.id) if self.chance.random() < 0.5 else supervisor.delete_child(ref.id))

    async def fill_and_drain(self, ref: ActorRef) -> None:
        sender = f"filler {self.ledger.number()}"
        for _ in range(3):
            await self.tell(ref, sender, wait=False, deed="keep")
        await ref.drain()

    async def hold(self, ref: ActorRef) -> None:
        """Suspended for a while; now and then nobody resumes it."""
        await self.system.suspend(ref.path, timeout=1.0)
        await self.pause()
        if self.chance.random() < 0.9:
            self.system.resume(ref.path)

    async def enrol(self, ref: ActorRef) -> None:
        """It gets a name, or loses it, and joins everybody."""
        registry = self.system.registry
        if not registry.unregister(f"name {ref.id}"):
            registry.register(f"name {ref.id}", ref)
        registry.join("everybody", ref)

    async def broadcast(self, sender: str) -> None:
        """The same parcel is no two parcels: only one member is in the group of each number."""
        registry, number, ref = self.system.registry, self.ledger.number(), self.target()
        registry.join(f"group {number}", ref)
        told = await registry.tell_all(f"group {number}", Parcel(number, sender, self.chance.choice(PARCELS)), 2.0)
        if told.delivered:
            self.ledger.told.add(number)
        else:
            (self.ledger.refused[number],) = told.refused.values()

    async def budget(self, supervisor: SupervisorRef | TestSystem) -> None:
        """Another restart budget, which may be used up already."""
        await supervisor.set_intensity(Intensity(self.chance.choice([1, 5, 1000]), self.chance.choice([0.5, 3.0])))

    async def hire(self) -> None:
        self.refs.append(await self.system.start_child(self.clerk(f"h{self.ledger.number()}")))

    async def cancel(self, name: str) -> None:
        """From outside, as a host does that finds the task."""
        for task in asyncio.all_tasks():
            if task.get_name() == name:
                task.cancel()

    async def bad_luck(self, host: list[asyncio.Task[None]]) -> None:
        for _ in range(self.chance.randint(2, 15)):
            await self.pause()
            with contextlib.suppress(ActorError):
                await self.befall(host)
            if self.forgotten and self.chance.random() < 0.3:
                reply, number = self.forgotten.pop()
                reply(number)

    async def blow(self) -> None:
        """Open the system, let it all happen, leave, and wait for everybody outside."""
        chance, host = self.chance, list[asyncio.Task[None]]()
        with contextlib.suppress(SystemFailed, Boom), anyio.fail_after(10_000):
            async with self.system:
                self.system.events.sink(lambda kind: kind is DeadLetter, self.ledger.bury)
                await self.grow()
                work = [self.correspond(f"host {number}") for number in range(chance.randint(2, 5))]
                work += [self.await_result() for _ in range(2)] + [self.map_items(), self.bad_luck(host)]
                host += [asyncio.create_task(each, name=f"host {number}") for number, each in enumerate(work)]
                await self.until_the_end(host)
        _, late = await asyncio.wait(host, timeout=600.0) if host else ((), ())
        assert not late, f"after the end {late} wait for ever"
        for task in host:
            if not task.cancelled() and not isinstance(task.exception(), Panic):
                task.result()

    async def until_the_end(self, host: list[asyncio.Task[None]]) -> None:
        """In calm, or in the middle of it all."""
        match self.chance.choice(["calm", "calm", "calm", "early", "raise", "helper", "cancel all"]):
            case "calm":
                await asyncio.wait(host, timeout=200.0)  # a forgotten reply keeps a patient asker for ever
                return
            case "early":
                await anyio.sleep(self.chance.random() * 5)
            case "raise":
                await anyio.sleep(self.chance.random() * 5)
                raise Boom
            case "helper":
                with anyio.move_on_after(5.0):
                    await anyio.sleep(self.chance.random() * 5)
                    await self.tell(self.target(), f"ender {self.ledger.number()}", wait=True, deed="end")
                    await anyio.sleep_forever()
            case "cancel all":
                await anyio.sleep(self.chance.random() * 5)
                others = asyncio.all_tasks() - {asyncio.current_task()}
                for task in sorted(others, key=asyncio.Task.get_name):
                    task.cancel()
