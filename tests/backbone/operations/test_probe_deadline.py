"""How long a probe waits for its part."""

import anyio
import pytest

from actors.testing import TestSystem
from backbone import Backbone, load_settings
from backbone.domain.status import Status
from backbone.store.duckdb.store import DuckDBStore
from backbone.store.records import StoreInfo
from backbone.testing import with_store


class Silent(DuckDBStore):
    """A store that answers the probe of its start, and none after it."""

    silent = False

    async def probe(self) -> StoreInfo:
        if self.silent:
            await anyio.sleep_forever()
        return await super().probe()


@pytest.mark.parametrize("seconds", [0.25, 40.0])
async def test_a_part_that_gives_no_answer_within_the_time_set_is_busy(seconds: float) -> None:
    overrides = {"store.path": ":memory:", "store.inline": True, "control.enabled": False, "kill_switch": None}
    settings = load_settings(profile="embedded", overrides={**overrides, "supervision.ask_timeout": seconds})
    store = Silent(":memory:", inline=True)
    async with TestSystem() as system, Backbone.open(settings, system=system, parts=with_store(lambda _: store)) as b:
        store.silent = True
        begun = system.clock.time()
        probe = (await b.connectivity()).probes[0]
        assert (probe.name, probe.status) == ("store", Status.DEGRADED)
        assert system.clock.time() - begun == pytest.approx(seconds)
        store.silent = False
