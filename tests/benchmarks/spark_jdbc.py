"""What Spark's JDBC does to get trades out of PostgreSQL: a program for Spark's own environment.

A partition for each day, 20,000 rows at a time, all in one snapshot, sorted, written by date and symbol.
"""

from __future__ import annotations

import json
import os
import sys
import time
from urllib.parse import unquote, urlsplit

from pyspark.sql import SparkSession
from pyspark.sql import functions as f


def main(jar: str, folder: str, *days: str) -> None:
    """Read by the address in BARE_URL; the time since the process began is told."""
    began = time.monotonic()
    address = urlsplit(os.environ["BARE_URL"])
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.driver.memory", "1g")
        .config("spark.driver.extraClassPath", jar)
        .config("spark.driver.extraJavaOptions", "-Duser.timezone=UTC")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.parquet.compression.codec", "zstd")
        .config("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    started = time.monotonic()
    options = {
        "user": unquote(address.username or ""),
        "password": unquote(address.password or ""),
        "driver": "org.postgresql.Driver",
        "fetchsize": "20000",
    }
    predicates = [f"ts >= '{day}'::date AND ts < '{day}'::date + 1" for day in days]
    url = f"jdbc:postgresql://{address.hostname}:{address.port}{address.path}"
    table = "(SELECT symbol, ts, sequence, price, size, venue, conditions FROM market_data.trades) AS trades"
    rows = spark.read.jdbc(url, table, predicates=predicates, properties=options)
    sorted_ = rows.withColumn("date", f.to_date("ts")).sortWithinPartitions("date", "symbol", "ts", "sequence")
    sorted_.write.partitionBy("date", "symbol").parquet(folder)
    written = time.monotonic()
    count = spark.read.parquet(folder).count()
    spark.stop()
    print(json.dumps({"start": started - began, "seconds": written - began, "rows": count}))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
