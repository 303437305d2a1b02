"""The replay actor: sends stored rows to topics again, for those who asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from actors import Actor, Reject, StopReason, handles
from backbone.calls import Calls, refuse
from backbone.domain.dimension import Dimension
from backbone.domain.observing import Observe
from backbone.ingest.messages import ReplayReport, ReplayRows
from backbone.ingest.replaying import Replay
from backbone.stream.errors import StreamError
from backbone.stream.sink import Outgoing, Sink
from backbone.stream.watching import watched

__all__ = ["ReplayActor"]

_TIMEOUT = 90.0


class ReplayActor(Actor):
    """Carries out replays, one after the other.

    Args:
        calls: where the store is.
        sink: the way to the topics.
        topic_of: the topic of a dimension; None: it is not published.
        topics: those of all dimensions; a topic that is given must not be another dimension's.
        payload_bytes: of a record at most.
        settings_hash: of the settings.
        observe: told of each replay; None: nobody watches.
    """

    def __init__(
        self,
        calls: Calls,
        sink: Sink,
        topic_of: Callable[[Dimension], str | None],
        topics: Sequence[str],
        payload_bytes: int,
        settings_hash: str,
        observe: Observe | None = None,
    ) -> None:
        self._calls = calls
        self._sink = sink
        self._topic_of = topic_of
        self._topics = frozenset(topics)
        self._payload_bytes = payload_bytes
        self._settings_hash = settings_hash
        self._observe = observe
        self._turns: list[ReplayRows] = []
        self._rows = self._records = 0

    async def on_stop(self, reason: StopReason) -> None:  # noqa: ARG002
        """Let go of the topics, within a bound."""
        await self._sink.close()

    def inspect(self) -> dict[str, Any]:
        """Rows and records sent by this incarnation."""
        return {"rows": self._rows, "records": self._records}

    @handles
    def replay(self, message: ReplayRows) -> None:
        """See ReplayRows; the work is beside the mailbox, one replay at a time."""
        if self._turns:
            raise Reject("busy", "another replay is under way; try again when it has ended")
        topic = self._topic(message)
        self._turns.append(message)
        reply = self.context.defer_reply()
        self.context.run_task(self._replay(message, topic), name=f"replay-{message.dimension.value}", reply=reply)

    def _topic(self, message: ReplayRows) -> str:
        """Where to send.

        Raises:
            Reject: the dimension has no topic, or the one given is another dimension's.
        """
        own = self._topic_of(message.dimension)
        topic = message.topic or own
        if topic is None:
            raise refuse(ValueError(f"{message.dimension} is not published by these settings; name a topic"))
        if topic != own and topic in self._topics:
            raise refuse(ValueError(f"topic={topic!r} given, which is that of another dimension; give another one"))
        return topic

    async def _replay(self, message: ReplayRows, topic: str) -> ReplayReport:
        try:
            with watched(self._observe, self.context.clock.time, "ReplayRows"):
                replay = Replay(message, topic, self._ask, self._send, self._payload_bytes)
                await replay.begin(self.context.clock.now())
                while await replay.step():
                    pass
                return replay.report(self.context.clock.now(), self._settings_hash)
        except StreamError as error:
            raise refuse(error) from error
        finally:
            self._turns.remove(message)

    async def _ask(self, request: Any) -> Any:
        return await self._calls.ask("store", request, _TIMEOUT)

    async def _send(self, topic: str, records: Sequence[Outgoing], rows: int) -> None:
        await self._sink.publish(topic, records)
        self._rows += rows
        self._records += len(records)
