"""Who has which file open in this process: DuckDB refuses another process, but not another writer in the same one."""

from __future__ import annotations

import gc
from pathlib import Path
from threading import Lock
from weakref import WeakValueDictionary

from backbone.store.errors import StoreUnavailable

__all__ = ["Holder"]

_LOCK = Lock()  # stores are opened in threads
_HOLDERS: WeakValueDictionary[Path, Holder] = WeakValueDictionary()


class Holder:
    """The right to open a file, for one store at a time. Who was killed while he had it has let go of it.

    Args:
        path: the file, by whatever name.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def take(self) -> None:
        """Have the right, or go on having it.

        Raises:
            StoreUnavailable: another store of this process has the file open.
        """
        with _LOCK:
            place = self._path.resolve()
            if _HOLDERS.get(place, self) is not self:
                gc.collect()  # of a store that nobody holds any more this is what is left
            if _HOLDERS.get(place, self) is not self:
                raise StoreUnavailable(
                    f"{self._path} is open already in this process, and takes one writer at a time; "
                    "ask the backbone that has it open, close that one first, or give this one a file of its own"
                )
            _HOLDERS[place] = self

    def let_go(self) -> None:
        """Give the right back; nothing happens where it was not had."""
        with _LOCK:
            for place in [place for place, holder in _HOLDERS.items() if holder is self]:
                del _HOLDERS[place]
