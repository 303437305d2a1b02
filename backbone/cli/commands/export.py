"""`backbone export`: rows of one moment into files, and a look at those that are there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from backbone.cli.exits import DONE, FAILED
from backbone.cli.failures import UsageError
from backbone.cli.options import COMMON, Common, Format, Output, Symbols, prepare, span, symbols_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from backbone.export.report import ExportReport
    from backbone.facade.backbone import Backbone
    from backbone.settings import Settings

__all__ = ["export", "list_exports", "show", "stress", "verify"]

Dimensions = Annotated[tuple[str, ...], Parameter(name="--dimension", negative="", show_default=False)]
Names = Annotated[tuple[str, ...], Parameter(name=("--symbol", "--symbols"), negative="", show_default=False)]
To = Annotated[Path | None, Parameter(name="--to")]
FileFormat = Annotated[Literal["parquet", "csv", "jsonl"] | None, Parameter(name="--file-format")]
Shape = Annotated[Literal["human", "json"], Parameter(name="--format")]
Anew = Annotated[bool, Parameter(name="--anew", negative="", show_default=False)]


def export(
    *,
    dimension: Dimensions = (),
    symbol: Names = (),
    start: str | None = None,
    end: str | None = None,
    to: To = None,
    file_format: FileFormat = None,
    anew: Anew = False,
    how: Format = "human",
    output: Output = None,
    common: Common = COMMON,
) -> int:
    """Write rows of one moment into files by date and symbol, for polars, DuckDB, pandas, Spark and others.

    Each file is read back and compared with what the store itself says of its rows. Then CURRENT names the export.
    One that was cut off goes on where it was; files whose rows have not changed are those of the export before.
    An embedded store must not be in use by a running backbone.

    Args:
        dimension: only these, comma-separated or repeated; all that have rows unless given.
        symbol: only these; comma-separated or repeated.
        start: from this moment on; a date alone is midnight UTC.
        end: up to this moment, itself included.
        to: the folder in which exports lie; as export.path says unless given.
        file_format: parquet, csv, or jsonl; as export.format says unless given.
        anew: write every file, whatever earlier exports hold.
        how: how the report is written.
        output: a file for the report instead of stdout.
        common: the options that all commands share.
    """
    first, last = span(start, end)
    settings = prepare(common)
    from backbone.cli.plans import dimension_of
    from backbone.cli.process.running import run
    from backbone.cli.show.exporting import draw_export
    from backbone.cli.show.output import show as shown

    wanted = tuple(dimension_of(each.strip()) for text in dimension for each in text.split(",") if each.strip())
    names = symbols_of(symbol)

    async def make(backbone: Backbone) -> ExportReport:
        return await backbone.export(
            wanted, symbols=names, start=first, end=last, to=to, file_format=file_format, anew=anew
        )

    report = run(lambda: _followed(settings, make, common))
    shown(report, lambda console: draw_export(console, report), how, output, no_color=common.no_color)
    return FAILED if report.status == "failed" else DONE


async def _followed(
    settings: Settings, work: Callable[[Backbone], Awaitable[ExportReport]], common: Common
) -> ExportReport:
    from backbone.cli.process.opening import briefly
    from backbone.cli.show.exporting import following

    async def followed(backbone: Backbone) -> ExportReport:
        with following(backbone, quiet=common.quiet, no_color=common.no_color):
            return await work(backbone)

    return await briefly(settings, followed)


def list_exports(*, to: To = None, how: Format = "human", output: Output = None, common: Common = COMMON) -> int:
    """The exports that lie in the folder, the newest first, and which of them CURRENT names.

    Args:
        to: the folder in which exports lie; as export.path says unless given.
        how: how it is written.
        output: a file instead of stdout.
        common: the options that all commands share.
    """
    root = _root(to, common)
    from backbone.cli.show.exporting import draw_exports
    from backbone.cli.show.output import show as shown
    from backbone.export.shelf import listing

    report = listing(root)
    shown(report, lambda console: draw_exports(console, report), how, output, no_color=common.no_color)
    return DONE


def show(
    name: str | None = None,
    /,
    *,
    to: To = None,
    how: Shape = "human",
    output: Output = None,
    common: Common = COMMON,
) -> int:
    """One export: what became of each job, and its files with their rows; json is its manifest.

    Args:
        name: as backbone export list has it; the current one unless given.
        to: the folder in which exports lie; as export.path says unless given.
        how: how it is written.
        output: a file instead of stdout.
        common: the options that all commands share.
    """
    root = _root(to, common)
    from backbone.cli.show.exporting import draw_kept
    from backbone.cli.show.output import page, write
    from backbone.export.layout import MANIFEST
    from backbone.export.shelf import chosen, listing

    with _naming(name):
        folder, manifest = chosen(root, name)
    if how == "json":
        write((folder / MANIFEST).read_bytes(), output)
        return DONE
    kept = next(each for each in listing(root).exports if each.id == folder.name)
    files = [(entry.path, entry.rows, entry.bytes) for entry in manifest.files]
    page(lambda console: draw_kept(console, kept, files), output, no_color=common.no_color)
    return DONE


def verify(
    name: str | None = None,
    /,
    *,
    to: To = None,
    how: Format = "human",
    output: Output = None,
    common: Common = COMMON,
) -> int:
    """Read every file of an export again: its hash, its rows, and the sums of its columns.

    Args:
        name: as backbone export list has it; the current one unless given.
        to: the folder in which exports lie; as export.path says unless given.
        how: how it is written.
        output: a file instead of stdout.
        common: the options that all commands share.
    """
    root = _root(to, common)
    from backbone.cli.show.exporting import draw_verified
    from backbone.cli.show.output import show as shown
    from backbone.export.shelf import verify as verified

    with _naming(name):
        report = verified(root, name)
    shown(report, lambda console: draw_verified(console, report), how, output, no_color=common.no_color)
    return FAILED if report.status == "failed" else DONE


def stress(
    *,
    dimension: Dimensions = (),
    symbols: Symbols = (),
    to: To = None,
    how: Format = "human",
    output: Output = None,
    common: Common = COMMON,
) -> int:
    """Exports one after the other, each of everything anew; export.stress says how many, and how long one may take.

    Args:
        dimension: only these, comma-separated or repeated; all that have rows unless given.
        symbols: only these; comma-separated or repeated.
        to: the folder in which exports lie; as export.path says unless given.
        how: how the report is written.
        output: a file for the report instead of stdout.
        common: the options that all commands share.
    """
    settings = prepare(common)
    from backbone.cli.plans import dimension_of
    from backbone.cli.process.opening import briefly
    from backbone.cli.process.running import run
    from backbone.cli.show.exporting import draw_stress
    from backbone.cli.show.output import show as shown
    from backbone.export.stress import StressReport
    from backbone.export.stress import stress as stressed

    wanted = tuple(dimension_of(each.strip()) for text in dimension for each in text.split(",") if each.strip())
    names = symbols_of(symbols)

    async def cycles(backbone: Backbone) -> StressReport:
        async def once() -> ExportReport:
            return await backbone.export(wanted, symbols=names, to=to, anew=True)

        return await stressed(once, backbone.system.clock.time, settings.export.stress, settings.hash)

    report = run(lambda: briefly(settings, cycles))
    shown(report, lambda console: draw_stress(console, report), how, output, no_color=common.no_color)
    return FAILED if report.status == "failed" else DONE


@contextmanager
def _naming(name: str | None) -> Iterator[None]:
    """A name of no export is a wrong argument; that there is no current one is not."""
    from backbone.export.errors import ExportMissing

    try:
        yield
    except ExportMissing as error:
        if name is None:
            raise
        raise UsageError(str(error)) from error


def _root(to: Path | None, common: Common) -> Path:
    """The folder in which exports lie."""
    settings = prepare(common)
    return Path(settings.export.path if to is None else to).absolute()
