"""A whole job of Spark: which export, in which child, and what came of it."""

from __future__ import annotations

import importlib.util
import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import msgspec

from backbone.domain.hanging import Hung
from backbone.domain.status import Status
from backbone.export.beside import disk_threads, require_patience
from backbone.export.errors import ExportFailed
from backbone.export.manifest import Manifest
from backbone.export.messages import RunSpark
from backbone.export.shelf import held
from backbone.export.spark.conf import SHORT_ROWS, command, confs, environment, write_confs
from backbone.export.spark.errors import INSTALL, SparkFailed, SparkMissing
from backbone.export.spark.log import Tail
from backbone.export.spark.process import converse
from backbone.export.spark.report import SparkReport
from backbone.export.spark.scratch import scratch
from backbone.export.spark.wire import Done, Job, Reply, Started
from backbone.settings import Settings
from backbone.settings.sections.spark import SparkSettings

__all__ = ["missing", "root_of", "run_spark"]


def missing(spark: SparkSettings) -> str:
    """What has to be installed before a job can run, and how; "" where all that can be seen from here is there."""
    if spark.python is None and importlib.util.find_spec("pyspark") is None:
        return f"pyspark is not installed: {INSTALL}; or export.spark.python names an interpreter that has it"
    if spark.python is not None and shutil.which(spark.python) is None:
        return f"export.spark.python={spark.python} is no program; give the path of an interpreter that has pyspark"
    return ""


async def run_spark(settings: Settings, asked: RunSpark, told: Callable[[Reply], None] = lambda _: None) -> SparkReport:
    """Do a job over an export in a child process of its own.

    Args:
        settings: where exports lie, and what Spark may take.
        asked: which job, over which export.
        told: hears what the child says.

    Returns:
        What came of it; where it could not be done, `status` is failed, and `why` says why.

    Raises:
        ExportMissing: there is no such export.
        ExportFailed: it is none that Spark reads, or its disk does not answer.
        SparkMissing: Spark or Java is not there.
    """
    lacking = missing(settings.export.spark)
    if lacking:
        raise SparkMissing(lacking)
    root = root_of(asked, settings)
    require_patience(root)
    threads, stack = disk_threads(settings, root), ExitStack()
    try:  # it is not removed while Spark reads it, whatever CURRENT names meanwhile
        folder, manifest = await threads.run(lambda: stack.enter_context(held(root, asked.export)))
        return await _over(folder, manifest, settings, asked, told)
    except Hung as error:
        raise ExportFailed(f"{error}; look after that disk, then ask again") from error
    finally:
        await threads.tidy(stack.close)
        threads.rest()


def root_of(asked: RunSpark, settings: Settings) -> Path:
    """The folder in which the export lies."""
    return Path(asked.to or settings.export.path).absolute()


async def _over(
    folder: Path, manifest: Manifest, settings: Settings, asked: RunSpark, told: Callable[[Reply], None]
) -> SparkReport:
    spark, began, tail = settings.export.spark, time.monotonic(), Tail()
    job = asked.of(str(folder.parent), folder.name)
    _require_readable(manifest, job)
    started = Started(version="", seconds=0.0)

    def hear(reply: Reply) -> None:
        nonlocal started
        started = reply if isinstance(reply, Started) else started
        told(reply)

    report = SparkReport(
        status=Status.FAILED,
        settings_hash=settings.hash,
        job=asked.job,
        export=folder.name,
        master=spark.master,
        span_start=min((entry.earliest for entry in manifest.files), default=None),
        span_end=max((entry.latest for entry in manifest.files), default=None),
    )
    try:
        done = await _done(spark, job, manifest, hear, tail)
    except SparkMissing:
        raise
    except SparkFailed as error:
        report = msgspec.structs.replace(report, why=str(error), log=tail.lines())
    else:
        report = _of(report, done)
    spent = time.monotonic() - began
    return msgspec.structs.replace(report, spark=started.version, start_s=started.seconds, seconds=spent)


async def _done(spark: SparkSettings, job: Job, manifest: Manifest, hear: Callable[[Reply], None], tail: Tail) -> Done:
    quick = sum(entry.rows for entry in manifest.files) < SHORT_ROWS
    async with scratch() as folder:
        write_confs(folder, spark, confs(spark, folder, f"backbone-{job.kind}", quick=quick))
        return await converse(
            command(spark),
            job,
            env=environment(spark, folder),
            cwd=folder,
            seconds=spark.job_seconds,
            told=hear,
            tail=tail,
        )


def _of(report: SparkReport, done: Done) -> SparkReport:
    return msgspec.structs.replace(
        report,
        status=Status.FAILED if done.problems else Status.OK,
        rows=done.rows,
        files=done.files,
        folder=done.folder,
        kept=done.kept,
        problems=done.problems,
    )


def _require_readable(manifest: Manifest, job: Job) -> None:
    """Refuse what there is nothing to look at in, and to make anything of what is not whole."""
    if manifest.header.format != "parquet":
        text = f"{manifest.header.id} is of {manifest.header.format}; Spark's jobs read exports of parquet"
        raise ExportFailed(f"{text}: backbone export --file-format parquet makes one")
    there = {entry.dimension for entry in manifest.files}
    wanted = there if job.dimension is None else {job.dimension}
    if not wanted & there:
        of = "files" if job.dimension is None else f"files of {job.dimension}"
        raise ExportFailed(f"{manifest.header.id} has no {of}; it has: {', '.join(sorted(there)) or 'none'}")
    failed = [each for each in manifest.jobs if each.status == "fail" and job.dimension in (None, each.dimension)]
    if failed and job.kind != "validate":
        text = f"{manifest.header.id} has not all rows of {failed[0].dimension}: {failed[0].why}"
        raise ExportFailed(f"{text}; nothing is made of it: backbone export makes another")
