"""Who fetches on an update reads nothing of before it, whatever a cache of this process or another one still holds."""

from __future__ import annotations

import msgspec

from actors import ChildSpec, handles
from backbone.cache.actor import CacheActor
from backbone.cache.messages import Fetch, Fetched
from backbone.calls import Calls
from backbone.domain.identifiers import ingest_id
from backbone.store.messages import WriteChunk
from backbone.store.records import Chunk
from backbone.testing import embedded
from tests.backbone.facade.kit import BARS, bars

asked: list[int] = []


class Watched(CacheActor):
    """Notes what it is asked for at least."""

    @handles
    async def fetch(self, message: Fetch) -> Fetched | None:
        asked.append(message.at_least)
        return await super().fetch(message)


def watched(spec: ChildSpec) -> ChildSpec:
    return msgspec.structs.replace(spec, factory=Watched)


async def test_a_fetch_on_an_update_of_what_another_one_has_written_asks_for_its_position_at_least() -> None:
    async with (
        embedded(parts={"cache": watched}) as backbone,
        backbone.subscribe(BARS, symbols=["GBPUSD"]) as updates,
    ):
        frame = bars(1, symbol="GBPUSD")
        chunk = Chunk(ingest_id("another", frame), "run", "another", frame)
        await Calls(backbone.system, backbone.path).ask("store", WriteChunk(chunk), 5.0)
        update = await anext(aiter(updates))
        asked.clear()
        await backbone.fetch(BARS, symbols=["GBPUSD"])
        await backbone.fetch(BARS)
        await backbone.fetch(BARS, symbols=["EURUSD"])
    assert asked[:2] == [update.position] * 2
    assert set(asked[2:]) == {0}
