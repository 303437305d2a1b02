"""The answer to a statement of SQL: from the running backbone through its socket, else from one that is opened here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from actors import Reject
from backbone.calls import restore
from backbone.cli.failures import CommandFailed, UsageError, note
from backbone.cli.process.opening import briefly
from backbone.cli.process.running import run
from backbone.control.asking import Line, bytes_of_running
from backbone.control.errors import ControlUnreachable, NobodyRuns
from backbone.control.values import packed
from backbone.domain.threads import in_thread
from backbone.store.statements import Statement

if TYPE_CHECKING:
    from backbone.cli.options import Common
    from backbone.facade.backbone import Backbone
    from backbone.settings import Settings

__all__ = ["answer_to"]

_MARGIN = 15.0  # seconds beyond those of the statement: for finding out that it took too long, and for sending
_ROOM = 16 * 2**20  # bytes that an Arrow stream may have beside its values


def answer_to(
    settings: Settings, common: Common, text: str, values: Sequence[Any], seconds: float, limit: int | None
) -> pa.Table:
    """Ask the running backbone; where none runs, open one.

    Raises:
        UsageError: the text can't be a statement, or the values none of its values.
        StatementRefused, TooMuch, StoreBusy: as `Backbone.sql`.
        ControlUnreachable: a backbone runs, and does not answer.
    """
    try:
        Statement(name="given", text=text, values=tuple(values), seconds=seconds, limit=limit)
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error
    try:
        return _asked(settings, text, values, seconds, limit)
    except NobodyRuns as error:
        if not common.quiet:
            note(f"{error}; the store is opened from here")

    async def work(backbone: Backbone) -> pa.Table:
        return await backbone.sql(text, *values, timeout_s=seconds, limit=limit)

    return run(lambda: briefly(settings, work))


def _asked(settings: Settings, text: str, values: Sequence[Any], seconds: float, limit: int | None) -> pa.Table:
    if not settings.control.enabled:
        raise NobodyRuns("control.enabled is false in these settings: a running backbone with them can't be asked")
    question: dict[str, Any] = {"query": text, "timeout_s": seconds}
    question |= {"parameters": packed(values)} if values else {}
    question |= {} if limit is None else {"limit": limit}
    most = settings.sql.max_bytes * 2 + _ROOM
    path, line = settings.control.path, Line()

    def ask() -> bytes | tuple[str, str]:
        return bytes_of_running(path, "sql", seconds + _MARGIN, question, most, line)

    try:
        answer = run(lambda: in_thread(ask, interrupt=line.hang_up))
    except ValueError as error:
        raise UsageError(str(error)) from error
    if isinstance(answer, tuple):
        code, why = answer
        refusal = restore(Reject(code, why))
        raise CommandFailed(f"the running backbone refuses: {why}") if isinstance(refusal, Reject) else refusal
    try:
        with pa.ipc.open_stream(answer) as reader:
            table = reader.read_all()
        table.validate(full=True)
    except (pa.ArrowInvalid, OSError) as error:
        raise ControlUnreachable(
            f"who answers at {path} sends no Arrow stream ({error}); use the command of the version that runs"
        ) from error
    return table
