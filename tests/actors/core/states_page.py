"""Writes docs/reference/actor-states.md from the tables that the kernel keeps to.

Run it by `python -m tests.actors.core.states_page`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import TypeVar

from actors._core.states import CHILD, LIFE

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "actor-states.md"
INTRODUCTION = """# States of an actor

Two things have states. A *life* is one incarnation, from the factory to its end; its phases only rise. A *child* is
what its supervisor lists under one id; it outlasts its lives, and its state is what the roster shows. The runtime
refuses or reports every move that is not in these tables. This page is generated from them:
`python -m tests.actors.core.states_page`.
"""

S = TypeVar("S", bound=Enum)


def rows(table: Mapping[S, Mapping[S, str]]) -> list[str]:
    """One table, a row for each move."""
    found = ["| from | to | when |", "|---|---|---|"]
    for state, moves in table.items():
        name = state.name.lower()
        found += [f"| {name} | {to.name.lower()} | {why} |" for to, why in moves.items()]
        if not moves:
            found.append(f"| {name} | | it is the last |")
    return found


def page() -> str:
    """The whole page."""
    return "\n".join(
        [
            INTRODUCTION,
            "## One life",
            "",
            *rows(LIFE),
            "",
            "In *ending* and *closing* a failure of a background task is reported with the end instead of being a",
            "crash of its own; in *closing* and *over* the context starts nothing more and raises `ActorDead`.",
            "",
            "## A child in the roster",
            "",
            *rows(CHILD),
            "",
            "`is_alive` of a ref is true in *starting*, *running* and *suspended*, unless the child was told to stop.",
            "",
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(page())
