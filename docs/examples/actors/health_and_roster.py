"""How an actor says that it is not well, and how to look at the whole tree without asking anybody."""

import asyncio
import json
from typing import Any

from actors import Actor, ActorSystem, ChildSpec, HealthChanged, Message, handles


class Lost(Message):
    pass


class Feed(Actor):
    def __init__(self, password: str) -> None:
        self.password = password
        self.reconnects = 0

    @handles
    def lost(self, message: Lost) -> None:
        self.reconnects += 1
        self.context.report_health("degraded", "connection lost", "tried again in 5 s", "look at the provider's page")

    def inspect(self) -> dict[str, Any]:
        return {"reconnects": self.reconnects}  # not the password


async def main() -> None:
    async with ActorSystem("quotes") as system:
        feed = await system.start_child(ChildSpec("feed", Feed, args=("secret",), metadata={"venue": "ecn-1"}))
        with system.events.subscribe(HealthChanged) as changes:
            await feed.tell(Lost())
            print("health is", (await anext(changes)).level, "-", feed.health.why)

        entry = system.roster(detail=True).find("/quotes/feed")
        if entry is not None:
            print(entry.state, entry.health.action, entry.detail, entry.metadata["venue"])

        async for snapshot in system.watch_roster(min_interval=0.5):  # now, then after each change
            page = json.loads(snapshot.to_json())
            print(page["system"], [each["path"] for each in page["entries"]], page["orphans"])
            break


if __name__ == "__main__":
    asyncio.run(main())
