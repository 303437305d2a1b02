"""Asking the backbone that runs with the same settings, through its control socket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from backbone.cli.failures import CommandFailed
from backbone.control.asking import ask_running
from backbone.control.errors import ControlUnreachable, NobodyRuns
from backbone.control.wire import REQUEST_TIMEOUT
from backbone.settings.redaction import redact_mapping

if TYPE_CHECKING:
    from backbone.operations.probes.status import StatusReport
    from backbone.settings import Settings

__all__ = ["answer", "asked", "standing"]

T = TypeVar("T")


def answer(
    settings: Settings,
    command: str,
    kind: type[T],
    *,
    timeout: float = REQUEST_TIMEOUT,
    arguments: Mapping[str, Any] | None = None,
) -> tuple[T, dict[str, Any]]:
    """The answer to a question, without secrets: as what it is, and as it came.

    Raises:
        NobodyRuns: no backbone runs with these settings.
        ControlUnreachable: nobody answers, or not what a backbone of this version says; says what to do.
        CommandFailed: the running backbone refuses the question.
    """
    found = redact_mapping(asked(settings, command, timeout=timeout, arguments=arguments))
    try:
        return msgspec.convert(found, kind), found
    except msgspec.ValidationError as error:
        raise ControlUnreachable(
            f"who answers at {settings.control.path} says something else than this version of the command understands "
            f"({error}); use the command of the version that runs"
        ) from error


def asked(
    settings: Settings, command: str, *, timeout: float = REQUEST_TIMEOUT, arguments: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The answer to a question as it came: rows may be in it, which nothing may change.

    Raises:
        NobodyRuns, ControlUnreachable, CommandFailed: as `answer`.
    """
    if not settings.control.enabled:
        raise NobodyRuns("control.enabled is false in these settings: a running backbone with them can't be asked")
    try:
        return ask_running(settings.control.path, command, timeout, arguments)
    except ValueError as error:
        raise CommandFailed(f"the running backbone refuses: {error}") from error


def standing(settings: Settings) -> StatusReport:
    """How the running backbone is."""
    from backbone.operations.probes.status import Observed, judge

    found, _ = answer(settings, "status", Observed)
    return judge(found.connectivity, found.roster)
