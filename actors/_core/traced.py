"""What tracing does around each handler. It is done in a table of its own, so that the loop pays nothing without it."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any

from actors._core.cell import ActorLife
from actors._core.mailbox import origin_of, payload
from actors._core.tracing import Tokens, Tracing
from actors.events import complain


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
        message = payload(item)
        handler = self._table[message.__class__]
        origin = origin_of(item) or tracing.nobody
        tokens = tracing.enter(origin)
        span = self._begin(message, handler, origin[0])
        try:
            result = handler(actor, message)
        except BaseException as error:
            self._leave(tokens, span, error)
            raise
        if result is not None and hasattr(result, "__await__"):
            return self._awaited(result, tokens, span)
        self._leave(tokens, span, None)
        return result

    async def _awaited(self, work: Awaitable[Any], tokens: Tokens, span: Any) -> Any:
        """The rest of a handler, in the task that has begun it: so the variables can be set back here."""
        failure = None
        try:
            return await work
        except BaseException as error:
            failure = error
            raise
        finally:
            self._leave(tokens, span, failure)
            failure = None  # it holds this frame

    def _begin(self, message: Any, handler: Any, sender: str | None) -> Any:
        spans = self._tracing.spans
        try:
            return None if spans is None else spans.begin(self._run, message, handler, sender)
        except BaseException as error:  # noqa: BLE001 - an observer stops nothing
            complain(error, _FAILED)
            return None

    def _leave(self, tokens: Tokens, span: Any, error: BaseException | None) -> None:
        if span is not None and self._tracing.spans is not None:
            try:
                self._tracing.spans.end(span, error)
            except BaseException as fault:  # noqa: BLE001 - an observer stops nothing
                complain(fault, _FAILED)
        self._tracing.leave(tokens)


_FAILED = "an observer of actors' messages failed"
