"""Having something done by the backbone that runs with these settings, or by one that is opened for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from backbone.cli.failures import note

if TYPE_CHECKING:
    from backbone.cli.options import Common
    from backbone.facade.backbone import Backbone
    from backbone.settings import Settings

__all__ = ["done_by_either"]

T = TypeVar("T")

_TIMEOUT = 60.0  # seconds


def done_by_either(
    settings: Settings,
    common: Common,
    command: str,
    arguments: Mapping[str, Any],
    kind: type[T],
    alone: Callable[[Backbone], Awaitable[T]],
) -> T:
    """Have a running backbone do it; where none runs, open one for it.

    Args:
        settings: of the backbone.
        common: how much is said.
        command: of the control socket.
        arguments: what it takes; those that are None count as not given.
        kind: of the answer.
        alone: does it with one that was opened.
    """
    from backbone.cli.process.asking import answer
    from backbone.cli.process.opening import briefly
    from backbone.cli.process.running import run
    from backbone.control.errors import NobodyRuns

    given = {name: value for name, value in arguments.items() if value is not None}
    try:
        return answer(settings, command, kind, timeout=_TIMEOUT, arguments=given)[0]
    except NobodyRuns as error:
        if not common.quiet:
            note(f"{error}; the store is opened from here")
    return run(lambda: briefly(settings, alone))
