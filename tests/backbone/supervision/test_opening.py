"""Opening waits for a server that is not up yet, says so, and gives up in time; on the virtual clock."""

import anyio
import pytest

from actors.testing import TestSystem
from backbone import Backbone, StoreError, StoreUnavailable, load_settings
from backbone.store.duckdb import DuckDBStore
from backbone.testing import with_store
from tests.backbone.facade.kit import BARS, bars

WAITS = 10.0


class NotUp(DuckDBStore):
    """A store whose server comes up at some moment, or never."""

    up_at = 0.0
    error: StoreError = StoreUnavailable("db:5432/x: connection refused; is the server up?", passing=True)
    opened = 0

    def __init__(self) -> None:
        super().__init__(":memory:", inline=True)

    async def open(self) -> None:
        type(self).opened += 1
        if anyio.current_time() < type(self).up_at:
            raise type(self).error
        await super().open()


async def opened(system: TestSystem) -> int:
    settings = load_settings(
        profile="embedded",
        overrides={"store.inline": True, "control.enabled": False, "store.start_timeout": WAITS},
    )
    parts = with_store(lambda _: NotUp())
    async with Backbone.open(settings, system=system, parts=parts) as backbone:
        await backbone.record(bars())
        return (await backbone.fetch(BARS)).num_rows


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NotUp, "opened", 0)


async def test_a_server_that_comes_up_in_time_is_waited_for_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(NotUp, "up_at", anyio.current_time() + 0.9 * WAITS)
    async with TestSystem() as system:
        assert await opened(system) == 3
    assert NotUp.opened > 3
    assert caplog.text.count("the store is not up yet") == 1
    assert "connection refused" in caplog.text


async def test_one_that_does_not_is_given_up_in_time_with_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NotUp, "up_at", float("inf"))
    began = anyio.current_time()
    async with TestSystem() as system:
        with pytest.raises(StoreUnavailable, match="connection refused"):
            await opened(system)
    assert WAITS - 3 <= anyio.current_time() - began <= WAITS + 1


async def test_what_waiting_can_not_mend_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NotUp, "up_at", float("inf"))
    monkeypatch.setattr(NotUp, "error", StoreUnavailable("db:5432/x: password authentication failed"))
    async with TestSystem() as system:
        with pytest.raises(StoreUnavailable, match="password"):
            await opened(system)
    assert NotUp.opened == 1


class Hesitant(DuckDBStore):
    """A store that refuses to say where the relay stands, a few times."""

    refusals = 0

    async def relay_cursor(self) -> int:
        if self.refusals:
            self.refusals -= 1
            raise StoreUnavailable("no room for that now")
        return await super().relay_cursor()


async def test_a_relay_whose_store_refuses_it_at_first_catches_up_and_hides_nothing() -> None:
    store = Hesitant(":memory:", inline=True)
    store.refusals = 3
    settings = load_settings(profile="embedded", overrides={"store.inline": True, "control.enabled": False})
    async with (
        TestSystem() as system,
        Backbone.open(settings, system=system, parts=with_store(lambda _: store)) as backbone,
        backbone.subscribe(BARS) as updates,
    ):
        relay = backbone.roster().find("/test/backbone/stream/relay")
        assert relay is not None
        assert relay.health.why == "store: no room for that now"
        await backbone.record(bars())
        with anyio.fail_after(10):
            assert (await anext(updates)).frame.num_rows == 3
        await anyio.sleep(2)
        relay = backbone.roster().find("/test/backbone/stream/relay")
        assert relay is not None
        assert (relay.restarts, "in-process log" in relay.health.why) == (0, True)
