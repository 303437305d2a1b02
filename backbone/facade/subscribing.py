"""How the facade subscribes: so many at once, each with a name of its own, and let go of when it is left."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import cast

import anyio

from backbone.calls import Calls
from backbone.domain import arguments
from backbone.domain.dimension import Dimension
from backbone.facade.reading import Reader
from backbone.facade.subscription import Subscription
from backbone.settings import Settings
from backbone.store.errors import Unsupported
from backbone.stream.child import CONSUMER
from backbone.stream.port import Start
from backbone.stream.records import Place
from backbone.stream.resume import Resume

__all__ = ["Subscribing"]

_LEAVE_TIMEOUT = 5.0


class Subscribing:
    """Makes subscriptions, and knows how many are open.

    Args:
        settings: whether there are consumers, and how many subscriptions of how many symbols may be open.
        calls: where the consumer is.
        reader: knows how symbols are spelled.
        require_open: raises where the backbone was left.
        still_open: the same, also where the host has ended the actor system.
    """

    def __init__(
        self,
        settings: Settings,
        calls: Calls,
        reader: Reader,
        require_open: Callable[[], None],
        still_open: Callable[[], None],
    ) -> None:
        self.settings = settings
        self._calls = calls
        self._reader = reader
        self._require_open = require_open
        self._still_open = still_open
        self._made = 0
        self._open = 0

    def subscribe(
        self, dimension: Dimension | str, symbols: Sequence[str], start: Start | str | Place
    ) -> AbstractAsyncContextManager[Subscription]:
        """See Backbone.subscribe; a place is where another subscription came to."""
        wanted = (
            Dimension.parse(dimension),
            self._symbols(symbols),
            start if isinstance(start, Place) else _start(start),
        )
        if not self.settings.stream.consume:
            raise Unsupported(
                "stream.consume is false: changes are published, nothing is consumed here; "
                "set BACKBONE_STREAM_CONSUME=true to subscribe"
            )
        self._require_published(wanted[0])
        return self._subscribed(*wanted)

    def _require_published(self, dimension: Dimension) -> None:
        """Refuse to wait for what nobody publishes."""
        if self.settings.stream.backend == "kafka" and not self.settings.stream.topic_of(dimension).publish:
            raise Unsupported(
                f"stream.{dimension}.publish is false, so nothing of {dimension} is on the stream; "
                f"set BACKBONE_STREAM_{dimension.upper()}_PUBLISH=true, or fetch what is stored"
            )

    def _symbols(self, given: Sequence[str]) -> tuple[str, ...]:
        symbols, most = arguments.symbols(given), self.settings.stream.subscription_symbols
        if len(symbols) > most:
            remedy = "leave symbols out for all of them, or raise stream.subscription_symbols"
            raise ValueError(f"symbols: {len(symbols):,} given; allowed are {most:,} of one subscription; {remedy}")
        return symbols

    @asynccontextmanager
    async def _subscribed(
        self, dimension: Dimension, symbols: tuple[str, ...], start: Start | Resume | Place
    ) -> AsyncIterator[Subscription]:
        self._require_open()
        most = self.settings.stream.subscriptions
        if self._open >= most:
            text = (
                f"{self._open:,} subscriptions are open; allowed are {most:,}; leave one, or raise stream.subscriptions"
            )
            raise Unsupported(text)
        self._made += 1
        self._open += 1
        name = f"{dimension.value}-{self._made}"
        try:
            names = await self._reader.spelled(dimension, symbols)
            heard = partial(self._reader.heard, dimension)
            subscription = Subscription(self._calls, CONSUMER, name, dimension, names, start, self._still_open, heard)
            try:
                await subscription.open()
                yield subscription
            finally:
                with anyio.move_on_after(_LEAVE_TIMEOUT, shield=True):
                    await subscription.close()
        finally:
            self._open -= 1


def _start(given: object) -> Start | Resume:
    """Where a subscription begins.

    Raises:
        TypeError, ValueError: it is neither a word that is known, nor a token, nor a position.
    """
    if not isinstance(given, str):
        return arguments.count("start", given, default="'latest' or 'earliest'")
    if given in {"latest", "earliest"}:
        return cast("Start", given)
    try:
        return Resume.parse(given)
    except ValueError as error:
        allowed = "'latest', 'earliest', a position, or the `resume` of an update"
        raise ValueError(f"start={arguments.shown(given)} given: {error}; allowed: {allowed}") from None
