"""What is dropped is gone: somebody has to say so."""

from __future__ import annotations

import sys

from backbone.cli.failures import UsageError

__all__ = ["confirm_drop"]


def confirm_drop(what: str) -> None:
    """Ask before something is dropped for good.

    Args:
        what: such as "all dead letters".

    Raises:
        UsageError: nobody is there to be asked, or does not agree.
    """
    if not sys.stdin.isatty():
        raise UsageError(f"{what} would be dropped for good; add --yes")
    print(f"{what.capitalize()} will be dropped for good. Type drop to go on: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() != "drop":
        raise UsageError("nothing was dropped")
