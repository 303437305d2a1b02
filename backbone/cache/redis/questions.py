"""What is sent to get a window, made once for each window of a generation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from backbone.cache.key import CacheKey
from backbone.cache.redis.wire import Word, items, packed

__all__ = ["Question", "Questions"]

_KEPT = 2048


class Question(NamedTuple):
    """The script's `get` of a window but for three words, and the command that asks for its rows."""

    head: bytes
    tail: bytes
    rows: bytes

    @classmethod
    def of(cls, digest: str, keys: Sequence[str], tail: Sequence[Word]) -> Question:
        """The question of a window.

        Args:
            digest: of the script.
            keys: state, used, expiry, entry and lease.
            tail: what the script is told behind the three words.
        """
        head: list[Word] = ["EVALSHA", digest, len(keys), *keys, "get"]
        words = b"*%d\r\n" % (len(head) + 3 + len(tail))
        return cls(words + items(head), items(tail), packed(("HMGET", keys[3], "lease", "checksum", "rows")))

    def asked(self, mine: str, least: str, known: bytes) -> bytes:
        """The commands: two, or one where something is known of the window, which may still be the same.

        The rows do not go through the script, which would copy them twice more. They belong to its answer where they
        have the name that it gives.
        """
        commands = (self.head, items((mine, least, known)), self.tail)
        return b"".join(commands if known else (*commands, self.rows))


class Questions:
    """Those that were asked lately."""

    def __init__(self) -> None:
        self._made: dict[CacheKey, Question] = {}

    def get(self, key: CacheKey) -> Question | None:
        """The question of a window, if it was made."""
        return self._made.get(key)

    def keep(self, key: CacheKey, question: Question) -> Question:
        """Have it at hand for the next who asks."""
        if len(self._made) >= _KEPT:
            self._made.clear()
        self._made[key] = question
        return question

    def clear(self) -> None:
        """Another generation has other keys."""
        self._made.clear()
