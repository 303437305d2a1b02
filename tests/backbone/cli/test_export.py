"""`backbone export` and a look at exports: what is printed, which exit code, which files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from backbone import samples
from tests.backbone.cli.conftest import Cli


@pytest.fixture
def stored(cli: Cli) -> Cli:
    """A command line over a store with hourly bars."""
    done = cli("ingest", str(samples.eurusd_1h()), "--symbols", "EURUSD", "--interval", "1h", "--quiet")
    assert done.code == 0, done.err
    return cli


def test_an_export_is_made_listed_shown_and_verified(stored: Cli) -> None:
    done = stored("export", "--format", "json", "--quiet")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["status"] == "ok"
    assert report["rows"] > 1000
    root = Path("data/exports")
    assert (root / "CURRENT").read_text().strip() == report["id"]
    assert list((root / report["id"] / "intraday_bars").glob("month=*/symbol=EURUSD/part-0.parquet"))
    listed = json.loads(stored("export", "list", "--format", "json").out)
    assert [(each["id"], each["state"]) for each in listed["exports"]] == [(report["id"], "current")]
    assert json.loads(stored("export", "show", "--format", "json").out)["header"]["id"] == report["id"]
    assert "intraday_bars" in stored("export", "show").out
    verified = stored("export", "verify")
    assert verified.code == 0
    assert "rows of intraday_bars are as the manifest says" in verified.out
    assert json.loads(stored("export", "verify", "--format", "json").out)["dimensions"] == ["intraday_bars"]
    assert "- dimensions: intraday_bars" in stored("export", "verify", "--format", "markdown").out
    assert "| " in stored("export", "list", "--format", "markdown").out


def test_what_is_asked_for_goes_into_the_folder_that_is_named(stored: Cli) -> None:
    done = stored("export", "--dimension", "intraday", "--symbol", "EURUSD", "--to", "out", "--file-format", "csv")
    assert done.code == 0, done.err
    assert "intraday_bars" in done.out
    [folder] = Path("out").glob("export-*")
    assert list(folder.rglob("00000_backbone_intraday.csv"))
    assert not Path("data/exports").exists()
    assert stored("export", "list", "--to", "out").out.count("current") == 1


def test_a_spoilt_export_is_found_and_exits_1(stored: Cli) -> None:
    assert stored("export", "--quiet").code == 0
    spoilt = sorted(Path("data/exports").rglob("*.parquet"))[0]
    spoilt.write_bytes(b"spoilt")
    done = stored("export", "verify", "--format", "json")
    assert done.code == 1
    assert json.loads(done.out)["problems"]
    assert stored("export", "--quiet").code == 0
    assert stored("export", "verify").code == 0


def test_an_export_that_is_not_there_is_told_in_a_line(stored: Cli) -> None:
    done = stored("export", "verify")
    assert done.code == 1
    assert "has no current export" in done.err
    done = stored("export", "show", "../..")
    assert done.code == 2
    assert "has no export" in done.err


def test_an_export_with_nothing_in_it_is_no_export_that_is_right(stored: Cli) -> None:
    empty = json.loads(stored("export", "--dimension", "trades", "--format", "json", "--quiet").out)
    done = stored("export", "verify", empty["id"], "--format", "json")
    assert done.code == 1
    assert (json.loads(done.out)["status"], json.loads(done.out)["dimensions"]) == ("failed", [])
    assert "manifest.json names no files" in json.loads(done.out)["problems"][0]


def test_an_export_whose_files_are_gone_is_told_file_by_file_and_exits_1(stored: Cli) -> None:
    report = json.loads(stored("export", "--format", "json", "--quiet").out)
    gone = sorted(Path("data/exports").rglob("*.parquet"))
    for path in gone:
        path.unlink()
    done = stored("export", "verify", "--format", "json")
    assert done.code == 1
    assert [each.endswith("part-0.parquet is missing") for each in json.loads(done.out)["problems"]] == [True] * len(
        gone
    )
    shutil.rmtree(Path("data/exports", report["id"]))
    Path("data/exports", report["id"]).mkdir()
    for words, code in (((), 1), ((report["id"],), 2)):
        done = stored("export", "verify", *words)
        assert (done.code, done.out) == (code, "")
        assert f"{report['id']} has no manifest.json that can be read, and no journal.jsonl" in done.err


@pytest.mark.parametrize(
    "wrong",
    [
        ("--dimension", "nonsense"),
        ("--file-format", "xml"),
        ("--start", "2024-01-02", "--end", "2024-01-01"),
        ("--symbol", ""),
        ("--what",),
    ],
)
def test_a_wrong_option_exits_2_and_writes_nothing(cli: Cli, wrong: tuple[str, ...]) -> None:
    assert cli("export", *wrong).code == 2
    assert not Path("data/exports").exists()


def test_a_folder_that_cannot_be_written_to_exits_1_with_a_line(stored: Cli) -> None:
    Path("file").write_text("no folder")
    done = stored("export", "--to", "file", "--quiet")
    assert done.code == 1
    assert "can't be written" in done.err
    assert "Traceback" not in done.err


def test_stress_tells_how_long_each_cycle_took(stored: Cli) -> None:
    settings = ("--set", "export.stress.cycles=2", "--set", "export.stress.fail_after=0.000001")
    done = stored("export", "stress", "--format", "json", "--quiet", *settings)
    assert done.code == 1
    report = json.loads(done.out)
    assert [cycle["issues"] for cycle in report["cycles"]] == [["slow_fail"], ["slow_fail"]]
    assert report["label"] == "export_stress"
    assert stored("export", "stress", "--quiet", "--set", "export.stress.cycles=1").code == 0
