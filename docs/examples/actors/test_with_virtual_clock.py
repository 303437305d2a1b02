"""Tests of an actor that polls: hours pass at once, and faults come when the test wants them."""

import pytest

from actors import Actor, ActorCrashed, ActorRef, AskTimeout, Backoff, ChildSpec, Message, Request, handles
from actors.testing import Faults, Probe, TestSystem


class Poll(Message):
    pass


class Polled(Message):
    count: int


class Count(Request[int]):
    pass


class Poller(Actor):
    def __init__(self, listener: ActorRef) -> None:
        self.listener = listener
        self.count = 0

    async def on_start(self) -> None:
        self.context.send_every(3600.0, Poll(), key="poll")

    @handles
    async def poll(self, message: Poll) -> None:
        self.count += 1
        await self.listener.tell(Polled(self.count))

    @handles
    def get(self, message: Count) -> int:
        return self.count


async def test_it_polls_once_an_hour(actor_system: TestSystem, probe: Probe) -> None:
    await actor_system.start_child(ChildSpec("poller", Poller, args=(probe.ref,)))
    await probe.expect_nothing(within=3599.0)
    assert (await probe.expect(Polled, timeout=2.0)).count == 1
    assert (await probe.expect(Polled, timeout=3601.0)).count == 2


async def test_it_goes_on_after_a_crash(actor_system: TestSystem, probe: Probe) -> None:
    flawed = Faults.crash_on(Poller, nth=2)
    spec = ChildSpec("poller", flawed, args=(probe.ref,), backoff=Backoff(initial=60.0, maximum=60.0, jitter=0.0))
    await actor_system.start_child(spec)
    assert [(await probe.expect(Polled, timeout=3 * 3600.0)).count for _ in range(2)] == [1, 1]
    assert len(actor_system.recorded(ActorCrashed)) == 1


async def test_whoever_asks_one_that_hangs_is_not_kept(actor_system: TestSystem, probe: Probe) -> None:
    poller = await actor_system.start_child(ChildSpec("poller", Faults.hang_on(Poller), args=(probe.ref,)))
    with pytest.raises(AskTimeout, match="handling Count"):
        await poller.ask(Count(), timeout=10.0)
    await poller.kill()
    assert await poller.ask(Count()) == 0
