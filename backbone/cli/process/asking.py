"""Asking the backbone that runs with the same settings, through its control socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from backbone.cli.failures import CommandFailed
from backbone.control import ControlUnreachable, ask_running
from backbone.settings.redaction import redact_mapping

if TYPE_CHECKING:
    from backbone.operations.probes.status import StatusReport
    from backbone.settings import Settings

__all__ = ["answer", "standing"]


def answer(settings: Settings, command: str) -> dict[str, Any]:
    """The answer to a question, without secrets.

    Raises:
        ControlUnreachable: nobody answers; says what to do.
        CommandFailed: the running backbone refuses the question.
    """
    if not settings.control.enabled:
        raise ControlUnreachable("control.enabled is false in these settings: a backbone with them can't be asked")
    try:
        found: dict[str, Any] = ask_running(settings.control.path, command)
    except ValueError as error:
        raise CommandFailed(f"the running backbone refuses: {error}") from error
    return redact_mapping(found)


def standing(settings: Settings) -> StatusReport:
    """How the running backbone is."""
    from actors import RosterSnapshot
    from backbone.operations.probes.connectivity import ConnectivityReport
    from backbone.operations.probes.status import judge

    found = answer(settings, "status")
    return judge(
        msgspec.convert(found["connectivity"], ConnectivityReport), msgspec.convert(found["roster"], RosterSnapshot)
    )
