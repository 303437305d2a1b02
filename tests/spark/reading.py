"""Read all trades of the store by the data source, into a folder: the program that a test drives.

It says when the moment is held, and waits for a line; says when the first partition is read, and when all are.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

from pyspark.sql import SparkSession

from backbone.export.spark.source import moment, register


def main(master: str, env_file: str, folder: str) -> None:
    """See above."""
    spark = SparkSession.builder.master(master).getOrCreate()
    register(spark)
    with moment(env_file=env_file) as held:
        print("held", flush=True)  # noqa: T201
        sys.stdin.readline()
        rows = spark.read.format("backbone").options(**held, dimension="trades").load()
        done = threading.Event()
        watching = threading.Thread(target=_watch, args=(spark, done))
        watching.start()
        rows.explain(True)
        rows.write.mode("overwrite").parquet(folder)
        done.set()
        watching.join()
    print("done", flush=True)  # noqa: T201
    spark.stop()


def _watch(spark: Any, done: threading.Event) -> None:
    """Say when the first partition is read."""
    tracker = spark.sparkContext.statusTracker()
    while not done.wait(0.05):
        stages = [tracker.getStageInfo(each) for each in tracker.getActiveStageIds()]
        if any(stage is not None and stage.numCompletedTasks for stage in stages):
            print("first", flush=True)  # noqa: T201
            return


if __name__ == "__main__":
    main(*sys.argv[1:4])
