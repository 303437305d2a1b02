"""The client of Kafka that all of ours stand on: whoever is cut short while it connects leaves nothing open behind.

aiokafka's own asks the first broker over a connection that nothing but a local variable knows: where the caller is
cancelled meanwhile, as by a deadline, nobody can close it any more.
"""

from __future__ import annotations

import random

from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.util import create_task

from backbone.settings.servers import Server
from backbone.stream.kafka.connection import Connection

__all__ = ["Client"]


class Client(AIOKafkaClient):  # type: ignore[misc]
    """Asks brokers. It is to be closed, whether its `bootstrap` came to its end or not.

    Args:
        connection: where they are.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(**connection.client())
        self._connection = connection

    async def bootstrap(self) -> None:
        """Learn who the brokers are, from the first that answers; called once.

        Raises:
            aiokafka.errors.KafkaConnectionError: none does.
        """
        servers = self._connection.servers
        failure: Exception | None = None
        for server in random.sample(servers, len(servers)):
            try:
                await self._introduced_by(server)
                break
            except (KafkaError, OSError, TimeoutError) as error:  # another one may answer
                failure = error
        else:
            raise KafkaConnectionError(f"no answer from {self._connection}: {failure!r}") from failure
        self._sync_task = create_task(self._md_synchronizer())  # `close` ends it, and waits for that

    async def _introduced_by(self, server: Server) -> None:
        connection = await self._connection.connect(server)
        kept = False
        try:
            self.cluster.update_metadata(await connection.send(MetadataRequest([])))
            if not self.cluster.brokers():  # it does not know of any yet, and is asked again
                self._conns["bootstrap", ConnectionGroup.DEFAULT] = connection
                kept = True
        finally:
            if not kept:
                connection.close()
