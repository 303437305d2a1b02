"""What tracing does around each handler. It is done in a table of its own, so that the loop pays nothing without it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from actors._core.cell import ActorLife
from actors._core.mailbox import origin_of, payload
from actors._core.tracing import Spans, Tokens, Tracing
from actors.events import complain

_FAILED = "an observer of actors' messages failed"


class _Around:
    """A context: what is to be done when a handler has ended, however it did, unless it goes on to be awaited."""

    __slots__ = ("_end", "_span", "_tokens", "goes_on")

    def __init__(self, end: Callable[[Tokens, Any, BaseException | None], None], tokens: Tokens, span: Any) -> None:
        self._end = end
        self._tokens = tokens
        self._span = span
        self.goes_on = False

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if not self.goes_on:
            self._end(self._tokens, self._span, error)


class TracedTable:
    """Stands in for the dispatch table of one life: each class leads to `_handle`, which calls the real handler."""

    __slots__ = ("_run", "_table", "_tracing")

    def __init__(self, run: ActorLife, table: Mapping[type, Any], tracing: Tracing) -> None:
        self._run = run
        self._table = table
        self._tracing = tracing

    def __getitem__(self, _: type) -> Any:
        return self._handle

    def _handle(self, actor: Any, _: Any) -> Any:
        item, tracing = self._run.current, self._tracing
        message, origin = payload(item), origin_of(item) or tracing.nobody
        handler = self._table[message.__class__]
        tokens = tracing.enter(origin)
        span = None if tracing.spans is None else self._begin(tracing.spans, message, handler, origin[0])
        around = _Around(self._end, tokens, span)
        with around:
            result = handler(actor, message)
            if result is not None and hasattr(result, "__await__"):
                around.goes_on = True
                return self._awaited(result, around)
        return result

    async def _awaited(self, work: Awaitable[Any], around: _Around) -> Any:
        """The rest of a handler, in the task that has begun it: so the variables can be set back here."""
        around.goes_on = False
        with around:
            return await work

    def _begin(self, spans: Spans, message: Any, handler: Any, sender: str | None) -> Any:
        try:
            return spans.begin(self._run, message, handler, sender)
        except BaseException as error:  # noqa: BLE001 - an observer stops nothing
            complain(error, _FAILED)
            return None

    def _end(self, tokens: Tokens, span: Any, error: BaseException | None) -> None:
        spans = self._tracing.spans
        if span is not None and spans is not None:
            try:
                spans.end(span, error)
            except BaseException as fault:  # noqa: BLE001 - an observer stops nothing
                complain(fault, _FAILED)
        self._tracing.leave(tokens)
