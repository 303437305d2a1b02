"""The console that pages are drawn on; apart, because it loads rich."""

from __future__ import annotations

from rich.console import Console

__all__ = ["Terminal"]


class Terminal(Console):
    """A console that leaves it to the command line what a broken pipe means."""

    def on_broken_pipe(self) -> None:
        """Let the error go on; rich would exit with a code of its own."""
        raise
