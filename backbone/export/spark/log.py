"""What the child prints: the end of it, without secrets."""

from __future__ import annotations

from collections import deque

from backbone.domain.text import written_out
from backbone.settings.redaction import redact

__all__ = ["Tail"]

_LINES = 40
_LONGEST = 500  # characters of a line that are kept


class Tail:
    """The last lines of an output, however long it is."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._open = b""

    def add(self, data: bytes) -> None:
        """Take more of it in; of a line without end only so much is kept as would be of one with."""
        *whole, rest = (self._open + data).split(b"\n")
        self._open = rest[: 4 * _LONGEST]
        for line in whole[-_LINES:]:
            self._take(line)

    def lines(self) -> tuple[str, ...]:
        """Those that say something, in order."""
        return (*self._lines, *self._said(self._open))

    def last(self) -> str:
        """The last one; "" where nothing was said."""
        return (self.lines() or ("",))[-1]

    def _take(self, line: bytes) -> None:
        self._lines.extend(self._said(line))

    @staticmethod
    def shown(line: bytes) -> str:
        """A line as it may be shown."""
        return written_out(redact(line.decode(errors="replace").strip())[:_LONGEST])

    def _said(self, line: bytes) -> list[str]:
        text = self.shown(line)
        return [text] if text else []
