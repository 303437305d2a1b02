"""What the client raises, told as what a stream may raise."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.errors import KafkaConnectionError, KafkaError

from backbone.settings import redact
from backbone.stream.errors import StreamUnavailable
from backbone.stream.kafka.connection import Connection

__all__ = ["told"]


@asynccontextmanager
async def told(connection: Connection, what: str) -> AsyncIterator[None]:
    """Tell any failure of brokers and network as `StreamUnavailable`.

    Args:
        connection: to whom.
        what: was to be done.
    """
    try:
        yield
    except (KafkaError, OSError, TimeoutError) as error:
        why = await connection.refusal() if isinstance(error, KafkaConnectionError) else None
        text = why or redact(str(error)) or type(error).__name__
        raise StreamUnavailable(f"kafka at {connection} did not {what}: {text}") from error
