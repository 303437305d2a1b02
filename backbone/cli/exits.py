"""Exit codes: the one table."""

from __future__ import annotations

__all__ = [
    "DONE",
    "EXITS",
    "FAILED",
    "INPUT",
    "INTERRUPTED",
    "NOT_READY",
    "PIPE",
    "TERMINATED",
    "UNREACHABLE",
    "USAGE",
]

DONE = 0
FAILED = 1
USAGE = 2
NOT_READY = 3
UNREACHABLE = 4
INPUT = 5
INTERRUPTED = 130
PIPE = 141
TERMINATED = 143

EXITS: dict[int, str] = {
    DONE: "done",
    FAILED: "failed, or found something failed",
    USAGE: "the command line or the settings can't be used, or it is not built yet",
    NOT_READY: "not ready: degraded or failed (status, connectors, services status)",
    UNREACHABLE: "a dependency can't be reached: the store, a running backbone, a provider",
    INPUT: "the input can't be used: missing, empty, other columns, no row taken",
    INTERRUPTED: "stopped by SIGINT (Ctrl-C), in order",
    PIPE: "the reader of our output went away",
    TERMINATED: "stopped by SIGTERM, in order",
}
