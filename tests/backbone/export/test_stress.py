"""Stress runs: how long exports took, and what is told of slow ones and of those that failed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from backbone.domain.status import Status
from backbone.export.errors import ExportFailed
from backbone.export.report import ExportReport
from backbone.export.stress import StressReport, stress
from backbone.settings.sections.export import StressSettings

DONE = ExportReport(
    status=Status.OK, id="export-1", folder="f", current="export-1", format="parquet", position=1, jobs=(), rows=9
)


async def run(durations: list[float], settings: StressSettings, *, fails: int = 0) -> StressReport:
    """A run whose exports last so long; the first so many fail."""
    times = ticks(durations)
    left = iter(range(fails))

    async def export() -> ExportReport:
        if next(left, None) is not None:
            raise ExportFailed("injected: the disk is full")
        return DONE

    return await stress(export, lambda: next(times), settings, "hash")


def ticks(durations: list[float]) -> Iterator[float]:
    now = 0.0
    for each in durations:
        yield now
        now += each
        yield now


async def test_durations_are_summed_up() -> None:
    report = await run([1.0, 2.0, 6.0], StressSettings())
    assert (report.status, report.label, len(report.cycles)) == (Status.OK, "export_stress", 3)
    assert (report.average_s, report.shortest_s, report.longest_s) == (3.0, 1.0, 6.0)
    assert "3.000 on average, 1.000 to 6.000" in report.to_markdown()


async def test_a_slow_export_is_a_warning_and_a_very_slow_one_has_failed() -> None:
    report = await run([1.0, 2.0, 6.0], StressSettings(warn_after=1.5, fail_after=5.0))
    assert [(cycle.status, cycle.issues) for cycle in report.cycles] == [
        (Status.OK, ()),
        (Status.DEGRADED, ("slow_warn",)),
        (Status.FAILED, ("slow_fail",)),
    ]
    assert report.status is Status.FAILED


async def test_one_that_fails_is_told_and_the_next_one_follows() -> None:
    report = await run([1.0, 1.0], StressSettings(cycles=2), fails=1)
    assert [(cycle.status, cycle.issues) for cycle in report.cycles] == [
        (Status.FAILED, ("export_failed",)),
        (Status.OK, ()),
    ]
    assert "disk is full" in report.cycles[0].why


@pytest.mark.parametrize("cycles", [1, 4])
async def test_there_are_as_many_cycles_as_the_settings_say(cycles: int) -> None:
    assert len((await run([1.0] * cycles, StressSettings(cycles=cycles))).cycles) == cycles
