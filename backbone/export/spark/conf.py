"""What Spark is told: its settings, in a file of a folder that is the child's alone, and the child's environment.

Nothing of it is an argument, which every user of the machine can read. UTC stands in four places, since Java, Python
and the session each have a zone of their own: a JVM in New York shifts moments before 1883 by four minutes, silently.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from backbone.export.spark.errors import SparkFailed
from backbone.files import PRIVATE, replace
from backbone.settings.sections.spark import SparkSettings

__all__ = ["SHORT_ROWS", "command", "confs", "environment", "write_confs"]

SHORT_ROWS = 10_000_000
"""A job over fewer rows is over before the JVM's second compiler has paid for itself."""

_PASSED = (
    *("HOME", "PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "JAVA_HOME"),
    *("HADOOP_CONF_DIR", "YARN_CONF_DIR", "KUBECONFIG"),
)
"""What the child needs to know of this process's environment; passwords may stand in the rest."""

_LOGGING = """\
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yy/MM/dd HH:mm:ss} %p %c{1}: %m%n%ex{3}
logger.tasks.name = org.apache.spark.scheduler.TaskSchedulerImpl
logger.tasks.level = warn
"""
"""Errors, and that no worker takes a job: it waits for one until its time is over."""

_LOOPBACK = "127.0.0.1"
_UTC = "-Duser.timezone=UTC"
_QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto"


def command(spark: SparkSettings) -> list[str]:
    """The child's arguments: nothing in them says what it does."""
    return [_interpreter(spark), "-m", "backbone.export.spark.driver"]


def environment(spark: SparkSettings, folder: Path, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """The child's whole environment.

    Args:
        spark: the settings.
        folder: of the child.
        given: this process's environment.
    """
    known = os.environ if given is None else given
    python = _interpreter(spark)
    told = {
        "TZ": "UTC",
        "PYTHONUTF8": "1",
        "SPARK_CONF_DIR": str(folder),
        "PYSPARK_PYTHON": python,
        "PYSPARK_DRIVER_PYTHON": python,
    }
    if _is_here(spark.master):
        told["SPARK_LOCAL_IP"] = _LOOPBACK
    passed = {name: known[name] for name in _PASSED if name in known}
    if "PYTHONPATH" in passed:
        passed["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, passed["PYTHONPATH"].split(os.pathsep)))
    return {**passed, **told}


def confs(spark: SparkSettings, folder: Path, name: str, *, quick: bool) -> dict[str, str]:
    """The settings of Spark.

    Args:
        spark: ours.
        folder: of the child.
        name: of the application.
        quick: the job is short: the JVM's first compiler does.
    """
    logging = f"-Dlog4j2.configurationFile=file:{folder}/log4j2.properties"
    told = {
        "spark.master": spark.master,
        "spark.app.name": name,
        "spark.driver.memory": spark.driver_memory,
        "spark.executor.memory": spark.executor_memory,
        "spark.driver.extraJavaOptions": " ".join(filter(None, [_UTC, logging, _QUICK if quick else ""])),
        "spark.executor.extraJavaOptions": _UTC,
        "spark.executorEnv.TZ": "UTC",
        "spark.local.dir": str(folder / "scratch"),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.sql.parquet.compression.codec": "zstd",
        "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.eventLog.enabled": "false",
        "spark.redaction.regex": "(?i)secret|password|passwd|token|access[.]?key|url|dsn",
    }
    if spark.master.startswith("local"):
        told["spark.sql.shuffle.partitions"] = "4"
    if _is_here(spark.master):
        told |= {"spark.driver.host": _LOOPBACK, "spark.driver.bindAddress": _LOOPBACK}
    if spark.secret is not None:
        told |= {"spark.authenticate": "true", "spark.authenticate.secret": spark.secret.reveal()}
    return told


def write_confs(folder: Path, spark: SparkSettings, told: Mapping[str, str]) -> None:
    """Write what Spark reads when it starts, for its user alone.

    Raises:
        SparkFailed: `export.spark.conf_file` can't be read.
    """
    lines = [_further(spark.conf_file), *(f"{name} {_spelled(value)}\n" for name, value in told.items())]
    replace(folder / "spark-defaults.conf", "".join(lines).encode(), PRIVATE)
    replace(folder / "log4j2.properties", _LOGGING.encode(), PRIVATE)


def _further(path: str | None) -> str:
    """Settings of somebody else's, which stand first: of two lines of one name the last counts."""
    if path is None:
        return ""
    try:
        # an empty line: what ends in a backslash goes on in the next one
        return Path(path).read_text(encoding="utf-8").rstrip("\n") + "\n\n"
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise SparkFailed(f"export.spark.conf_file={path} can't be read: {what}") from error


def _spelled(value: str) -> str:
    """A value as a file of Java's properties has it."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")


def _interpreter(spark: SparkSettings) -> str:
    """By a path that means the same in the child's folder; a name alone is looked up, here and on the workers."""
    python = spark.python or sys.executable
    return os.path.abspath(python) if os.sep in python else python  # noqa: PTH100 - a link of a venv stays one


def _is_here(master: str) -> bool:
    """Whether driver and executors are on this machine, so that nobody else need reach the driver."""
    return master.startswith("local") or urlsplit(master).hostname in (_LOOPBACK, "localhost")
