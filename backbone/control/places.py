"""Who may ask at once: so many, and so many of one process, so that one which forgets its connections holds up itself.

For example 4 idle connections of process 17 cost its fifth one a refusal at once, and nobody else anything.
"""

from __future__ import annotations

from collections import Counter

from backbone.control.peers import Peer

__all__ = ["ALL", "OF_ONE_PROCESS", "Places"]

ALL = 32
OF_ONE_PROCESS = 4


class Places:
    """The connections that are served now."""

    def __init__(self) -> None:
        self._taken: Counter[int | None] = Counter()

    def take(self, peer: Peer) -> str:
        """Take a place, to be left again; "": it was taken, else why it was not."""
        if self._taken.total() >= ALL:
            return f"{ALL} connections are open; ask again when some are closed"
        if peer.pid is not None and self._taken[peer.pid] >= OF_ONE_PROCESS:
            return f"process {peer.pid} has {OF_ONE_PROCESS} connections open; close those that it does not need"
        self._taken[peer.pid] += 1
        return ""

    def leave(self, peer: Peer) -> None:
        """Give the place back."""
        self._taken[peer.pid] -= 1
        if not self._taken[peer.pid]:
            del self._taken[peer.pid]
