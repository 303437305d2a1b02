"""The child process: one Spark, one job, and then its end. `python -m backbone.export.spark.driver`.

Its stdin brings the job and stays open as long as the parent lives; when it ends, so does this whole group of
processes. Its stdout is for what is told to the parent alone: whatever else prints goes to stderr.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from backbone.export.spark.errors import INSTALL
from backbone.export.spark.sessions import living
from backbone.export.spark.wire import Done, Failed, Job, Reply, Started, Step, encode

__all__ = ["main"]

_JAVA = (17, 21)
_JAVA_SECONDS = 60.0
_CLEAN = re.compile(r"\s+")


def main() -> int:
    """Do the job that stands on stdin; 0 where it was done."""
    began = time.monotonic()
    out = os.dup(1)
    os.dup2(2, 1)
    words = os.fdopen(os.dup(0), "rb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    job = msgspec.json.decode(words.readline(), type=Job)
    threading.Thread(target=_end_with, args=(words,), daemon=True).start()

    def tell(reply: Reply) -> None:
        rest = memoryview(encode(reply))
        while rest:  # a signal may cut a write short
            rest = rest[os.write(out, rest) :]

    lacking = _lacking()
    if lacking:
        tell(Failed(why=lacking, missing=True))
        return 1
    return _work(job, tell, began)


def _end_with(words: BinaryIO) -> None:
    """Wait until the parent is gone, however it went, and end what leads from here: the JVM, its workers, ourselves."""
    words.read()
    mine = os.getpid()
    for pid in living(mine):
        if pid != mine:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
    os._exit(1)


def _lacking() -> str:
    """What has to be installed first; "" where nothing is missing."""
    try:
        import pyspark  # noqa: F401
    except ModuleNotFoundError as error:
        return f"{error.name} is not installed for {sys.executable}: {INSTALL}"
    home = os.environ.get("JAVA_HOME")
    java = f"{home}/bin/java" if home else shutil.which("java")
    if java is None or not Path(java).exists():
        return "Spark needs Java 17 or 21, and there is none: install openjdk-17-jre-headless, or set JAVA_HOME"
    told = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=_JAVA_SECONDS, check=False).stderr  # noqa: S603
    found = re.search(r'version "(\d+)', told)
    if found is None or int(found[1]) not in _JAVA:
        return f"Spark needs Java 17 or 21; {java} is {found[1] if found else 'unknown'}: set JAVA_HOME"
    return ""


def _work(job: Job, tell: Callable[[Reply], None], began: float) -> int:
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    from backbone.domain.errors import BackboneError

    try:
        tell(Step(what="starting Spark"))
        spark = SparkSession.builder.getOrCreate()
    except (PySparkException, Py4JError) as error:
        tell(Failed(why=f"Spark did not start: {_told(error)}"))
        return 1
    tell(Started(version=spark.version, seconds=time.monotonic() - began))
    try:
        tell(_job(spark, job, lambda what: tell(Step(what=what))))
    except (PySparkException, Py4JError, BackboneError, OSError, ValueError) as error:
        tell(Failed(why=f"{job.kind} failed: {_told(error)}"))
        return 1
    spark.stop()
    return 0


def _job(spark: Any, job: Job, step: Callable[[str], None]) -> Done:
    from backbone.export.spark.jobs import bars, compact, validate

    jobs = {"validate": validate.run, "ohlc": bars.run, "aggregates": bars.run, "compact": compact.run}
    return jobs[job.kind](spark, job, step)


def _told(error: Exception) -> str:
    """An error of Java's in one line: what it is, not the stack that it went through."""
    from backbone.export.spark.log import Tail

    java = getattr(error, "java_exception", None)
    text = str(error) if java is None else str(java)
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith(("at ", "..."))]
    causes = [line for line in lines if line.startswith("Caused by: ")]
    kept = " ".join(dict.fromkeys([*lines[:2], *causes[-1:]])) or type(error).__name__
    return Tail.shown(_CLEAN.sub(" ", kept).encode())


if __name__ == "__main__":
    sys.exit(main())
