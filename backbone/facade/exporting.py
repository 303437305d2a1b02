"""Exports, as a backbone is asked for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from os import PathLike, fspath
from typing import Any

from backbone.domain import arguments
from backbone.domain.dimension import Dimension
from backbone.export.messages import Form, RunExport, RunSpark
from backbone.export.report import ExportReport
from backbone.export.spark.report import SparkReport
from backbone.export.spark.wire import JobKind

__all__ = ["Exporting"]

_TIMEOUT = 24 * 3600.0


class Exporting:
    """The verbs of a backbone that write files, and work on them."""

    _ask: Any

    async def export(
        self,
        dimensions: Dimension | str | Sequence[Dimension | str] = (),
        *,
        symbols: Sequence[str] = (),
        start: datetime | None = None,
        end: datetime | None = None,
        to: str | PathLike[str] | None = None,
        file_format: Form | None = None,
        anew: bool = False,
    ) -> ExportReport:
        """Write rows of one moment into files that other tools read, and let CURRENT name them.

        Each file is read back and compared with what the store itself says of its rows. Files whose rows have not
        changed since an earlier export are linked. One that was cut off goes on where it was; a second one waits.

        Args:
            dimensions: one, or some, or aliases of them; empty: all that have rows.
            symbols: empty: all.
            start: first moment, inclusive, with a time zone.
            end: last moment, inclusive, with a time zone.
            to: the folder in which exports lie; None: `export.path`.
            file_format: parquet, csv or jsonl; None: `export.format`.
            anew: write every file, whatever earlier exports hold.

        Returns:
            What was written. Where a job failed, `status` is failed, and CURRENT names what it named before.

        Raises:
            TypeError, ValueError: an argument is wrong.
            ExportBusy: another process writes to that folder.
            ExportFailed: the disk takes nothing.
            StoreUnavailable: the store does not answer.
        """
        several = (dimensions,) if isinstance(dimensions, str) else arguments.texts("dimensions", dimensions)
        request = RunExport(
            tuple(dict.fromkeys(Dimension.parse(each) for each in several)),
            arguments.symbols(symbols),
            start,
            end,
            fspath(to) if isinstance(to, PathLike) else to,
            file_format,
            anew,
        )
        report: ExportReport = await self._ask("export", request, _TIMEOUT)
        return report

    async def spark(
        self,
        job: JobKind,
        *,
        export: str | None = None,
        dimension: Dimension | str | None = None,
        interval: str | None = None,
        to: str | PathLike[str] | None = None,
    ) -> SparkReport:
        """Do a job of Spark over an export, in a child process of its own; a second one waits.

        Args:
            job: `"validate"` reads every file again on the executors: rows, keys, order, sums. `"ohlc"` makes bars of
                trades, `"aggregates"` those of a day in UTC, `"compact"` few large files of many small ones; each in a
                folder below `derived`, with a manifest.
            export: its name; None: the current one.
            dimension: only its rows; None: all.
            interval: of the bars: one that divides a day; None: a minute.
            to: the folder in which exports lie; None: `export.path`.

        Returns:
            What came of it. Where it could not be done, or something is wrong, `status` is failed.

        Raises:
            TypeError, ValueError: an argument is wrong.
            SparkMissing: Spark or Java is not there; the message says what to install.
            ExportMissing: there is no such export.
        """
        wanted = None if dimension is None else Dimension.parse(dimension)
        request = RunSpark(job, export, wanted, interval, fspath(to) if isinstance(to, PathLike) else to)
        report: SparkReport = await self._ask("export", request, _TIMEOUT)
        return report
