"""What Spark is told: UTC in four places, loopback, bounds, and no secret where others can read it."""

import re
import sys
from pathlib import Path

import pytest

from backbone.export.spark.conf import command, confs, environment, write_confs
from backbone.export.spark.errors import SparkFailed
from backbone.settings import Secret
from backbone.settings.sections.spark import SparkSettings

CANARY = "canary-5f2b1c"


def test_every_zone_is_utc_whatever_the_machine_is_in(tmp_path: Path) -> None:
    told = confs(SparkSettings(), tmp_path, "x", quick=False)
    assert environment(SparkSettings(), tmp_path, {"TZ": "America/New_York"})["TZ"] == "UTC"
    assert told["spark.executorEnv.TZ"] == "UTC"
    assert told["spark.sql.session.timeZone"] == "UTC"
    for name in ("spark.driver.extraJavaOptions", "spark.executor.extraJavaOptions"):
        assert "-Duser.timezone=UTC" in told[name].split()


def test_files_have_moments_that_others_read(tmp_path: Path) -> None:
    told = confs(SparkSettings(), tmp_path, "x", quick=False)
    assert told["spark.sql.parquet.outputTimestampType"] == "TIMESTAMP_MICROS"
    assert told["spark.sql.sources.partitionColumnTypeInference.enabled"] == "false"


def test_memory_and_master_are_those_of_the_settings(tmp_path: Path) -> None:
    spark = SparkSettings(master="yarn", driver_memory="700m", executor_memory="3g")
    told = confs(spark, tmp_path, "x", quick=False)
    assert (told["spark.master"], told["spark.driver.memory"], told["spark.executor.memory"]) == ("yarn", "700m", "3g")


@pytest.mark.parametrize(
    ("master", "here"),
    [
        ("local[2]", True),
        ("local", True),
        ("spark://127.0.0.1:7077", True),
        ("spark://spark.example:7077", False),
        ("k8s://https://10.0.0.1:6443", False),
        ("yarn", False),
    ],
)
def test_the_driver_listens_on_loopback_alone_where_all_executors_are_here(
    master: str, here: bool, tmp_path: Path
) -> None:
    spark = SparkSettings(master=master)
    assert (confs(spark, tmp_path, "x", quick=False).get("spark.driver.bindAddress") == "127.0.0.1") is here
    assert (environment(spark, tmp_path, {}).get("SPARK_LOCAL_IP") == "127.0.0.1") is here


def test_a_short_job_starts_quickly_and_a_long_one_is_compiled_well(tmp_path: Path) -> None:
    quick = "-XX:TieredStopAtLevel=1"
    assert quick in confs(SparkSettings(), tmp_path, "x", quick=True)["spark.driver.extraJavaOptions"]
    assert quick not in confs(SparkSettings(), tmp_path, "x", quick=False)["spark.driver.extraJavaOptions"]


def test_the_environment_holds_no_password_and_no_other_spark(tmp_path: Path) -> None:
    given = {"BACKBONE_STORE_URL": CANARY, "PGPASSWORD": CANARY, "SPARK_HOME": "/opt/spark", "PATH": "/bin"}
    told = environment(SparkSettings(), tmp_path, given)
    assert CANARY not in " ".join(told.values())
    assert "SPARK_HOME" not in told
    assert told["PATH"] == "/bin"
    assert told["PYSPARK_PYTHON"] == told["PYSPARK_DRIVER_PYTHON"] == sys.executable
    assert told["SPARK_CONF_DIR"] == str(tmp_path)


def test_the_secret_of_a_cluster_stands_in_a_file_for_its_owner_alone_and_in_no_argument(tmp_path: Path) -> None:
    spark = SparkSettings(master="spark://127.0.0.1:7077", secret=Secret(CANARY))
    told = confs(spark, tmp_path, "x", quick=False)
    write_confs(tmp_path, spark, told)
    file = tmp_path / "spark-defaults.conf"
    assert f"spark.authenticate.secret {CANARY}\n" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert CANARY not in " ".join([*command(spark), *environment(spark, tmp_path, {}).values()])
    assert re.search(told["spark.redaction.regex"], "spark.authenticate.secret")
    assert re.search(told["spark.redaction.regex"], "backbone.url")


def test_further_settings_stand_before_ours_which_win(tmp_path: Path) -> None:
    further = tmp_path / "further.conf"
    further.write_text("spark.executor.instances 4\nspark.sql.session.timeZone America/New_York")
    spark = SparkSettings(conf_file=str(further))
    write_confs(tmp_path, spark, confs(spark, tmp_path, "x", quick=False))
    lines = (tmp_path / "spark-defaults.conf").read_text().splitlines()
    assert "spark.executor.instances 4" in lines
    assert [line.split()[1] for line in lines if line.startswith("spark.sql.session.timeZone")][-1] == "UTC"


def test_a_value_is_what_java_reads_whatever_is_in_it(tmp_path: Path) -> None:
    spark = SparkSettings(master="spark://127.0.0.1:7077", secret=Secret("a\\b\nspark.ui.enabled true"))
    write_confs(tmp_path, spark, confs(spark, tmp_path, "x", quick=False))
    lines = (tmp_path / "spark-defaults.conf").read_text().splitlines()
    assert r"spark.authenticate.secret a\\b\nspark.ui.enabled true" in lines
    assert "spark.ui.enabled true" not in lines


def test_further_settings_that_end_in_a_backslash_take_no_line_of_ours_in(tmp_path: Path) -> None:
    further = tmp_path / "further.conf"
    further.write_text("spark.executor.instances 4\\\n")
    spark = SparkSettings(conf_file=str(further))
    write_confs(tmp_path, spark, {"spark.master": "local[2]"})
    assert (tmp_path / "spark-defaults.conf").read_text() == "spark.executor.instances 4\\\n\nspark.master local[2]\n"


def test_paths_mean_the_same_in_the_folder_of_the_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    spark = SparkSettings(python="bin/python")
    told = environment(spark, tmp_path, {"PYTHONPATH": "src:/lib:"})
    assert command(spark)[0] == told["PYSPARK_PYTHON"] == str(tmp_path / "bin/python")
    assert told["PYTHONPATH"] == f"{tmp_path}/src:/lib:{tmp_path}"
    assert command(SparkSettings(python="python3"))[0] == "python3"


def test_that_no_worker_takes_a_job_is_logged(tmp_path: Path) -> None:
    write_confs(tmp_path, SparkSettings(), {})
    told = (tmp_path / "log4j2.properties").read_text().splitlines()
    assert "logger.tasks.name = org.apache.spark.scheduler.TaskSchedulerImpl" in told
    assert "logger.tasks.level = warn" in told


def test_further_settings_that_can_t_be_read_are_told(tmp_path: Path) -> None:
    spark = SparkSettings(conf_file=str(tmp_path / "none"))
    with pytest.raises(SparkFailed, match=r"export\.spark\.conf_file=.*can't be read: No such file"):
        write_confs(tmp_path, spark, {})
