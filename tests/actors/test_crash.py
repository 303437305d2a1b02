"""Whatever is raised is a crash: reported with where it happened, restarted, and nothing of it is kept."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from actors import (
    Actor,
    ActorCrashed,
    ActorDead,
    ActorStopped,
    ActorSystem,
    ChildSpec,
    Intensity,
    Request,
    Restart,
    StartError,
    StopReason,
    SystemFailed,
    ZombieDetected,
    handles,
)
from actors.testing import TestSystem
from tests.actors.kit import Boom, Note, Number, settle


class Foreign(BaseException):
    """What extension modules in other languages raise, and test frameworks."""


class Mute(Exception):
    """Can't be printed."""

    def __str__(self) -> str:
        raise Foreign


def kinds() -> list[BaseException]:
    """Errors of every unusual kind."""
    return [Foreign("f"), Mute(), GeneratorExit("g"), BaseExceptionGroup("group", [Foreign("in it")]), StopIteration(1)]


class Where(Request[int]):
    """Fails in this place: "handler", "awaited" or "helper"."""

    place: str


class Exotic(Actor):
    """Raises `error` in incarnation 1, in one of its hooks or where a message says so."""

    def __init__(self, error: BaseException, hook: str = "") -> None:
        self.error, self.hook = error, hook

    async def pass_by(self, hook: str) -> None:
        if self.hook == hook and self.context.ref.incarnation == 1:
            raise self.error

    async def on_start(self) -> None:
        await self.pass_by("on_start")

    async def after_start(self) -> None:
        await self.pass_by("after_start")

    async def on_stop(self, reason: StopReason) -> None:
        await self.pass_by("on_stop")

    def inspect(self) -> dict[str, Any]:
        if self.hook == "inspect":
            raise self.error
        return {}

    async def fall(self) -> int:
        await anyio.sleep(1.0)
        raise self.error

    @handles
    def where(self, message: Where) -> Any:
        if message.place == "helper":
            self.context.run_task(self.fall(), reply=self.context.defer_reply())
            return None
        if message.place == "awaited":
            return self.fall()
        raise self.error

    @handles
    def number(self, message: Number) -> int:
        return self.context.ref.incarnation


def names(error: BaseException) -> str:
    return type(error).__name__


@pytest.mark.parametrize("place", ["handler", "awaited", "helper"])
@pytest.mark.parametrize("error", kinds(), ids=names)
async def test_whatever_a_handler_or_a_helper_raises_is_one_crash(
    actor_system: TestSystem, error: BaseException, place: str
) -> None:
    ref = await actor_system.start_child(ChildSpec("a", Exotic, args=(error,)))
    with pytest.raises(ActorDead):
        await ref.ask(Where(place))
    assert await ref.ask(Number()) == 2
    (crash,) = actor_system.recorded(ActorCrashed)
    assert names(error) in crash.reason.detail or "StopIteration" in crash.reason.detail
    assert actor_system.recorded(ZombieDetected) == []


@pytest.mark.parametrize("error", kinds()[:-1], ids=names)
async def test_whatever_on_start_raises_fails_the_start_at_once_with_its_cause(
    actor_system: TestSystem, error: BaseException
) -> None:
    began = anyio.current_time()
    with pytest.raises(StartError, match=names(error)) as caught:
        await actor_system.start_child(ChildSpec("a", Exotic, args=(error, "on_start")))
    assert caught.value.__cause__ is error
    assert anyio.current_time() == began
    assert await actor_system.which_children() == ()


@pytest.mark.parametrize("error", kinds()[:-1], ids=names)
async def test_whatever_after_start_raises_is_a_crash(actor_system: TestSystem, error: BaseException) -> None:
    ref = await actor_system.start_child(ChildSpec("a", Exotic, args=(error, "after_start")))
    assert await ref.ask(Number()) == 2


@pytest.mark.parametrize("error", kinds()[:-1], ids=names)
async def test_whatever_on_stop_raises_is_reported_and_the_stop_goes_on(
    actor_system: TestSystem, error: BaseException
) -> None:
    ref = await actor_system.start_child(ChildSpec("a", Exotic, args=(error, "on_stop")))
    began = anyio.current_time()
    await ref.stop()
    assert anyio.current_time() == began
    (crash,) = actor_system.recorded(ActorCrashed)
    assert f"on_stop raised {names(error)}" in crash.reason.detail
    assert actor_system.recorded(ActorStopped, ZombieDetected) == []


@pytest.mark.parametrize("error", kinds()[:-1], ids=names)
async def test_a_view_of_itself_that_raises_hides_neither_crash_nor_roster(
    actor_system: TestSystem, error: BaseException
) -> None:
    ref = await actor_system.start_child(ChildSpec("a", Exotic, args=(error, "inspect")))
    entry = actor_system.roster(detail=True).find("/test/a")
    assert entry is not None
    assert entry.detail == {"inspect": f"failed: {names(error)}"}
    with pytest.raises(ActorDead):
        await ref.ask(Where("handler"))
    assert await ref.ask(Number()) == 2


async def test_a_group_that_holds_a_keyboard_interrupt_ends_the_system_as_that_alone() -> None:
    error = BaseExceptionGroup("group", [Boom("other"), BaseExceptionGroup("inner", [KeyboardInterrupt()])])
    with pytest.raises(KeyboardInterrupt):
        async with TestSystem() as system:
            await (await system.start_child(ChildSpec("a", Exotic, args=(error,)))).ask(Where("awaited"))


