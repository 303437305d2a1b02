"""What a probe finds: busy is degraded, off is off, and a red headline has its reason below."""

from io import StringIO

import pytest

from actors import ActorDead, AskTimeout, RosterSnapshot
from backbone.domain.probe import ProbeAnswer
from backbone.domain.status import Status
from backbone.operations.probes.connectivity import ConnectivityReport, Probe, probe_all
from backbone.operations.probes.status import judge
from backbone.store.records import StoreInfo
from backbone.testing import embedded
from tests.backbone.facade.kit import bars

STORE = StoreInfo(backend="timescale", version="1", path="db", healthy=True)
CACHE = ProbeAnswer(backend="redis", healthy=True)
STREAM = ProbeAnswer(backend="kafka", healthy=True)


async def probed(insecure: dict[str, str] | None = None, **answers: object) -> ConnectivityReport:
    async def answer(found: object) -> object:
        if isinstance(found, Exception):
            raise found
        return found

    given = {"store": STORE, "cache": CACHE, "stream": STREAM, **answers}
    asks = {name: (lambda found=found: answer(found)) for name, found in given.items()}
    marked = insecure or {}
    return await probe_all(
        asks, embedded={}, insecure=marked, facts={}, clock=lambda: 0.0, timeout=1.0, settings_hash=""
    )


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


@pytest.mark.parametrize("name", ["store", "cache", "stream"])
async def test_a_part_that_is_reached_insecurely_is_never_ok_and_says_so_whatever_else_it_says(name: str) -> None:
    told = {name: "insecure: it leads to db:5432"}
    for answer, status in ((None, Status.DEGRADED), (ActorDead("it is dead (crash: x)"), Status.FAILED)):
        report = await probed(told, **({} if answer is None else {name: answer}))
        [probe] = [each for each in report.probes if each.name == name]
        assert (report.status, probe.status) == (status, status)
        assert probe.why.startswith(told[name])
        assert str(answer or "") in probe.why
        assert (probe.details["transport"], bool(probe.action)) == ("insecure", True)
        assert probe.why.count("insecure") == 1
        assert told[name] in judge(report, roster()).to_markdown()


def test_the_line_of_a_part_that_is_reached_insecurely_has_the_word() -> None:
    from rich.console import Console

    from backbone.cli.commands.connectors import draw_parts

    probe = Probe(
        name="store",
        status=Status.DEGRADED,
        healthy=True,
        latency_ms=1.0,
        backend="timescale",
        details={"transport": "insecure"},
    )
    console = Console(width=80, record=True, file=StringIO())
    draw_parts(console, [probe])
    assert "timescale, insecure" in console.export_text()


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
