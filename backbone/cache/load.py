"""One read of the store for all who asked for a window while it was under way, and could do with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from actors import Reject, Reply
from backbone.cache.messages import Fetched

__all__ = ["Asker", "Load", "outcome_of"]


class Asker:
    """Who waits for a window.

    Args:
        reply: answers them.
        saw: told how that came out.
    """

    __slots__ = ("_reply", "_saw")

    def __init__(self, reply: Reply[Fetched], saw: Callable[[str], None]) -> None:
        self._reply = reply
        self._saw = saw

    def answer(self, fetched: Fetched) -> None:
        """Give them a window."""
        self._reply(fetched)
        self._saw(outcome_of(fetched))

    def refuse(self, reject: Reject) -> None:
        """Tell them why there is none."""
        self._reply.fail(reject)
        self._saw(f"refused:{reject.code}")


def outcome_of(fetched: Fetched) -> str:
    """How a question came out, for who watches."""
    return "stale" if fetched.frame.stale else "hit" if fetched.hit else "miss"


@dataclass(slots=True)
class Load:
    """A read that is to be done, or under way, and who waits for it.

    Who asks before it begins takes part. Who asks while it is under way takes part only if it is sure to hold what they
    ask for; else they wait for the next one, together with all others that do.

    For example: A asks for position 5, and a read begins. B asks for 4 and takes part. C asks for 7, which the read may
    not have seen, and D for 9: one further read, for 9, serves both. Rows of the window change: E, who asks only now,
    and for no position, waits for the further read, too.

    Attributes:
        at_least: outbox position that the read has to include; it does where it begins after that commit.
        askers: who is answered by it.
        next: the read after this one; None: nobody needs one.
        lease: with which this process reads, or another one for which it waits; None: without any.
    """

    at_least: int = 0
    askers: list[Asker] = field(default_factory=list)
    next: Load | None = None
    lease: str | None = None
    _begun: bool = False
    _closed: bool = False

    def join(self, at_least: int, asker: Asker) -> None:
        """Wait for this read, or for the one after it."""
        if self._begun and (self._closed or at_least > self.at_least):
            self.next = self.next or Load()
            self.next.join(at_least, asker)
            return
        self.at_least = max(at_least, self.at_least)
        self.askers.append(asker)

    def begin(self) -> None:
        """What is committed from now on it may not see."""
        self._begun = True

    def close(self) -> None:
        """What it reads is known to be old, or may hold rows that were dropped: who asks from now on waits for more.

        One that has not begun will read what is there by then.
        """
        self._closed = self._begun

    def answer(self, fetched: Fetched) -> None:
        """Answer all who take part."""
        for asker in self.askers:
            asker.answer(fetched)

    def give_up(self) -> list[Asker]:
        """All who wait for this read or for the next one, neither of which there will be."""
        waiting = self.askers if self.next is None else self.askers + self.next.askers
        self.next = None
        return waiting
