"""How far parts of a stream that were lost are filled again, and in which words that is told."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

__all__ = ["Progress"]

_NAMED = 3


class Progress(Struct, frozen=True):
    """How much of the outbox was gone through.

    Attributes:
        parts: identities of what is filled; what stands before a slash is a name.
        done: changes that were gone through.
        whole: how many the outbox held at the begin; None: not known.
        began: when, in seconds of a monotonic clock.
        now: when it was so far.
    """

    parts: tuple[str, ...]
    done: int
    whole: int | None
    began: float
    now: float = 0.0

    def further(self, changes: int, now: float) -> Progress:
        """After so many more."""
        return replace(self, done=self.done + changes, now=now)

    def __str__(self) -> str:
        names = sorted({part.partition("/")[0] for part in self.parts})
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        return f"{', '.join(names[:_NAMED])}{more}: {self.done:,} changes of the outbox gone through{self._rest()}"

    def _rest(self) -> str:
        if self.whole is None:
            return ""
        left, seconds = max(0, self.whole - self.done), self.now - self.began
        pace = f", at this pace {left * seconds / self.done:,.0f} s" if self.done and seconds > 0 else ""
        return f", about {left:,} are left{pace}"
