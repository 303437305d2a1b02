"""What names a dead letter, for both stores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from backbone.store.records import DeadLetter

__all__ = ["Name", "named", "those_at"]

Name = tuple[str, str, int, int]


def named(letter: DeadLetter) -> Name:
    """Group, topic, partition and offset: there is one letter of each."""
    return letter.group, letter.topic, letter.partition, letter.offset


def those_at(letters: Sequence[DeadLetter], names: Iterable[Sequence[object]]) -> list[DeadLetter]:
    """Of some letters those with these names, each once, in the order of the letters."""
    wanted, found = {*map(tuple, names)}, dict[Name, DeadLetter]()
    for each in letters:
        if named(each) in wanted:
            found.setdefault(named(each), each)
    return [*found.values()]
