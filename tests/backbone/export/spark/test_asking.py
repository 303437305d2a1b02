"""What is asked of Spark: by a Backbone, by its command, and what is refused before anything starts."""

import asyncio
import importlib.util
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from backbone import Backbone, BackboneClosed, Dimension, Frame
from backbone.cli.main import main
from backbone.export.messages import RunSpark
from backbone.export.spark.errors import SparkMissing
from backbone.export.spark.sessions import living
from backbone.settings import SettingsError, load_settings
from tests.backbone.export.spark.kit import DONE, STARTED, fake, settings

NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)
TRADE = Frame.from_records("trades", [{"symbol": "AIG", "ts": NOON, "sequence": 1, "price": 1.0, "size": 1.0}])


@pytest.fixture
def without_pyspark(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "pyspark" else found(name, *more)
    )


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"job": "dance"}, "job='dance' given; allowed: validate, ohlc, aggregates, compact"),
        ({"job": "ohlc", "interval": "1wk"}, "interval='1wk' given; allowed: 1s, "),
        ({"job": "ohlc", "interval": "3mo"}, "interval='3mo' given"),
        ({"job": "validate", "interval": "1m"}, "ohlc alone takes one"),
        ({"job": "ohlc", "dimension": Dimension.QUOTES}, "it is made of trades"),
        ({"job": "compact", "export": ""}, "export: an empty text given"),
    ],
)
def test_a_wrong_argument_is_refused_where_it_is_given(given: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        RunSpark(**given)


def test_bars_say_how_long_they_are() -> None:
    assert (RunSpark("ohlc", interval="60m").of("/x", "e").interval, RunSpark("ohlc").of("/x", "e").spelled) == (
        3600,
        "1m",
    )
    daily = RunSpark("aggregates").of("/x", "e")
    assert (daily.interval, daily.spelled, daily.dimension) == (86_400, "1d", Dimension.TRADES)


@pytest.mark.parametrize(
    "master", ["local[0]", "mesos://x", "spark://", "spark://a b", "local[2]\nspark.x y", "", "yarn-client"]
)
def test_a_master_that_spark_does_not_know_is_refused(master: str) -> None:
    with pytest.raises(SettingsError, match=r"export\.spark\.master"):
        load_settings(profile="embedded", env={}, overrides={"export.spark.master": master})


@pytest.mark.parametrize("memory", ["1", "g", "0g", "-1g", "1 g", "1t"])
def test_memory_that_a_jvm_does_not_know_is_refused(memory: str) -> None:
    with pytest.raises(SettingsError, match=r"export\.spark\.driver_memory"):
        load_settings(profile="embedded", env={}, overrides={"export.spark.driver_memory": memory})


async def test_a_backbone_does_a_job_and_one_at_a_time(tmp_path: Path) -> None:
    python = fake(tmp_path, STARTED + DONE)
    async with Backbone.open(_in_memory(tmp_path, python)) as backbone:
        await backbone.record(TRADE)
        await backbone.export("trades")
        report = await backbone.spark("validate")
        assert (report.status, report.rows) == ("ok", 7)
        named = await backbone.spark("compact", export=report.export, dimension="ticks")
        assert named.job == "compact"


async def test_two_jobs_at_once_are_done_one_after_the_other(tmp_path: Path) -> None:
    alone = str(tmp_path / "alone")
    python = fake(tmp_path, f"os.mkdir({alone!r}); time.sleep(0.3); os.rmdir({alone!r})\n{DONE}")
    async with Backbone.open(_in_memory(tmp_path, python)) as backbone:
        await backbone.record(TRADE)
        await backbone.export("trades")
        reports = await asyncio.gather(backbone.spark("validate"), backbone.spark("validate"))
    assert [(report.status, report.why) for report in reports] == [("ok", ""), ("ok", "")]


async def test_a_job_ends_with_its_backbone(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    python = fake(tmp_path, f"open({str(pipe)!r}, 'w').write(str(os.getpid()))\nwait()\n")
    async with Backbone.open(_in_memory(tmp_path, python)) as backbone:
        await backbone.record(TRADE)
        await backbone.export("trades")
        job = asyncio.ensure_future(backbone.spark("validate"))
        child = int(await anyio.Path(pipe).read_text())
        assert living(child) == [child]
    with pytest.raises(BackboneClosed):
        await job
    assert living(child) == []


@pytest.mark.usefixtures("without_pyspark")
async def test_a_backbone_without_pyspark_says_what_to_install_and_goes_on(tmp_path: Path) -> None:
    async with Backbone.open(_in_memory(tmp_path, None)) as backbone:
        await backbone.record(TRADE)
        with pytest.raises(SparkMissing, match="pyspark is not installed: pip install --no-binary pyspark"):
            await backbone.spark("validate")
        assert (await backbone.export("trades")).status == "ok"


def _in_memory(tmp_path: Path, python: Path | None) -> Any:
    import msgspec

    made = settings(tmp_path / "exports", python)
    return msgspec.structs.replace(made, store=msgspec.structs.replace(made.store, path=":memory:"))


@pytest.mark.usefixtures("without_pyspark")
def test_the_command_without_pyspark_says_what_to_install_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "spark", "validate", "--to", str(tmp_path)]) == 4
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("backbone: error: pyspark is not installed: pip install --no-binary pyspark")


def test_the_command_refuses_a_job_that_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "spark", "dance"]) == 2
    assert "validate" in capsys.readouterr().err


def test_the_command_refuses_an_interval_that_divides_no_day(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "spark", "ohlc", "--interval", "5d"]) == 2
    assert "interval='5d' given; allowed: " in capsys.readouterr().err
