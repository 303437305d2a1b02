"""What a statement could make of little: texts, plans and work that no limit of DuckDB counts, or no interrupt ends.

It counts rows, and looks behind 2,048 of them whether it is interrupted; not while it plans, nor within one of some
functions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final

from backbone.store.duckdb.nodes import Node, literal, name_of, nodes_of, where
from backbone.store.errors import StatementRefused
from backbone.store.functions import GROWING, JOINING, REPLACING
from backbone.store.statements import Statement, refuse_growth

__all__ = ["require_bounded"]

_GATHERING: Final = GROWING | {"list", "array_agg", "histogram"}
"""Aggregates that make one value of many rows."""
_WHOLE_FRAMES: Final = frozenset({"mode", "entropy", "histogram"})
"""Aggregates that look at a whole frame anew for each row, and can't be interrupted meanwhile."""
_STRUCTS: Final = frozenset({"struct_pack", "row"})
_LEAVES: Final = frozenset({"COLUMN_REF", "CONSTANT", "PARAMETER", "SUBQUERY", "POSITIONAL_REFERENCE"})
_MOST_COPIES: Final = 10_000
"""Tables and columns of a plan, where each query stands as often as it is named."""


def require_bounded(root: Node, statement: Statement) -> bool:
    """Refuse a statement that may make much of little; says whether single values of its answer may be large.

    Raises:
        StatementRefused: it may.
    """
    nodes = list(nodes_of(root))
    for node in nodes:
        _require_node(node, statement.text)
    texts = [str(node["text"]) for node in nodes if node.get("kind") == "STRING" and "text" in node]
    texts += [value for value in statement.values if isinstance(value, str)]
    grows = any(node.get("type") == "RECURSIVE_CTE_NODE" or name_of(node) in GROWING for node in nodes)
    refuse_growth([_pieces(node) for node in _outermost(root, JOINING)], max(map(len, texts), default=0), grows=grows)
    _require_few_copies(root, nodes)
    return any(name_of(node) in _GATHERING for node in nodes)


def _require_node(node: Node, text: str) -> None:
    name = name_of(node)
    if node.get("class") == "WINDOW" and name in _WHOLE_FRAMES:
        raise StatementRefused(f"{name}{where(node, text)} over a window could not be stopped; aggregate by GROUP BY")
    if name in REPLACING and not _shortens(node):
        raise StatementRefused(
            f"{name}{where(node, text)} may put a text only in the place of one that is as long: "
            "give both as they are; of a pattern, ''"
        )


def _shortens(node: Node) -> bool:
    old, new = literal(node, 1), literal(node, 2)
    return new == "" or (name_of(node) == "replace" and old is not None and new is not None and len(new) <= len(old))


def _outermost(root: Any, names: Collection[str]) -> Iterator[Node]:
    """Calls of those functions, without those within them; a query within them stands for itself."""
    waiting: list[tuple[Any, bool]] = [(root, False)]
    while waiting:
        each, within = waiting.pop()
        if isinstance(each, dict):
            within = within and each.get("class") != "SUBQUERY"
            if not within and name_of(each) in names:
                within = True
                yield each
            waiting.extend((value, within) for value in each.values())
        elif isinstance(each, list):
            waiting.extend((value, within) for value in each)


def _pieces(call: Node) -> int:
    return max(1, sum(node.get("class") in _LEAVES for node in nodes_of(call, below="SUBQUERY")))


def _require_few_copies(root: Node, nodes: list[Node]) -> None:
    """Refuse queries that stand in each other so often that planning would not come to an end.

    Raises:
        StatementRefused: they do.
    """
    named: dict[str, list[Node]] = {}
    for entry in (entry for node in nodes for entry in node.get("cte_map", {}).get("map", ())):
        named.setdefault(str(entry["key"]).casefold(), []).append(entry["value"])
    rows = {str(node.get(key, "")).casefold() for node in nodes if "sample" in node for key in ("alias", "table_name")}
    try:
        many = _Copies(named, rows).of(root)
    except RecursionError:
        many = _MOST_COPIES + 1
    if many > _MOST_COPIES:
        raise StatementRefused(
            "its queries stand in each other so often that planning it could not be stopped; name each of them once, "
            "and *, rows and structs once in each"
        )


class _Copies:
    """How much a query is where each name stands for what it names.

    Args:
        named: queries by what WITH calls them.
        rows: names that stand for whole rows.
    """

    def __init__(self, named: dict[str, list[Node]], rows: Collection[str]) -> None:
        self._named = named
        self._rows = rows
        self._known: dict[str, int] = {}

    def of(self, query: Node) -> int:
        """Tables that it reads, times the columns that it makes of each."""
        tables, columns = 0, 1
        waiting: list[Any] = [query]
        while waiting:
            each = waiting.pop()
            if isinstance(each, dict):
                tables += self._named_by(each) if each.get("type") == "BASE_TABLE" else 0
                made = each.get("select_list")
                columns *= max(1, sum(map(self._is_row, nodes_of(made, below="SUBQUERY"))))
                columns *= max(1, sum(map(_pieces, _outermost(made, _STRUCTS))))
                waiting.extend(value for key, value in each.items() if key != "cte_map")
            elif isinstance(each, list):
                waiting.extend(each)
        return max(1, tables) * columns

    def _named_by(self, table: Node) -> int:
        name = str(table.get("table_name")).casefold()
        if name not in self._known:
            self._known[name] = 1  # one that names itself reads what is there already
            self._known[name] = sum(map(self.of, self._named.get(name, ()))) or 1
        return self._known[name]

    def _is_row(self, node: Node) -> bool:
        names: list[Any] = node.get("column_names") or []
        return node.get("class") == "STAR" or (len(names) == 1 and str(names[0]).casefold() in self._rows)
