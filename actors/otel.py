"""Spans of OpenTelemetry: one for each message that is handled, below the span in which it was sent.

An extra, off by default: it needs opentelemetry-api, which nothing else here imports. Whoever runs the program brings
an SDK and an exporter; without them the spans go nowhere.
"""

from __future__ import annotations

from typing import Any, TypeVar

from actors._core.error_text import describe
from actors._core.tracing import Tracing
from actors.errors import ActorError, Reject
from actors.system import ActorSystem

try:
    from opentelemetry import context, trace
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f"actors.otel needs opentelemetry-api ({missing}); install it, or the package with its extra: [otel]",
        name=missing.name,
    ) from missing

__all__ = ["instrument"]

S = TypeVar("S", bound=ActorSystem)


class _CurrentContext:
    """OpenTelemetry's current context, with the span in it, used as a context variable."""

    def get(self, _: Any) -> Any:
        return context.get_current()

    def set(self, value: Any) -> Any:
        return context.attach(value)

    def reset(self, token: Any) -> None:
        context.detach(token)


class _Spans:
    """A span from the beginning of a handler to its end; what it awaits, sends and begins is below it."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    def begin(self, run: Any, message: Any, handler: Any, sender: str | None) -> trace.Span:
        kind = type(message).__name__
        attributes = {"actors.path": run.cell.path, "actors.incarnation": run.number, "actors.message": kind}
        if sender is not None:
            attributes["actors.sender"] = sender
        name = f"{type(run.actor).__name__}.{getattr(handler, '__name__', kind)}"
        span = self._tracer.start_span(name, kind=trace.SpanKind.CONSUMER, attributes=attributes)
        context.attach(trace.set_span_in_context(span))  # detached with the sender's, which was attached before it
        return span

    def end(self, span: trace.Span, error: BaseException | None) -> None:
        try:
            if isinstance(error, Reject):
                span.set_attribute("actors.rejected", error.code)
            elif error is not None:
                span.set_status(trace.StatusCode.ERROR, describe(error))
                span.record_exception(error)
        finally:
            span.end()


def instrument(system: S, tracer: trace.Tracer | None = None) -> S:
    """Make a span for each message that is handled in `system`, before it is opened; returns it.

    The span's name is "Counter.add", its kind CONSUMER, its parent whatever span was current where the message was
    sent. A crash of the handler is its error, a Reject is none: it is the attribute `actors.rejected`. Senders are
    recorded as by `ActorSystem(trace=True)`.

    Args:
        system: not open yet.
        tracer: default: that of the global tracer provider.

    Raises:
        ActorError: the system is open, or was instrumented before.
    """
    tracing = system._tracing
    if system._runtime is not None or (tracing is not None and tracing.spans is not None):
        raise ActorError(f"{system.name}: instrument a system once, before it is opened")
    if tracing is None:
        tracing = system._tracing = Tracing(system.name, ())
    tracing.spans = _Spans(tracer or trace.get_tracer("actors"))
    tracing.carry(_CurrentContext(), context.Context())
    return system
