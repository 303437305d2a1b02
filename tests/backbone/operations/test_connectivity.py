"""What a probe finds: busy is degraded, off is off, and a red headline has its reason below."""

import pytest

from actors import ActorDead, AskTimeout, RosterSnapshot
from backbone.domain.probe import ProbeAnswer
from backbone.domain.status import Status
from backbone.operations.probes.connectivity import ConnectivityReport, probe_all
from backbone.operations.probes.status import judge
from backbone.store.records import StoreInfo
from backbone.testing import embedded
from tests.backbone.facade.kit import bars

STORE = StoreInfo(backend="timescale", version="1", path="db", healthy=True)
CACHE = ProbeAnswer(backend="redis", healthy=True)
STREAM = ProbeAnswer(backend="kafka", healthy=True)


async def probed(**answers: object) -> ConnectivityReport:
    async def answer(found: object) -> object:
        if isinstance(found, Exception):
            raise found
        return found

    given = {"store": STORE, "cache": CACHE, "stream": STREAM, **answers}
    asks = {name: (lambda found=found: answer(found)) for name, found in given.items()}
    return await probe_all(asks, embedded={}, facts={}, clock=lambda: 0.0, timeout=1.0, settings_hash="")


def roster() -> RosterSnapshot:
    from tests.backbone.cli.test_roster_tree import TREE, snapshot

    return snapshot(*TREE)


@pytest.mark.parametrize("error", [AskTimeout("no answer within 5 s"), TimeoutError()])
async def test_a_part_that_only_has_too_much_to_do_is_degraded_and_says_so(error: Exception) -> None:
    report = await probed(stream=error)
    [probe] = [each for each in report.probes if each.name == "stream"]
    assert (report.status, probe.status) == (Status.DEGRADED, Status.DEGRADED)
    assert probe.why.startswith("busy: ")


async def test_a_part_that_is_down_has_failed_and_the_headline_has_its_reason_below() -> None:
    report = judge(await probed(cache=ActorDead("the cache is dead (crash: x)")), roster())
    assert report.status is Status.FAILED
    [problem] = report.problems
    assert (problem.path, problem.status, problem.why) == ("cache", Status.FAILED, "the cache is dead (crash: x)")
    assert problem.now
    assert problem.action


async def test_all_parts_that_work_are_ok() -> None:
    report = await probed()
    assert (report.status, report.store, report.cache, report.stream) == (Status.OK, True, True, True)
    assert judge(report, roster()).problems == ()


@pytest.mark.parametrize("overrides", [{"cache.backend": "off"}, {"cache.strategy": "disabled"}])
async def test_a_cache_that_is_off_says_off(overrides: dict[str, object]) -> None:
    async with embedded(overrides=overrides) as backbone:
        await backbone.record(bars())
        [probe] = [each for each in (await backbone.connectivity()).probes if each.name == "cache"]
        assert (probe.status, probe.backend, probe.healthy) == (Status.OFF, "off", True)
        assert "every read goes to the store" in probe.why
        assert (await backbone.cache_metrics()).backend == "off"
