"""Whether an export is what its manifest says: each file read twice on the executors, by pyarrow and by Spark."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from backbone.domain.clock import to_us
from backbone.domain.dimension import Dimension
from backbone.domain.text import excerpt
from backbone.export.manifest import Entry, Manifest
from backbone.export.shelf import chosen, contradictions, is_rest, strangers
from backbone.export.spark.jobs.looking import judged
from backbone.export.spark.jobs.reading import rows_of
from backbone.export.spark.wire import Done, Job

__all__ = ["run"]

_MOST_PROBLEMS, _LONGEST = 400, 500
"""So many, of so many characters, are one line to the parent: where a whole folder is gone, each file is a problem."""


def run(spark: Any, job: Job, step: Callable[[str], None]) -> Done:
    """Read all files, or those of a dimension."""
    folder, manifest = chosen(Path(job.root), job.export)
    entries = [entry for entry in manifest.files if job.dimension in (None, entry.dimension)]
    problems = [*contradictions(folder, manifest), *_strange(folder, manifest)]
    problems += [f"{each.dimension}: {each.why}" for each in manifest.jobs if each.status == "fail"]
    step(f"reading {len(entries)} files: hashes, keys, order, sums")
    found = _judged(spark, folder, manifest, entries)
    problems += [problem for _, of_file in found for problem in of_file]
    if not problems:  # of a file that can't be read Spark has only a stack to tell
        step("reading them by Spark's own reader")
        for dimension in dict.fromkeys(entry.dimension for entry in entries):
            problems += _by_spark(spark, folder, manifest, dimension)
    return Done(rows=sum(rows for rows, _ in found), files=len(entries), problems=_first(problems))


def _first(problems: Sequence[str]) -> tuple[str, ...]:
    """Those that are told, and how many more there are."""
    more = len(problems) - _MOST_PROBLEMS
    told = [excerpt(each, _LONGEST) for each in problems[:_MOST_PROBLEMS]]
    return (*told, *([f"and {more} more"] if more > 0 else []))


def _strange(folder: Path, manifest: Manifest) -> Iterator[str]:
    for path in strangers(folder, manifest.files):
        if not is_rest(path):
            yield f"{path} does not belong there"


def _judged(spark: Any, folder: Path, manifest: Manifest, entries: list[Entry]) -> list[tuple[int, list[str]]]:
    if not entries:
        return []
    context = spark.sparkContext
    judge = partial(judged, str(folder), manifest.header.format)
    slices = min(len(entries), 4 * context.defaultParallelism)
    lines = [msgspec.json.encode(entry) for entry in entries]
    found: list[tuple[int, list[str]]] = context.parallelize(lines, slices).map(judge).collect()
    return found


def _by_spark(spark: Any, folder: Path, manifest: Manifest, dimension: Dimension) -> Iterator[str]:
    """What another reader, of Java, finds in the files."""
    from pyspark.sql import functions as f

    rows = rows_of(spark, folder, manifest, dimension)
    without = [f.count_if(f.col(name).isNull()) for name in dimension.key]
    moments = f.unix_micros("ts")
    counted = rows.groupBy("file_path").agg(f.count("*"), f.min(moments), f.max(moments), *without).collect()
    found = {Path(unquote(urlsplit(row[0]).path)): tuple(row)[1:] for row in counted}
    for entry in manifest.files:
        if entry.dimension is dimension:
            wanted = (entry.rows, to_us(entry.earliest), to_us(entry.latest), *(0 for _ in without))
            told = found.get(folder / entry.path)
            if told != wanted:
                what = "rows, first, last and nulls of its key"
                yield f"{entry.path}: {what} are {told} for Spark, {wanted} by the manifest"
