"""Opening a backbone for a command, and looking afterwards at what it left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from backbone.cli.failures import UsageError
from backbone.cli.show.output import replace_file
from backbone.facade.backbone import Backbone
from backbone.operations.validation import ValidationReport, observe
from backbone.settings.starting import refuse_what_cannot_start

if TYPE_CHECKING:
    from actors import RosterSnapshot
    from backbone.settings import Settings

__all__ = ["VALIDATION", "briefly", "observed", "place_of"]

T = TypeVar("T")

VALIDATION = "system_validation_report.json"
"""The file that says what was supervised and what was left behind."""


def place_of(settings: Settings) -> Path:
    """The folder for what is written beside the store."""
    store = settings.store.path
    return Path(settings.control.path if store == ":memory:" else store).parent


async def observed(
    settings: Settings,
    work: Callable[[Backbone], Awaitable[T]],
    folder: Path,
    *,
    afterwards: Callable[[ValidationReport], None] | None = None,
) -> tuple[T, ValidationReport]:
    """Do `work` with a backbone, and write the validation report into `folder` once it has closed, come what may.

    Args:
        settings: of the backbone.
        work: what to do with it.
        folder: where the report goes.
        afterwards: is called with the report, also where `work` fails or is stopped.
    """
    refuse_what_cannot_start(settings)
    host = asyncio.all_tasks()
    roster: RosterSnapshot | None = None
    report: ValidationReport | None = None
    try:
        async with Backbone.open(settings) as backbone:
            try:
                with _arguments():
                    result = await work(backbone)
            finally:
                roster = backbone.roster()
    finally:
        if roster is not None:
            report = observe(roster, host, settings_hash=settings.hash)
            replace_file(folder / VALIDATION, report.to_json())
            if afterwards is not None:
                afterwards(report)
    return result, report


async def briefly(settings: Settings, work: Callable[[Backbone], Awaitable[T]]) -> T:
    """Do `work` with a backbone that nobody else can ask meanwhile: for commands that only look."""
    refuse_what_cannot_start(settings)
    alone = msgspec.structs.replace(settings, control=msgspec.structs.replace(settings.control, enabled=False))
    async with Backbone.open(alone) as backbone:
        with _arguments():
            return await work(backbone)


@contextmanager
def _arguments() -> Iterator[None]:
    """What the backbone refuses about its arguments is, here, a command line that can't be used.

    Its subclasses are other things: an input that can't be read, bytes that are no text.
    """
    try:
        yield
    except ValueError as error:
        if type(error) is not ValueError:
            raise
        raise UsageError(str(error)) from error
