"""Reads everything that is known of one child; sends it nothing, so that one that hangs can be described as well."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from actors._core.cell import Cell
from actors._core.error_text import words
from actors._core.incarnation import Incarnation
from actors._core.snapshot import picture
from actors.description import Description
from actors.specs import Spec

_SECRET = {"id", "args", "kwargs", "children"}  # fields that are not shown: arguments may hold passwords
_DEEPEST = 50  # calls that await each other


def description(cell: Cell) -> Description:
    """See ActorSystem.describe."""
    run: object = cell.run or next((each for each in reversed(cell.runtime.zombies) if each.cell is cell), None)
    awaits: tuple[str, ...] = ()
    background: dict[str, tuple[str, ...]] = {}
    if isinstance(run, Incarnation):
        awaits = places(run.task)
        if run.background is not None:
            background = {each.name: places(task) for each, task in run.background.tasks()}
    happened = tuple(cell.happened or ())
    entry = picture(cell, cell.runtime.time(), True)
    return Description(entry, _shown(cell.spec), happened, cell.error_chain, awaits, background)


def _shown(spec: Spec) -> dict[str, str]:
    default = type(spec).__struct_defaults__
    names = type(spec).__struct_fields__
    first = len(names) - len(default)
    shown = {}
    for number, name in enumerate(names):
        value = getattr(spec, name)
        if name not in _SECRET and not (number >= first and value == default[number - first]):
            shown[name] = _name(value) if name == "factory" else words(getattr(value, "value", value))
    return shown


def _name(factory: Any) -> str:
    """What makes the actor, in one word: the repr of a partial, or of an object that is called, shows its arguments."""
    while isinstance(factory, partial):
        factory = factory.func
    return getattr(factory, "__qualname__", None) or type(factory).__qualname__


def places(task: asyncio.Task[Any]) -> tuple[str, ...]:
    """Where a task's author's code waits, outermost call first; frames of the runtime itself are left out."""
    found: list[str] = []
    each: Any = task.get_coro()
    for _ in range(_DEEPEST):
        frame = next((getattr(each, name) for name in _FRAMES if getattr(each, name, None) is not None), None)
        if frame is None:
            break
        # by the chain of what awaits what, not by task.get_stack(), which shows the outermost frame alone
        if not frame.f_globals.get("__name__", "").startswith("actors._core"):
            code = frame.f_code
            found.append(f"{code.co_filename}:{frame.f_lineno} in {code.co_name}")
        each = next((getattr(each, name) for name in _AWAITED if getattr(each, name, None) is not None), None)
    return tuple(found)


_FRAMES = ("cr_frame", "gi_frame", "ag_frame")
_AWAITED = ("cr_await", "gi_yieldfrom", "ag_await")
