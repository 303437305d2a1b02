"""`format("backbone")`: the store as a data source of Spark, read by the executors under one moment.

from backbone.export.spark.source import moment, register

register(spark)
with moment(env_file=".services/.env") as held:
trades = spark.read.format("backbone").options(**held, dimension="trades", symbols="AIG,IBM").load()
trades.groupBy("symbol").count().show()
"""

from __future__ import annotations

from backbone.export.spark.source.moment import moment
from backbone.export.spark.source.register import register

__all__ = ["moment", "register"]