async def test_a_long_text_of_an_error_is_cut_in_reports(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(ChildSpec("a", Exotic, args=(Boom("x" * 1_000_000),)))
    with pytest.raises(ActorDead) as caught:
        await ref.ask(Where("handler"))
    (crash,) = actor_system.recorded(ActorCrashed)
    entry = actor_system.roster().find("/test/a")
    assert entry is not None
    assert "1,000,000 characters" in crash.reason.detail
    assert max(map(len, (crash.reason.detail, str(caught.value), entry.last_error or ""))) < 3_000
    assert len(crash.traceback) < 10_000


class Broken(logging.Filter):
    """A fault in a host's logging."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def filter(self, record: logging.LogRecord) -> bool:
        raise self.error


@pytest.fixture(params=["", "asyncio"])
def broken_log(request: pytest.FixtureRequest) -> Iterator[BaseException]:
    """A log that raises at each line; with "asyncio", the log of the loop's exception handler does it as well."""
    error = Foreign("no disk") if request.param == "" else Boom("no disk")
    loggers, broken = [logging.getLogger("actors"), logging.getLogger(request.param or "actors")], Broken(error)
    for each in loggers:
        each.addFilter(broken)
    yield error
    for each in loggers:
        each.removeFilter(broken)


async def test_a_log_that_raises_stops_no_supervision(actor_system: TestSystem, broken_log: BaseException) -> None:
    ref = await actor_system.start_child(ChildSpec("a", Exotic, args=(Boom(),)))
    with pytest.raises(ActorDead):
        await ref.ask(Where("handler"))
    assert await ref.ask(Number()) == 2


@pytest.mark.parametrize("part", ["wants", "write"])
async def test_a_sink_that_raises_is_told_to_the_loop_and_stops_no_supervision(
    actor_system: TestSystem, part: str
) -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    error = Foreign("sink")

    def fail(_: Any) -> Any:
        raise error

    actor_system.events.sink(fail if part == "wants" else lambda kind: kind is ActorCrashed, fail)
    ref = await actor_system.start_child(ChildSpec("a", Exotic, args=(Boom(),)))
    with pytest.raises(ActorDead):
        await ref.ask(Where("handler"))
    assert await ref.ask(Number()) == 2
    assert error in [context["exception"] for context in told]


class Chained(Actor):
    """Fails with a chain of errors; each frame holds something large."""

    def __init__(self, large: list[weakref.ref[Any]]) -> None:
        self.large = large
        large.append(weakref.ref(self))

    def first(self) -> None:
        held = Large()
        self.large.append(weakref.ref(held))
        raise KeyError("first")

    async def second(self) -> None:
        try:
            self.first()
        except KeyError as error:
            raise ExceptionGroup("second", [LookupError("in it")]) from error

    async def on_stop(self, reason: StopReason) -> None:
        await self.second()

    @handles
    async def note(self, message: Note) -> None:
        await self.second()


class Large:
    """Something large."""


async def test_a_crash_keeps_neither_the_actor_nor_a_frame_alive(actor_system: TestSystem) -> None:
    """hazard: memory growth by tracebacks."""
    large: list[weakref.ref[Any]] = []
    ref = await actor_system.start_child(ChildSpec("a", Chained, args=(large,), restart=Restart.TEMPORARY))
    await ref.tell(Note())
    await settle()
    gc.collect()
    assert [each() for each in large] == [None] * 3  # the actor, and what two calls held
    (crash,) = actor_system.recorded(ActorCrashed)
    assert isinstance(crash.reason.error.__cause__, KeyError)


async def test_who_gets_the_error_of_a_crash_reads_where_it_happened(actor_system: TestSystem) -> None:
    ref = await actor_system.start_child(ChildSpec("a", Exotic, args=(Boom("here"),)))
    for number in (1, 2):
        with pytest.raises(ActorDead) as caught:
            await ref.ask(Where("awaited"))
        assert isinstance(caught.value.__cause__, Boom)
        (note,) = caught.value.__cause__.__notes__  # of the newest crash by this very error
        assert note.startswith(f"Traceback of the crash in /test/a #{number}, handling Where:")
        assert "in fall" in note
        assert ref.incarnation >= number


async def test_the_log_of_a_crash_has_traceback_and_message_type(
    actor_system: TestSystem, caplog: pytest.LogCaptureFixture
) -> None:
    ref = await actor_system.start_child(ChildSpec("a", Exotic, args=(Boom("here"),)))
    with pytest.raises(ActorDead):
        await ref.ask(Where("handler"))
    await settle()
    (record,) = [each for each in caplog.records if each.getMessage().startswith("event='ActorCrashed'")]
    text = record.getMessage()
    assert "message_type='Where'" in text
    assert "\nTraceback (most recent call last):\n" in text
    assert text.endswith("Boom: here")
    assert record.fields["exception"] in text  # type: ignore[attr-defined]


async def test_the_error_of_a_failed_system_says_where_it_happened() -> None:
    async def body() -> None:
        async with ActorSystem("test", intensity=Intensity(0)) as system:
            ref = await system.start_child(ChildSpec("a", Exotic, args=(Boom("here"),)))
            await ref.tell(Where("awaited"))
            await anyio.sleep_forever()

    with pytest.raises(SystemFailed) as caught:
        await body()
    assert isinstance(caught.value.cause, Boom)
    assert "in fall" in caught.value.cause.__notes__[0]
