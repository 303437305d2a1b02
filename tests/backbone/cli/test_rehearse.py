"""`backbone rehearse`, as `make run` runs it."""

import asyncio
import json
from pathlib import Path

import pytest

from backbone.cli.process import opening
from backbone.cli.process.running import run
from backbone.facade.backbone import Backbone
from backbone.settings import load_settings
from tests.backbone.cli.conftest import Cli


def numbers_of(page: str) -> dict[str, str]:
    """The counts of the page, by name."""
    words = ("read", "inserted", "changed", "unchanged", "quarantined", "events published", "events received", "lag")
    found = {}
    for word in words:
        after = page.split(f"  {word} ", 1)[1].split()
        found[word] = after[0]
    return found


def test_the_same_bars_twice_are_inserted_once(cli: Cli) -> None:
    first, second = cli("rehearse"), cli("rehearse")
    assert (first.code, second.code) == (0, 0)
    assert numbers_of(first.out) | {"events published": "1", "events received": "1"} == {
        "read": "5,000",
        "inserted": "5,000",
        "changed": "0",
        "unchanged": "0",
        "quarantined": "0",
        "events published": "1",
        "events received": "1",
        "lag": "0",
    }
    again = numbers_of(second.out)
    assert (again["inserted"], again["unchanged"], again["events published"]) == ("0", "5,000", "0")


def test_the_page_shows_every_stage_and_ends_with_the_verdict(cli: Cli) -> None:
    done = cli("rehearse")
    for words in ("EURUSD 1h close", "score 0.99", "hit rate", "└─ ● backbone", "▲ store", "orphans 0 · tasks left 0"):
        assert words in done.out
    assert "embedded DuckDB" in done.out
    assert "46 of 5,046 expected bars are missing" in done.out
    assert done.out.rstrip().splitlines()[-1].startswith("✓ rehearsal succeeded in ")
    assert "\x1b" not in done.out
    assert "5,000 rows read, 5,000 committed" in done.err


def test_quiet_says_nothing_but_the_page(cli: Cli) -> None:
    assert cli("rehearse", "-q").err == ""


def test_a_folder_takes_reports_picture_and_what_was_left_behind(cli: Cli) -> None:
    done = cli("rehearse", "--output", "out")
    assert done.code == 0
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "chart.png",
        "report.json",
        "report.md",
        "system_validation_report.json",
    ]
    report = json.loads(Path("out/report.json").read_text())
    assert (report["schema"], report["succeeded"], report["ingest"]["rows_read"]) == (1, True, 5000)
    assert Path("out/report.md").read_text().startswith("# Rehearsal")
    assert Path("out/chart.png").read_bytes().startswith(b"\x89PNG")


def test_what_was_left_behind_is_written_beside_the_store_otherwise(cli: Cli) -> None:
    cli("rehearse")
    found = json.loads(Path("data/system_validation_report.json").read_text())
    assert (found["succeeded"], found["orphans"], found["tasks_left"]) == (True, [], [])
    paths = {each["path"]: each["state"] for each in found["supervised"]}
    assert paths["/embedded/backbone/store"] == "running"
    assert found["settings_hash"] == load_settings(profile="embedded").hash


def test_json_on_stdout_is_the_report_alone(cli: Cli) -> None:
    done = cli("rehearse", "--format", "json")
    report = json.loads(done.out)
    assert report["delivery"] | {"events": 1} == {
        "consumed": True,
        "events": 1,
        "rows": 5000,
        "expected_rows": 5000,
        "lag": 0,
        "in_order": True,
        "duplicates": 0,
        "identical": True,
    }


def test_markdown_on_stdout_is_the_report_alone(cli: Cli) -> None:
    assert cli("rehearse", "--format", "markdown").out.startswith("# Rehearsal\n")


def test_a_missing_drawing_library_costs_the_picture_only(cli: Cli, bars: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import backbone.operations.rehearsal.chart as chart

    def refuse(*_: object) -> None:
        raise chart.ChartUnavailable("pictures need matplotlib")

    monkeypatch.setattr(chart, "picture", refuse)
    done = cli("rehearse", bars, "--interval", "1h", "--output", "out", "-q")
    assert done.code == 0
    assert done.err == "backbone: note: no chart.png: pictures need matplotlib\n"
    assert not Path("out/chart.png").exists()


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(cli: Cli, bars: str) -> None:
    done = cli("rehearse", bars, "--interval", "1h", "--output", f"{bars}/out")
    assert done.code == 2
    assert not Path("data").exists()


def test_a_dimension_without_prices_has_no_chart(cli: Cli) -> None:
    Path("events.csv").write_text("ts,calendar,event,actual\n2020-01-06T00:00:00Z,US,CPI,1\n")
    done = cli("rehearse", "events.csv", "--dimension", "macro")
    assert done.code == 0, done.err
    assert "Prices" not in done.out


def test_a_task_that_is_left_behind_is_told_and_written_down(tmp_path: Path) -> None:
    settings = load_settings(
        profile="embedded", overrides={"store.path": f"{tmp_path}/x.duckdb", "control.enabled": "no"}
    )
    kept = []

    async def leave_one(backbone: Backbone) -> None:
        kept.append(asyncio.get_running_loop().create_task(asyncio.Event().wait(), name="forgotten"))

    _, report = run(lambda: opening.observed(settings, leave_one, tmp_path))
    assert (report.succeeded, report.tasks_left) == (False, ("forgotten",))
    assert json.loads((tmp_path / opening.VALIDATION).read_text())["tasks_left"] == ["forgotten"]


def test_a_failure_of_the_work_still_leaves_the_observation(tmp_path: Path) -> None:
    settings = load_settings(
        profile="embedded", overrides={"store.path": f"{tmp_path}/x.duckdb", "control.enabled": "no"}
    )

    async def fail(backbone: Backbone) -> None:
        raise LookupError("nothing there")

    with pytest.raises(LookupError):
        run(lambda: opening.observed(settings, fail, tmp_path))
    assert json.loads((tmp_path / opening.VALIDATION).read_text())["succeeded"]
