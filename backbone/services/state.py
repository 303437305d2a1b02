"""What runs under a data folder, written down so that another process can ask, signal and stop it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from backbone.files import PRIVATE, replace
from backbone.services.processes import Process

_FILE = "services.json"
_VERSION = 1


@dataclass(slots=True)
class Entry:
    """One service as it was started last.

    Attributes:
        install: folder of its programs.
        ports: port name to port on 127.0.0.1; used again by the next start where they are free.
        process: the server's process; None once it was stopped on purpose.
        version: as the server itself told it; empty before it was ready.
        fsync: as it was started.
    """

    install: str
    ports: dict[str, int]
    process: Process | None = None
    version: str = ""
    fsync: bool = True


@dataclass(slots=True)
class State:
    """All services of a data folder.

    Attributes:
        env_file: the .env with their addresses and passwords.
        services: service name to what is known of it.
        parent: the process without which they are not to live on; None if they are to stay.
        watchdog: the process that stops them when their parent is gone.
    """

    env_file: str
    services: dict[str, Entry] = field(default_factory=dict)
    parent: Process | None = None
    watchdog: Process | None = None


def load(data: Path) -> State | None:
    """Return the state of a data folder, or None if nothing was ever started there.

    Raises:
        ValueError: the file is there but not ours to read.
    """
    path = data / _FILE
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    if raw.pop("version", None) != _VERSION:
        raise ValueError(f"{path}: version {_VERSION} is needed; stop its processes and delete the data folder")
    services = {name: _entry(entry) for name, entry in raw["services"].items()}
    return State(raw["env_file"], services, _process(raw["parent"]), _process(raw["watchdog"]))


def save(data: Path, state: State) -> None:
    """Write the state at once: a reader sees the old one or the new one."""
    text = json.dumps({"version": _VERSION, **asdict(state)}, indent=2) + "\n"
    replace(data / _FILE, text.encode(), PRIVATE)


def _entry(raw: dict[str, object]) -> Entry:
    return Entry(**{**raw, "process": _process(raw["process"])})  # type: ignore[arg-type]


def _process(raw: object) -> Process | None:
    return Process(**raw) if isinstance(raw, dict) else None
