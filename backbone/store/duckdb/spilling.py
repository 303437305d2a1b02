"""What a statement lays on the disk while it runs: watched, for DuckDB bounds it for the whole database alone.

`max_temp_directory_size` and `temp_directory` are of the database, and a bound there would be one for the writer and
for exports too, which may need more. So the files are looked at while a statement runs, and it is interrupted where
they have grown by more than it may take. What others lay there meanwhile counts against it as well: it is the guest.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from backbone.store.duckdb.sql import Connection, first

__all__ = ["Spilling", "watched"]

_LOOK_SECONDS = 0.05


class Spilling:
    """The files of one statement.

    Args:
        folder: of temporary files.
        most: bytes that may come; of a disk that has less than twice as much free, half of what is free.

    Attributes:
        most: the bound that counts.
        over: whether there came more.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._folder = folder
        self._before = _bytes_in(folder)
        self.most = min(most, _free_at(folder) // 2)
        self.over = False

    def look(self) -> bool:
        """Whether there came more than may."""
        now = _bytes_in(self._folder)
        self._before = min(self._before, now)  # what others had laid there is gone, and makes no room for more of this
        self.over = self.over or now - self._before > self.most
        return self.over


@contextmanager
def watched(connection: Connection, most: int) -> Iterator[Spilling]:
    """Interrupt what the connection is at within as soon as it has laid too much on the disk."""
    spilling = Spilling(Path(first(connection, "SELECT current_setting('temp_directory')")[0]), most)
    done = Event()

    def watch() -> None:
        while not done.wait(_LOOK_SECONDS):
            if spilling.look():
                connection.interrupt()  # again and again: one that comes between two steps is lost

    thread = Thread(target=watch, name="spilling", daemon=True)
    thread.start()
    try:
        yield spilling
    finally:
        done.set()
        thread.join()


def _bytes_in(folder: Path) -> int:
    found = 0
    with suppress(OSError), os.scandir(folder) as files:
        for file in files:
            with suppress(FileNotFoundError):  # it is gone meanwhile
                found += file.stat(follow_symlinks=False).st_size
    return found


def _free_at(folder: Path) -> int:
    for place in (folder, *folder.absolute().parents):
        with suppress(FileNotFoundError, NotADirectoryError):
            found = os.statvfs(place)
            return found.f_bavail * found.f_frsize
    return 0
