"""The console that pages are drawn on; apart, because it loads rich."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

__all__ = ["Terminal"]


class Terminal(Console):
    """A console that leaves it to the command line what a broken pipe means, and lets no text steer it."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """What is drawn; of a text that nobody made fit to be shown, what steers is left out."""
        for segment in super().render(renderable, options):
            fit = segment.is_control or segment.text.replace("\n", "").isprintable()
            yield segment if fit else segment._replace(text=_without_steering(segment.text))

    def on_broken_pipe(self) -> None:
        """Let the error go on; rich would exit with a code of its own."""
        raise


def _without_steering(text: str) -> str:
    return "".join(char for char in text if char.isprintable() or char == "\n")
