"""What grows in the state machine: actors and tasks that do as they are told, and trees of them."""

from __future__ import annotations

import asyncio

import anyio
import anyio.lowlevel
from hypothesis import strategies as st

from actors import IGNORE, Actor, Backoff, Ignore, Intensity, Request, Restart, StopReason, Strategy, handles
from tests.actors.clerk import ODD
from tests.actors.kit import Crash, Note, Number, Quit, turns
from tests.actors.model import FAILED, IGNORED, UP, Group, Job, Model, Node

WITHIN = 9.7  # no sum of the delays below comes this near to a border


class Patience(Request[int]):
    """Is answered three seconds later, by a task beside the mailbox."""


class World:
    """What the actors do and are told to do."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.twins: list[str] = []
        self.orders: dict[str, asyncio.Future[BaseException | None]] = {}  # what ends a task, by its path
        self.model: Model

    def odd(self) -> BaseException:
        """An error of any class, in turn."""
        return ODD[len(self.events) % len(ODD)]()

    async def work(self, path: str) -> None:
        """A supervised task: waits for its order to return (None) or to raise."""
        order = self.orders[path] = asyncio.get_running_loop().create_future()
        error = await order
        if error is not None:
            raise error


class Leaf(Actor):
    def __init__(self, world: World) -> None:
        self.world = world

    def note(self, event: str) -> None:
        self.world.events.append(f"{event} {self.context.ref.path}#{self.context.ref.incarnation}")

    async def on_start(self) -> Ignore | None:
        self.note("init")
        here = self.context.ref.path
        if sum(owner.alive and owner.path == here for owner in self.context.system._opened().tasks.tasks.values()) > 1:
            self.world.twins.append(self.world.events[-1])
        plan = self.world.model.plans[f"runtime {self.context.ref.path}"]
        outcome = plan.popleft() if plan else UP
        await anyio.lowlevel.checkpoint()
        if outcome == FAILED:
            raise self.world.odd()
        if outcome == IGNORED:
            return IGNORE
        self.note("start")
        return None

    async def on_stop(self, reason: StopReason) -> None:
        await anyio.lowlevel.checkpoint()
        self.note("stop")
        error = self.world.odd()
        if len(self.world.events) % 3 == 0 and not isinstance(error, asyncio.CancelledError):
            raise error

    @handles
    def crash(self, message: Crash) -> None:
        raise self.world.odd()

    @handles
    async def write(self, message: Note) -> None:
        await turns(5)  # so that others are queued when a drain begins
        self.note("note")

    @handles
    def quit(self, message: Quit) -> None:
        self.context.stop_self()

    @handles
    def number(self, message: Number) -> int:
        return self.context.ref.incarnation

    @handles
    def patience(self, message: Patience) -> int:
        async def later() -> int:
            await anyio.sleep(3.0)
            return self.context.ref.incarnation

        self.context.run_task(later(), reply=self.context.defer_reply())
        return 0


BACKOFFS = st.sampled_from(
    [
        None,
        None,
        Backoff(initial=1.0, maximum=4.0, jitter=0.0, reset_after=3.3),
        Backoff(initial=2.0, maximum=2.0, jitter=0.0, reset_after=3.3, max_restarts=1),
    ]
)
RESTARTS = st.sampled_from([Restart.PERMANENT, Restart.PERMANENT, Restart.TRANSIENT, Restart.TEMPORARY])
BUDGETS = st.sampled_from([0, 1, 2, 5]).map(lambda restarts: Intensity(restarts, WITHIN))
INDEX = st.integers(0, 59)  # of a child, modulo their number
STRATEGIES = st.sampled_from(list(Strategy))


KINDS = st.sampled_from([Node, Node, Job])


def leaves(prefix: str, largest: int) -> st.SearchStrategy[list[Node]]:
    """One to `largest` actors and tasks."""
    kinds = st.lists(st.tuples(KINDS, RESTARTS, BACKOFFS), min_size=1, max_size=largest)
    return kinds.map(lambda found: [each[0](f"{prefix}{n}", *each[1:]) for n, each in enumerate(found)])


INNER = st.builds(
    Group,
    id=st.just("inner"),
    restart=st.sampled_from([Restart.PERMANENT, Restart.TRANSIENT]),
    backoff=BACKOFFS,
    strategy=STRATEGIES,
    intensity=BUDGETS,
    static=leaves("x", 3),
)
OUTER = st.builds(
    lambda before, inner, after, strategy, budget: Group(
        "outer", strategy=strategy, intensity=budget, static=[*before, inner, *after]
    ),
    leaves("a", 2),
    INNER,
    leaves("b", 2),
    STRATEGIES,
    BUDGETS,
)
