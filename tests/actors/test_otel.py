"""Spans of OpenTelemetry for handled messages, read from the in-memory exporter of its SDK."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
import pytest_asyncio
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from actors import (
    Actor,
    ActorDead,
    ActorError,
    ActorRef,
    ActorSystem,
    AskRejected,
    ChildSpec,
    Message,
    Reject,
    Request,
    StopReason,
    handles,
)
from actors.otel import instrument
from actors.testing import TestSystem
from tests.actors.kit import settle


class Add(Message):
    amount: int = 1


class Total(Request[int]):
    how: str = "return"


class Counter(Actor):
    def __init__(self, other: ActorRef | None = None) -> None:
        self.total = 0
        self.other = other

    async def on_start(self) -> None:
        TRACER.start_span("on_start").end()

    async def on_stop(self, reason: StopReason) -> None:
        TRACER.start_span("on_stop").end()

    @handles
    def add(self, message: Add) -> None:
        self.total += message.amount

    @handles
    async def get(self, message: Total) -> int:
        if message.how == "reject":
            raise Reject("closed", "not today")
        if message.how == "hang":
            await anyio.sleep_forever()
        if message.how == "task":
            return await self.context.run_task(self._later()).result()
        if self.other is not None:
            await self.other.tell(Add())
            return await self.other.ask(Total())
        return 1 // self.total

    async def _later(self) -> int:
        with TRACER.start_as_current_span("later"):
            await anyio.sleep(1)
        return 1


EXPORTER, BROKEN, PROVIDER = InMemorySpanExporter(), SpanProcessor(), TracerProvider()
PROVIDER.add_span_processor(SimpleSpanProcessor(EXPORTER))
PROVIDER.add_span_processor(BROKEN)
TRACER = PROVIDER.get_tracer("tests")


class Spans:
    """What the exporter got, by name."""

    def all(self) -> list[ReadableSpan]:
        return list(EXPORTER.get_finished_spans())

    def names(self) -> list[str]:
        return [span.name for span in self.all()]

    def __getitem__(self, name: str) -> ReadableSpan:
        (span,) = (span for span in self.all() if span.name == name)
        return span


@pytest.fixture
def spans() -> Spans:
    EXPORTER.clear()
    return Spans()


@pytest_asyncio.fixture
async def system(spans: Spans) -> AsyncIterator[TestSystem]:
    with TRACER.start_as_current_span("whoever opens the system"):
        system = instrument(TestSystem("t"), TRACER)
        await system.__aenter__()
    EXPORTER.clear()
    yield system
    await system.__aexit__(None, None, None)


def parent(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def own(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.span_id)


async def test_a_span_for_each_handled_message(system: TestSystem, spans: Spans) -> None:
    ref = await system.start_child(ChildSpec("counter", Counter))
    await ref.tell(Add())
    assert await ref.ask(Total()) == 1
    assert spans.names() == ["on_start", "Counter.add", "Counter.get"]
    span = spans["Counter.add"]
    assert dict(span.attributes or {}) == {
        "actors.path": "/t/counter",
        "actors.incarnation": 1,
        "actors.message": "Add",
    }
    assert span.kind is trace.SpanKind.CONSUMER
    assert span.status.is_unset
    assert {parent(each) for each in spans.all()} == {None}, "nobody's span was current"


async def test_it_is_below_the_span_in_which_the_message_was_sent(system: TestSystem, spans: Spans) -> None:
    other = await system.start_child(ChildSpec("other", Counter))
    ref = await system.start_child(ChildSpec("counter", Counter, (other,)))
    with TRACER.start_as_current_span("request") as request:
        assert await ref.ask(Total()) == 1
        assert trace.get_current_span() is request
    first, second = (span for span in spans.all() if span.name == "Counter.get" and span.attributes)
    (asked, asker) = (first, second) if own(second) == parent(first) else (second, first)
    assert parent(asked) == parent(spans["Counter.add"]) == own(asker)
    assert parent(asker) == own(spans["request"])
    assert (asked.attributes or {})["actors.sender"] == "/t/counter"
    assert "actors.sender" not in (asker.attributes or {})
    await ref.ask(Total("task"))
    assert parent(spans.all()[-1]) is None, "the request before is over"


async def test_a_task_that_a_handler_begins_is_below_it(system: TestSystem, spans: Spans) -> None:
    ref = await system.start_child(ChildSpec("counter", Counter))
    assert await ref.ask(Total("task")) == 1
    assert parent(spans["later"]) == own(spans["Counter.get"])


async def test_a_crash_is_the_error_of_its_span_and_no_span_is_left_over(system: TestSystem, spans: Spans) -> None:
    ref = await system.start_child(ChildSpec("counter", Counter))
    with pytest.raises(ActorDead):
        await ref.ask(Total())
    span = spans["Counter.get"]
    assert span.status.status_code is trace.StatusCode.ERROR
    assert span.status.description == "ZeroDivisionError: integer division or modulo by zero"
    (event,) = span.events
    assert (event.attributes or {})["exception.type"] == "ZeroDivisionError"
    await settle()
    assert parent(spans["on_stop"]) is None
    await ref.tell(Add())
    await settle()
    assert (spans["Counter.add"].attributes or {})["actors.incarnation"] == 2
    assert parent(spans["Counter.add"]) is None


async def test_a_kill_is_the_error_of_the_span_in_hand(system: TestSystem, spans: Spans) -> None:
    ref = await system.start_child(ChildSpec("counter", Counter))
    asker = asyncio.ensure_future(ref.ask(Total("hang")))
    await settle()
    await ref.kill()
    with pytest.raises(ActorDead):
        await asker
    assert spans["Counter.get"].status.status_code is trace.StatusCode.ERROR


async def test_a_reject_is_no_error(system: TestSystem, spans: Spans) -> None:
    ref = await system.start_child(ChildSpec("counter", Counter))
    with pytest.raises(AskRejected):
        await ref.ask(Total("reject"))
    span = spans["Counter.get"]
    assert span.status.is_unset
    assert not span.events
    assert (span.attributes or {})["actors.rejected"] == "closed"


@pytest.mark.parametrize("where", ["on_start", "on_end"])
async def test_what_a_processor_of_spans_raises_stops_nobody(
    system: TestSystem, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: complaints.append(what))
    ref = await system.start_child(ChildSpec("counter", Counter))
    monkeypatch.setattr(BROKEN, where, _fail)
    await ref.tell(Add(5))
    await ref.tell(Add(-4))
    assert await ref.ask(Total()) == 1
    assert ref.incarnation == 1
    monkeypatch.undo()
    assert [str(each["exception"]) for each in complaints] == ["the exporter's disk is full"] * 3


def _fail(*_: Any, **__: Any) -> None:
    raise OSError("the exporter's disk is full")


async def test_a_system_is_instrumented_once_and_before_it_is_opened(system: TestSystem) -> None:
    for given in (system, instrument(ActorSystem("twice"))):
        with pytest.raises(ActorError, match="instrument a system once, before it is opened"):
            instrument(given)


async def test_the_tracer_is_that_of_the_global_provider_unless_told(spans: Spans) -> None:
    async with instrument(TestSystem("s")) as system:
        ref = await system.start_child(ChildSpec("counter", Counter))
        await ref.tell(Add())
        assert await ref.ask(Total()) == 1
    assert spans.names() == ["on_start", "on_stop"], "no global provider is set: its spans go nowhere"


def test_nothing_but_this_module_imports_opentelemetry() -> None:
    code = (
        "import sys, actors; [getattr(actors, name) for name in actors.__all__]; import actors.testing;"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')];"
        "sys.modules['opentelemetry'] = None\n"
        "try:\n    import actors.otel\nexcept ModuleNotFoundError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("actors.otel needs opentelemetry-api (")
    assert done.stdout.endswith("install it, or the package with its extra: [otel]\n")
