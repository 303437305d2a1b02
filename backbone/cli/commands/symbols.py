"""States as a word with a symbol and a colour each: the word says it, the rest only helps the eye."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors import RosterEntry

__all__ = ["STYLES", "SYMBOLS", "severity", "word"]

SYMBOLS = {
    "ok": "✓",
    "running": "●",
    "degraded": "▲",
    "failed": "✗",
    "backoff": "↻",
    "starting": "◌",
    "stopping": "◌",
    "stopped": "○",
    "off": "○",
    "unknown": "?",
}
STYLES = {
    "ok": "green",
    "running": "green",
    "degraded": "yellow",
    "failed": "bold red",
    "backoff": "yellow",
    "starting": "cyan",
    "stopping": "cyan",
    "stopped": "dim",
    "off": "dim",
    "unknown": "yellow",
}
_SEVERITY = {"failed": 3, "backoff": 2, "degraded": 1, "unknown": 1}


def word(entry: RosterEntry) -> str:
    """How an actor is, in a word: its state, or its health where it runs and is not well."""
    return entry.health.level if entry.state == "running" and entry.health.level != "ok" else entry.state


def severity(state: str) -> int:
    """0 for what is well, higher for what is worse."""
    return _SEVERITY.get(state, 0)
