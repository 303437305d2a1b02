"""What can go wrong with Spark."""

from __future__ import annotations

from backbone.export.errors import ExportFailed

__all__ = ["INSTALL", "SparkFailed", "SparkMissing"]

INSTALL = "pip install --no-binary pyspark 'pyspark>=4.3,<4.4' 'pandas<3' adbc-driver-postgresql"
"""What brings Spark; there is no wheel of it."""


class SparkFailed(ExportFailed):
    """A job of Spark came to no good end. What was exported is as it was; the same job again begins anew."""

    code = "spark_failed"


class SparkMissing(SparkFailed):
    """Spark, or the Java that it needs, is not there: the message says what to install."""

    code = "spark_missing"
