"""Files of before that hold just the rows that are wanted now: of earlier exports, and of attempts cut off."""

from __future__ import annotations

import re
from pathlib import Path

from backbone.domain.hanging import beat_of
from backbone.export.files import hash_of
from backbone.export.layout import Layout
from backbone.export.manifest import Entry, journal_of
from backbone.store.snapshots import PartFacts, Snapshot

__all__ = ["Known", "exports_in", "is_export"]

Key = tuple[object, ...]

_NAME = re.compile(r"export-[0-9a-f]{16}")


def is_export(name: str) -> bool:
    """Whether it is the name of an export; what else is called much like one is somebody else's."""
    return _NAME.fullmatch(name) is not None


def exports_in(root: Path) -> list[Path]:
    """The folders of exports, whole or not."""
    named = (each for each in root.glob("export-*") if is_export(each.name))
    return sorted(each for each in named if each.is_dir() and not each.is_symlink())


class Known:
    """What lies there already; only files whose hash is still that of their entry count.

    Args:
        root: the folder of all exports.
        folder: of the one that is being made.
        snapshot: of it.
        layout: of it.
    """

    def __init__(self, root: Path, folder: Path, snapshot: Snapshot, layout: Layout) -> None:
        self._folder = folder
        self._entries: dict[Key, tuple[Path, Entry]] = {}
        self.here: dict[str, Entry] = {}
        beat = beat_of()
        for each in [*(other for other in exports_in(root) if other != folder), folder]:
            beat()
            header, entries = journal_of(each)
            if header is None or (header.generation, header.layout) != (snapshot.generation, layout.fingerprint()):
                continue
            for entry in entries:
                self._entries[_key(entry.part, entry.version, entry.path)] = each, entry
                if each == folder:
                    self.here[entry.path] = entry

    def find(self, facts: PartFacts, place: str) -> tuple[Path, Entry] | None:
        """The file of a part, and its entry; None: it has to be written."""
        found = self._entries.get(_key(facts.part, facts.version, place))
        if found is None:
            return None
        folder, entry = found
        return (folder / place, entry) if hash_of(folder / place) == entry.sha256 else None


def _key(part: object, version: str, place: str) -> Key:
    return part, version, place
