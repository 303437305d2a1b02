"""Spark: for what outgrows this process; each job in a child process of its own."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from backbone.settings.secrets import Secret
from backbone.settings.sections.base import Seconds, Section, Text

__all__ = ["SparkSettings"]

Memory = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,5}[mg]\Z")]
Master = Annotated[
    str, Meta(pattern=r"^(local|local\[([1-9][0-9]{0,3}|\*)\]|(spark|k8s)://[!-~]{1,1000}|yarn)\Z", max_length=1024)
]


class SparkSettings(Section, frozen=True, kw_only=True):
    """Where jobs of Spark run, and what they may take."""

    master: Annotated[Master, Meta(description="local[2], spark://host:port, k8s://… or yarn")] = "local[2]"
    secret: Annotated[Secret | None, Meta(description="spark://: what the cluster knows its own by")] = None
    python: Annotated[
        Text | None,
        Meta(description="an interpreter that has pyspark and backbone, here and on all workers; none: this one"),
    ] = None
    driver_memory: Annotated[Memory, Meta(description="of the child's JVM, as 1g or 800m")] = "1g"
    executor_memory: Annotated[Memory, Meta(description="of each executor")] = "1g"
    job_seconds: Annotated[Seconds, Meta(description="a job that takes longer is ended, and has failed")] = 3600.0
    conf_file: Annotated[
        Text | None, Meta(description="further settings of Spark, as spark-defaults.conf has them; ours win")
    ] = None
