"""One actor, supervisor or task, as an operator asks for it: `system.describe(path)`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from actors.roster import RosterEntry, as_json


class Happened(msgspec.Struct, frozen=True):
    """What has happened to one child, in words; `what` is the name of the event."""

    at: datetime
    incarnation: int
    what: str
    text: str

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S} #{self.incarnation} {self.what} {self.text}".rstrip()


class Description(msgspec.Struct, frozen=True):
    """What is known of one child now.

    `spec` has no arguments, which may be secrets. `happened` are the last ten, oldest first. `last_error` is the newest
    error and what caused it, the error itself first. `awaits` says where its code waits now: the line of the
    outermost call first, the innermost last; `background` the same for each of its background tasks.
    """

    entry: RosterEntry
    spec: Mapping[str, str]
    happened: tuple[Happened, ...] = ()
    last_error: tuple[str, ...] = ()
    awaits: tuple[str, ...] = ()
    background: Mapping[str, tuple[str, ...]] = {}

    def to_json(self) -> bytes:
        """The same as JSON."""
        return as_json(self)

    def __str__(self) -> str:
        entry = self.entry
        health = f", health {entry.health.level}: {entry.health.why}" if entry.health.level != "ok" else ""
        lines = [f"{entry.path} is {entry.state} since {entry.state_since:%Y-%m-%d %H:%M:%S} UTC{health}"]
        lines += [f"  life {entry.incarnation}, {entry.restarts} restarts, budget {entry.intensity}"]
        if entry.mailbox_capacity:
            lines += [f"  mailbox {entry.mailbox_depth} of {entry.mailbox_capacity}, {entry.handled} handled"]
        if entry.handling is not None:
            lines += [f"  handling {entry.handling} for {entry.handling_for_s or 0.0:.3g} s"]
        if entry.waiting_on is not None:
            lines += [f"  waits on {entry.waiting_on}"]
        lines += [f"  spec: {', '.join(f'{name}={value}' for name, value in self.spec.items())}"]
        lines += _block("awaits", self.awaits)
        for name, places in self.background.items():
            lines += _block(f"background task {name} awaits", places)
        lines += _block("last error", self.last_error)
        lines += _block(
            "happened",
            [f"{each.at:%H:%M:%S} #{each.incarnation} {each.what} {each.text}".rstrip() for each in self.happened],
        )
        return "\n".join(lines)


def _block(title: str, lines: list[str] | tuple[str, ...]) -> list[str]:
    return [f"  {title}:", *(f"    {line}" for line in lines)] if lines else []
