"""Writes docs/reference/messages.md from the tables of the actors: who handles what, and what is answered.

Run it by `python -m tests.backbone.message_map`.
"""

from __future__ import annotations

import importlib
import inspect
import types
import typing
from pathlib import Path
from types import ModuleType

from actors import Actor, Event, Message, Request

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "messages.md"
ROOMS = (
    "ingest",
    "store",
    "stream",
    "cache",
    "history",
    "retention",
    "export",
    "operations.telemetry",
    "operations.gate",
)
"""In the order in which data flows."""

INTRODUCTION = """# Messages

Every message that crosses between the actors of a backbone, in the order in which data flows: trading process → ingest
→ store → relay → cache and stream → trading process. Each stands in the `messages.py` of the room whose actor handles
it. A request is answered with what stands beside it, or refused with a [code](#refusals). This page is generated from
the actors: `python -m tests.backbone.message_map`.
"""
REFUSALS = """## Refusals

An actor refuses a request by the `code` of an error, and the error is raised again, as itself, where it was asked for.
Errors of sources and adapters of your own take part by deriving from `BackboneError` with a code of their own.
"""


def _folder(room: str) -> Path:
    return ROOT / "backbone" / room.replace(".", "/")


def actors_of(room: str) -> list[type[Actor]]:
    """The actors that live in a room."""
    found: dict[str, type[Actor]] = {}
    for path in sorted(_folder(room).glob("*.py")):
        module = importlib.import_module(f"backbone.{room}.{path.stem}")
        found |= {name: each for name, each in _classes(module, Actor) if issubclass(each, Actor) and each.__table__}
    return list(found.values())


def modules_of(room: str) -> list[ModuleType]:
    """Where the messages of a room stand: what is asked by one other part alone may have a file of its own."""
    paths = sorted(_folder(room).glob("*messages.py"))
    return [importlib.import_module(f"backbone.{room}.{path.stem}") for path in paths]


def _classes(module: ModuleType, base: type) -> list[tuple[str, type]]:
    classes = inspect.getmembers(module, inspect.isclass)
    return [(name, each) for name, each in classes if issubclass(each, base) and each.__module__ == module.__name__]


def _answer(kind: type) -> str:
    if not issubclass(kind, Request):
        return ""
    (reply,) = (typing.get_args(base)[0] for base in kind.__orig_bases__)  # type: ignore[attr-defined]
    if reply in (None, types.NoneType):
        return "when it is done"
    return f"`{inspect.formatannotation(reply).replace('backbone.', '')}`"


def _summary(kind: type) -> str:
    return (inspect.getdoc(kind) or "").split("\n")[0]


def page() -> str:
    """The whole page."""
    lines = [INTRODUCTION]
    for room in ROOMS:
        lines += [f"## {room.rpartition('.')[2].capitalize()}", ""]
        public = vars(importlib.import_module(f"backbone.{room}.messages"))
        for actor in actors_of(room):
            lines += [f"`{actor.__name__}`: {_summary(actor)}", "", "| message | | answered with |", "|---|---|---|"]
            kinds = [kind for kind in actor.__table__ if kind.__name__ in public]
            lines += [f"| `{kind.__name__}` | {_summary(kind)} | {_answer(kind)} |" for kind in kinds]
            lines.append("")
        events = [each for module in modules_of(room) for _, each in _classes(module, Event)]
        lines += [f"Published on `system.events`: `{each.__name__}`. {_summary(each)}\n" for each in events]
    return "\n".join([*lines, REFUSALS])


def unhandled() -> set[str]:
    """Messages that no actor of their room handles."""
    found = set()
    for room in ROOMS:
        handled = {kind for actor in actors_of(room) for kind in actor.__table__}
        messages = [each for module in modules_of(room) for each in _classes(module, Message)]
        found |= {name for name, kind in messages if kind not in handled}
    return found


if __name__ == "__main__":
    PAGE.write_text(page())
