"""Asking the backbone that runs with the same settings, through its control socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from backbone.cli.failures import CommandFailed
from backbone.control.asking import ask_running
from backbone.control.errors import ControlUnreachable
from backbone.settings.redaction import redact_mapping

if TYPE_CHECKING:
    from backbone.operations.probes.status import StatusReport
    from backbone.settings import Settings

__all__ = ["answer", "standing"]

T = TypeVar("T")


def answer(settings: Settings, command: str, kind: type[T]) -> tuple[T, dict[str, Any]]:
    """The answer to a question, without secrets: as what it is, and as it came.

    Raises:
        ControlUnreachable: nobody answers, or not what a backbone of this version says; says what to do.
        CommandFailed: the running backbone refuses the question.
    """
    if not settings.control.enabled:
        raise ControlUnreachable("control.enabled is false in these settings: a backbone with them can't be asked")
    try:
        found = redact_mapping(ask_running(settings.control.path, command))
    except ValueError as error:
        raise CommandFailed(f"the running backbone refuses: {error}") from error
    try:
        return msgspec.convert(found, kind), found
    except msgspec.ValidationError as error:
        raise ControlUnreachable(
            f"who answers at {settings.control.path} says something else than this version of the command understands "
            f"({error}); use the command of the version that runs"
        ) from error


def standing(settings: Settings) -> StatusReport:
    """How the running backbone is."""
    from backbone.operations.probes.status import Observed, judge

    found, _ = answer(settings, "status", Observed)
    return judge(found.connectivity, found.roster)
