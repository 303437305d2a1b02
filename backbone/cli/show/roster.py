"""The supervision tree, drawn: one line an actor, and below it why it is not well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple

from rich.text import Text

from backbone.cli.commands.symbols import STYLES, SYMBOLS, word
from backbone.cli.show.text import ago, count, one_line

if TYPE_CHECKING:
    from rich.console import Console

    from actors import RosterEntry, RosterSnapshot

__all__ = ["draw_tree"]

_HEADERS = ("STATE", "RESTARTS", "QUEUE", "HANDLED", "AGE")
_WIDTHS = (12, 8, 7, 9, 9)


class _Branch(NamedTuple):
    """An entry with the lines that lead to it and on to its children."""

    entry: RosterEntry
    lead: str
    below: str


def draw_tree(console: Console, roster: RosterSnapshot) -> None:
    """Draw a roster; fits into 80 columns, and uses what it is given."""
    branches = list(_branches(roster.entries))
    room = max((len(each.lead) + len(_name(each.entry)) for each in branches), default=0) + 4
    room = max(min(room, console.width - sum(_WIDTHS)), 12)
    header = "".ljust(room) + _HEADERS[0].ljust(_WIDTHS[0]) + _numbers(_HEADERS[1:])
    console.print(Text(header.rstrip(), style="dim"), no_wrap=True, overflow="crop")
    for branch in branches:
        row = _row(branch, room, roster.captured_at)
        row.rstrip()
        console.print(row, no_wrap=True, overflow="crop")
        for line in _reasons(branch, console.width):
            console.print(line, no_wrap=True, overflow="crop")


def _numbers(cells: Sequence[str]) -> str:
    return "".join(cell.rjust(width) for cell, width in zip(cells, _WIDTHS[1:], strict=True))


def _row(branch: _Branch, room: int, now: datetime) -> Text:
    entry = branch.entry
    state = word(entry)
    line = Text().append(branch.lead, style="dim")
    line.append(f"{SYMBOLS.get(state, '?')} ", style=STYLES.get(state, ""))
    name = _name(entry)
    line.append(name if len(branch.lead) + 2 + len(name) < room else f"{name[: room - len(branch.lead) - 4]}…")
    line.pad_right(room - line.cell_len)
    line.append(state.ljust(_WIDTHS[0]), style=STYLES.get(state, ""))
    busy = entry.kind == "actor"
    cells = (
        count(entry.restarts) if entry.kind != "task" else "",
        f"{entry.mailbox_depth}/{entry.mailbox_capacity}" if busy else "",
        count(entry.handled) if busy else "",
        _age(entry, now),
    )
    line.append(_numbers(cells), style="bold yellow" if entry.restarts else "")
    return line


def _age(entry: RosterEntry, now: datetime) -> str:
    return "" if entry.started_at.year < 1970 or entry.state == "stopped" else ago(_since(entry.started_at, now))


def _since(moment: datetime, now: datetime) -> float:
    return max(0.0, (now - moment).total_seconds())


def _reasons(branch: _Branch, width: int) -> Iterator[Text]:
    entry = branch.entry
    texts = [entry.health.why]
    if entry.state == "backoff" and entry.next_restart_in_s is not None:
        texts.append(f"next start in {entry.next_restart_in_s:.1f} s")
    if entry.last_error is not None:
        texts.append(f"last error: {entry.last_error}")
    for text in texts:
        for piece in wrap(one_line(text), max(width - len(branch.below) - 2, 20)):
            line = Text().append(f"{branch.below}  ", style="dim")
            line.append(piece, style="dim" if word(entry) in {"running", "stopped"} else "")
            yield line


def _name(entry: RosterEntry) -> str:
    """The last part of the path; of a task its name, or the function that it is named by; not the coroutine's."""
    if entry.kind != "task":
        return one_line(entry.path.rpartition("/")[2])
    return one_line(entry.path.partition("(")[0].rpartition(":")[2].rpartition(".")[2])


def _branches(entries: Sequence[RosterEntry]) -> Iterator[_Branch]:
    """Depth first, each under its parent; what has none in the roster is a root."""
    paths = {entry.path for entry in entries}
    children: dict[str, list[RosterEntry]] = {}
    for entry in entries:
        parent = _parent(entry.path)
        children.setdefault(parent if parent in paths else "", []).append(entry)
    for root in children.get("", ()):
        yield _Branch(root, "", "")
        yield from _under(root.path, children, "")


def _under(path: str, children: dict[str, list[RosterEntry]], indent: str) -> Iterator[_Branch]:
    below = children.get(path, [])
    for place, entry in enumerate(below, start=1):
        last = place == len(below)
        inner = f"{indent}{'   ' if last else '│  '}"
        bar = "│ " if children.get(entry.path) else "  "
        yield _Branch(entry, f"{indent}{'└─ ' if last else '├─ '}", f"{inner}{bar}")
        yield from _under(entry.path, children, inner)


def _parent(path: str) -> str:
    head, colon, _ = path.rpartition(":")
    return head if colon else path.rpartition("/")[0]
