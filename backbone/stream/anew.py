"""What follows where the database was set back: this process forgets at once, the stream is told as soon as it can be.

For example Kafka is down while a standby that lagged takes over. The cache forgets what never was, and goes on with
what comes in its place. When Kafka is back, its readers are told that the stream begins anew before anything else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from backbone.stream.filling import Filling
from backbone.stream.past import Past
from backbone.stream.reach import Reach

__all__ = ["Anew"]


class Anew:
    """Begins anew: the database was set back, or is another one, and positions may come again for others.

    Subscribers are told last: who then fetches reads nothing of before, and asks for no position of before. Of several
    processes that notice it one tells the stream, and it is told before the stored cursor is moved.

    Args:
        reach: the cache.
        past: what is known of the database.
        filling: tells the stream.
        announce: tells this process.
        log: the relay's logger.

    Attributes:
        untold: the stream does not know yet: nothing may be published before it does.
    """

    def __init__(self, reach: Reach, past: Past, filling: Filling, announce: Callable[[], None], log: Any) -> None:
        self._reach = reach
        self._past = past
        self._filling = filling
        self._announce = announce
        self._log = log
        self._stored = 0
        self.untold = False

    async def forget(self, stored: int) -> None:
        """Have this process forget.

        Raises:
            HeldUp: by the cache.
        """
        self._log.warning("the database was set back; cache and stream begin anew", cursor=stored)
        self._past.forget()
        self._announce()
        await self._reach.forget()
        self._stored, self.untold = stored, True

    async def tell(self, position: int) -> None:
        """Tell the stream, unless it knows, that what was published after a position is no longer so.

        Raises:
            HeldUp: by the stream or the store.
        """
        if self.untold:
            await self._filling.begin_again(position)
            self.untold = False

    def leave_to(self, cursor: int) -> None:
        """Another process publishes, and has moved the stored cursor to here: where that moves on, the stream knows."""
        self.untold = self.untold and cursor <= self._stored
