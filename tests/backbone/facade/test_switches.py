"""The switch stream.consume: what a whole backbone does without consumers."""

import pytest

from backbone import Backbone
from backbone.operations.rehearsal.cycle import RehearsalRequest
from backbone.settings import load_settings
from backbone.store.errors import Unsupported
from backbone.testing import embedded
from tests.backbone.facade.kit import BARS, bars, plan
from tests.backbone.facade.test_cycle import drained

CONSUMERS = "/embedded/backbone/stream/consumers"


@pytest.mark.parametrize("word", ["false", "off", "0", "no"])
async def test_without_consuming_there_is_no_consumer_and_the_publisher_goes_on(word: str) -> None:
    env = {"KAFKA_INGEST_ENABLE_STREAMING": word}
    overrides = {"store.path": ":memory:", "store.inline": True, "control.enabled": False, "kill_switch": None}
    settings = load_settings(profile="embedded", env=env, overrides=overrides)
    async with Backbone.open(settings) as backbone:
        assert backbone.roster().find(CONSUMERS) is None
        await backbone.record(bars(3))
        assert (await drained(backbone)).pending == 0
        relay = backbone.roster().find("/embedded/backbone/stream/relay")
        assert relay is not None
        assert relay.metadata["consuming"] == "off"
        assert (relay.detail or {})["published"] == 1
        row = backbone.last(BARS, "EURUSD")
        assert row is not None
        stream = (await backbone.connectivity()).probes[-1]
        assert (stream.name, stream.healthy, stream.details["consuming"]) == ("stream", True, "off")


async def test_a_subscription_without_consuming_is_refused_with_what_to_do() -> None:
    async with embedded(overrides={"stream.consume": False}) as backbone:
        with pytest.raises(Unsupported, match=r"stream\.consume is false.*set BACKBONE_STREAM_CONSUME=true"):
            async with backbone.subscribe(BARS):
                pass


async def test_a_rehearsal_without_consuming_says_that_nothing_was_received() -> None:
    async with embedded(overrides={"stream.consume": False}) as backbone:
        report = await backbone.rehearse(RehearsalRequest(plan=plan()))
    assert report.succeeded, report.failures
    delivery = report.delivery
    assert (delivery.consumed, delivery.rows, delivery.lag, delivery.identical) == (False, 0, 0, None)
    assert "| consumed | no |" in report.to_markdown()


async def test_with_consuming_the_roster_and_the_probe_say_so() -> None:
    async with embedded() as backbone:
        assert backbone.roster().find(CONSUMERS) is not None
        assert (await backbone.connectivity()).probes[-1].details["consuming"] == "on"
