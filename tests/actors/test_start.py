"""Start and init: order, failures, deadlines, and what a caller may do meanwhile."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from actors import (
    ActorCrashed,
    AlreadyStarted,
    AutoShutdown,
    Backoff,
    ChildSpec,
    Intensity,
    Mailbox,
    MailboxFull,
    Restart,
    Shutdown,
    SpecError,
    StartError,
    Strategy,
    SupervisorSpec,
)
from actors.testing import TestSystem
from tests.actors.kit import Boom, Journal, Note, Number, Worker, fails, ignores, settle, states, takes, worker


async def test_start_returns_after_the_init_of_every_static_child_one_at_a_time_in_list_order(
    actor_system: TestSystem,
) -> None:
    """1."""
    journal, began = Journal(), actor_system.clock.time()
    children = [worker(name, journal, start=takes(1.0)) for name in "cab"]
    await actor_system.start_child(SupervisorSpec("sup", children=children))
    assert journal.events == ["init c#1", "start c#1", "init a#1", "start a#1", "init b#1", "start b#1"]
    assert actor_system.clock.time() - began == pytest.approx(3.0)


async def test_a_static_child_that_raises_in_init_fails_the_start_and_stops_the_earlier_ones_in_reverse(
    actor_system: TestSystem,
) -> None:
    """2."""
    journal = Journal()
    children = [worker("a", journal), worker("b", journal), worker("c", journal, start=fails())]
    with pytest.raises(StartError, match="c did not start: Boom: hook of incarnation 1") as caught:
        await actor_system.start_child(SupervisorSpec("sup", children=children))
    assert isinstance(caught.value.cause, StartError)
    assert isinstance(caught.value.cause.cause, Boom)
    assert journal.events == ["start a#1", "start b#1", "init c#1", "stop b#1", "stop a#1"]
    assert await actor_system.which_children() == ()


@pytest.mark.parametrize("restart", [Restart.PERMANENT, Restart.TRANSIENT])
async def test_a_child_that_ignores_its_start_is_listed_without_a_ref(
    actor_system: TestSystem, restart: Restart
) -> None:
    """3."""
    ref = await actor_system.start_child(worker("a", start=ignores(), restart=restart))
    (child,) = await actor_system.which_children()
    count = await actor_system.count_children()
    assert not ref.is_alive
    assert (child.id, child.ref, count.specs, count.active) == ("a", None, 1, 0)


async def test_a_temporary_child_that_ignores_its_start_leaves_no_trace(actor_system: TestSystem) -> None:
    """3."""
    spec = worker("a", start=ignores(), restart=Restart.TEMPORARY)
    await actor_system.start_child(spec)
    sup = await actor_system.start_child(SupervisorSpec("sup", children=(spec, worker("b"))))
    assert [child.id for child in await actor_system.which_children()] == ["sup"]
    assert [child.id for child in await sup.which_children()] == ["b"]


async def test_an_init_longer_than_its_start_timeout_fails_the_start_and_frees_the_name(
    actor_system: TestSystem,
) -> None:
    """5."""
    began = actor_system.clock.time()
    with pytest.raises(StartError) as caught:
        await actor_system.start_child(worker("a", start=takes(60.0), start_timeout=2.0))
    assert isinstance(caught.value.cause, TimeoutError)
    assert actor_system.clock.time() - began == pytest.approx(2.0)
    assert actor_system.leftovers() == ["/test"]
    assert (await actor_system.start_child(worker("a"))).is_alive


async def test_the_name_is_free_before_start_reports_failure(actor_system: TestSystem) -> None:
    """6."""
    for _ in range(100):
        with pytest.raises(StartError):
            await actor_system.start_child(worker("a", start=fails()))
        ref = await actor_system.start_child(worker("a"))
        await ref.stop()
        await actor_system.delete_child("a")


async def test_starting_a_taken_name_carries_the_existing_ref_and_leaves_that_actor_alone(
    actor_system: TestSystem,
) -> None:
    """7."""
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal))
    with pytest.raises(AlreadyStarted) as caught:
        await actor_system.start_child(worker("a", journal))
    assert caught.value.ref is ref
    assert await ref.ask(Number()) == 1
    assert journal.events == ["start a#1"]


BAD: dict[str, Any] = {
    "no id": ChildSpec("", Worker),
    "a slash in the id": ChildSpec("a/b", Worker),
    "no factory": ChildSpec("bad", None),  # type: ignore[arg-type]
    "unknown restart type": ChildSpec("bad", Worker, restart="always"),  # type: ignore[arg-type]
    "negative shutdown": ChildSpec("bad", Worker, shutdown=-1.0),
    "start timeout 0": ChildSpec("bad", Worker, start_timeout=0.0),
    "no room in the mailbox": ChildSpec("bad", Worker, mailbox=Mailbox(0)),
    "unknown overflow": ChildSpec("bad", Worker, mailbox=Mailbox(1, "spill")),  # type: ignore[arg-type]
    "backoff that shrinks": ChildSpec("bad", Worker, backoff=Backoff(factor=0.5)),
    "backoff upside down": ChildSpec("bad", Worker, backoff=Backoff(initial=2.0, maximum=1.0)),
    "duplicate id": ChildSpec("good", Worker),
    "period 0": SupervisorSpec("bad", intensity=Intensity(1, 0.0)),
    "negative intensity": SupervisorSpec("bad", intensity=Intensity(-1)),
    "unknown strategy": SupervisorSpec("bad", strategy="all"),  # type: ignore[arg-type]
    "more children than allowed": SupervisorSpec("bad", children=(worker("a"), worker("b")), max_children=1),
    "not a spec": "bad",
    "bad grandchild": SupervisorSpec("bad", children=(ChildSpec("", Worker),)),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_spec_is_rejected_before_any_child_starts(actor_system: TestSystem, name: str) -> None:
    """8."""
    journal = Journal()
    spec = SupervisorSpec("sup", children=(worker("good", journal), BAD[name]))
    with pytest.raises(SpecError, match=r"got .*(allowed|give)|two with id"):
        await actor_system.start_child(spec)
    assert journal.events == []
    assert await actor_system.which_children() == ()


@pytest.mark.parametrize(
    ("restart", "auto"),
    [(Restart.PERMANENT, AutoShutdown.ANY_SIGNIFICANT), (Restart.TRANSIENT, AutoShutdown.NEVER)],
)
async def test_significant_with_permanent_or_under_auto_shutdown_never_is_rejected(
    actor_system: TestSystem, restart: Restart, auto: AutoShutdown
) -> None:
    """9."""
    child = worker("a", restart=restart, significant=True)
    with pytest.raises(SpecError, match="significant"):
        await actor_system.start_child(SupervisorSpec("sup", children=(child,), auto_shutdown=auto))
    sup = await actor_system.start_child(SupervisorSpec("sup", auto_shutdown=auto))
    with pytest.raises(SpecError, match="significant"):
        await sup.start_child(child)


def test_defaults_are_readable_from_the_spec() -> None:
    """10."""
    child, supervisor = ChildSpec("a", Worker), SupervisorSpec("s")
    assert (child.restart, child.shutdown, child.start_timeout) == (Restart.PERMANENT, 5.0, 30.0)
    assert (child.significant, child.backoff, child.mailbox.capacity) == (False, None, 1024)
    assert (supervisor.restart, supervisor.shutdown) == (Restart.PERMANENT, Shutdown.INFINITE)
    assert (supervisor.strategy, supervisor.intensity) == (Strategy.ONE_FOR_ONE, Intensity(3, 5.0))
    assert (supervisor.auto_shutdown, supervisor.max_children) == (AutoShutdown.NEVER, None)


async def test_messages_sent_before_init_ends_wait_and_run_after_it(actor_system: TestSystem) -> None:
    """11."""
    journal = Journal()
    async with anyio.create_task_group() as group:
        group.start_soon(actor_system.start_child, worker("a", journal, start=takes(2.0)))
        await settle(1.0)
        (child,) = await actor_system.which_children()
        assert child.ref is not None
        await child.ref.tell(Note("early"))
        assert journal.events == ["init a#1"]
    await settle()
    assert journal.events == ["init a#1", "start a#1", "note a#1 early"]


class _EagerWorker(Worker):
    async def on_start(self) -> None:
        await self.context.ref.tell(Note("own"))
        with pytest.raises(MailboxFull):
            await self.context.ref.tell(Note("too many"))


async def test_a_mailbox_of_one_with_sends_during_init_does_not_deadlock_the_start(actor_system: TestSystem) -> None:
    """11."""
    journal = Journal()
    spec = ChildSpec("a", _EagerWorker, args=(journal,), mailbox=Mailbox(1))
    async with anyio.create_task_group() as group:
        with anyio.fail_after(1.0):
            ref = await actor_system.start_child(spec)
        group.start_soon(ref.tell, Note("second"))
    await settle()
    assert journal.events == ["note a#1 own", "note a#1 second"]


async def test_cancelling_the_caller_of_start_during_init_kills_that_child_only(actor_system: TestSystem) -> None:
    """12."""
    journal = Journal()
    sibling = await actor_system.start_child(worker("a", journal))
    with anyio.move_on_after(1.0) as scope:
        await actor_system.start_child(worker("b", journal, start=takes(10.0)))
    assert scope.cancelled_caught
    await settle()
    assert journal.events == ["start a#1", "init b#1"]
    assert [child.id for child in await actor_system.which_children()] == ["a"]
    assert await sibling.ask(Number()) == 1
    assert (await actor_system.start_child(worker("b"))).is_alive


async def test_a_start_cancelled_while_it_waits_its_turn_is_not_carried_out(actor_system: TestSystem) -> None:
    """12."""
    journal = Journal()
    async with anyio.create_task_group() as group:
        group.start_soon(actor_system.start_child, worker("a", journal, start=takes(5.0)))
        await settle()
        with anyio.move_on_after(1.0):
            await actor_system.start_child(worker("b", journal))
    await settle()
    assert journal.events == ["init a#1", "start a#1"]


async def test_a_failure_in_init_goes_to_the_starter_only(actor_system: TestSystem) -> None:
    """13."""
    with pytest.raises(StartError):
        await actor_system.start_child(worker("a", start=fails()))
    await settle()
    assert actor_system.recorded(ActorCrashed) == []


async def test_a_failure_in_after_start_goes_to_the_supervisor_as_a_crash(actor_system: TestSystem) -> None:
    """13."""
    journal = Journal()
    ref = await actor_system.start_child(worker("a", journal, after=fails(1)))
    await settle()
    (crash,) = actor_system.recorded(ActorCrashed)
    assert (crash.path, crash.incarnation, crash.reason.kind) == ("/test/a", 1, "crash")
    assert ref.incarnation == 2
    assert journal.events == ["start a#1", "stop a#1", "start a#2"]


async def test_a_raising_init_in_start_child_leaves_the_supervisor_alive_and_nothing_listed(
    actor_system: TestSystem,
) -> None:
    """14."""
    sup = await actor_system.start_child(SupervisorSpec("sup", children=(worker("a"),)))
    spec = worker("b", start=fails())
    with pytest.raises(StartError) as caught:
        await sup.start_child(spec)
    assert isinstance(caught.value.cause, Boom)
    assert caught.value.__cause__ is caught.value.cause
    assert (caught.value.child, caught.value.spec) == ("b", spec)
    assert await states(sup) == {"a": "running"}


async def test_a_factory_that_raises_or_makes_no_actor_fails_the_start(actor_system: TestSystem) -> None:
    """14."""
    factories: tuple[Any, ...] = (lambda: 1 / 0, lambda: "no actor")
    for factory in factories:
        with pytest.raises(StartError):
            await actor_system.start_child(ChildSpec("a", factory))
    assert await actor_system.which_children() == ()
