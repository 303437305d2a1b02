"""The tree that DuckDB makes of a statement: what is in it, what a function is called, where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from backbone.store.statements import place_in

__all__ = ["Node", "literal", "name_of", "nodes_of", "where"]

Node = dict[str, Any]


def nodes_of(root: Any, below: str = "") -> Iterator[Node]:
    """Everything in the tree but what is in a node of the class `below`, without recursion: it may be deep."""
    waiting = [root]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield each
            waiting.extend(each.values() if each.get("class") != below else ())
        elif isinstance(each, list):
            waiting.extend(each)


def name_of(node: Node) -> str:
    """What a function is called, without case; "" for what is none."""
    name = str(node.get("function_name", ""))
    return name if " " in name else name.casefold()


def literal(node: Node, number: int) -> str | None:
    """The text that stands as an argument of a function, counted from 0; None where something else does, or nothing."""
    given = [each["expression"].get("literal", {}) for each in node["arguments"][number : number + 1]]
    return str(given[0]["text"]) if given and given[0].get("kind") == "STRING" else None


def where(node: Node, text: str) -> str:
    """Where it stands, where DuckDB says so."""
    position = node.get("query_location", 2**64 - 1)
    return f" at {place_in(text, position)}" if position <= len(text) else ""
