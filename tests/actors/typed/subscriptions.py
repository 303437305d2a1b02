"""What a subscription gives. A line with `ignore` must be refused by the checker it names; no other may."""

from __future__ import annotations

from typing import assert_type

from actors import ActorCrashed, ActorSystem, DeadLetter, Event, Subscription


class LateTick(Event, frozen=True, kw_only=True):
    seconds: float


def letters(_: Subscription[DeadLetter]) -> None: ...


def anything(_: Subscription[Event]) -> None: ...


async def one_class(system: ActorSystem) -> None:
    async for event in system.events.subscribe(ActorCrashed):
        assert_type(event, ActorCrashed)
        event.message  # type: ignore[attr-defined]  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]
    with system.events.subscribe(LateTick, capacity=10) as late:
        assert_type(late, Subscription[LateTick])
        assert_type(late.get_nowait(), LateTick | None)
        assert_type(await anext(late), LateTick)


async def none_is_all_of_them(system: ActorSystem) -> None:
    assert_type(system.events.subscribe(), Subscription[Event])
    assert_type(system.events.subscribe(capacity=1), Subscription[Event])


async def several_classes(system: ActorSystem) -> None:
    async for event in system.events.subscribe(ActorCrashed, DeadLetter):
        assert_type(event.path, str)
        if isinstance(event, DeadLetter):
            assert_type(event, DeadLetter)
    # mypy infers their common base, and takes the union where it is asked for; pyright infers the union
    assert_type(system.events.subscribe(ActorCrashed, DeadLetter), Subscription[Event])  # pyright: ignore[reportAssertTypeFailure]
    union: Subscription[ActorCrashed | DeadLetter] = system.events.subscribe(ActorCrashed, DeadLetter)
    assert_type(await anext(union), ActorCrashed | DeadLetter)


async def another_event(system: ActorSystem) -> None:
    crashes = system.events.subscribe(ActorCrashed)
    anything(crashes)
    letters(crashes)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    wrong: Subscription[DeadLetter] = crashes  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    made: Subscription[DeadLetter] = system.events.subscribe(ActorCrashed)  # type: ignore[arg-type]  # pyright: ignore[reportAssignmentType]
    one: DeadLetter | None = crashes.get_nowait()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    next_one: DeadLetter = await anext(crashes)  # type: ignore[arg-type]  # pyright: ignore[reportAssignmentType]
    system.events.subscribe(int)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
    system.events.subscribe("ActorCrashed")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    assert [wrong, made, one, next_one]
