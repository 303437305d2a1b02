"""What a statement of SQL does, as DuckDB itself reads it; everything that is not known to be harmless is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import duckdb
import msgspec

from backbone.domain.arguments import shown
from backbone.store.duckdb.growth import require_bounded
from backbone.store.duckdb.nodes import Node, name_of, nodes_of, where
from backbone.store.duckdb.sql import Connection, first
from backbone.store.errors import StatementRefused
from backbone.store.functions import BOTH, GROWING, JOINING, REPLACING, named
from backbone.store.statements import TABLES, Statement, place_in

__all__ = ["require_reading"]

_FUNCTIONS: Final = (
    BOTH
    | GROWING
    | JOINING
    | REPLACING
    | named("""
        + - * / // % & | ^ ~ << >> ** < <= = != <> >= > <=> ! !~~ !~~* ~~ ~~* ~~~ @ <@ @> ^@ -> ->>
        IS DISTINCT FROM __between like_escape ilike_escape not_like_escape not_ilike_escape
        acosh add asinh atanh cosh even factorial fdiv fmod gamma isfinite isinf isnan lgamma log10 log2 nextafter pow
        round_even roundbankers setbit signbit sinh tanh subtract multiply divide xor bit_count hash
        any_value approx_count_distinct approx_quantile arbitrary arg_max arg_min argmax argmin bit_xor count_if
        count_star countif entropy favg first fsum geomean geometric_mean histogram kahan_sum kurtosis kurtosis_pop last
        mad max_by mean median min_by product quantile quantile_cont quantile_disc sem skewness sumkahan wavg
        weighted_avg fill rank_dense bitstring_agg
        century datediff date_diff date_add date_sub datepart datesub datetrunc day dayname dayofmonth dayofweek
        dayofyear days_in_month decade epoch epoch_ms epoch_ns epoch_us era get_current_timestamp hour isodow isoyear
        julian last_day make_time microsecond millisecond minute month monthname nanosecond quarter second strptime
        timezone timezone_hour timezone_minute to_centuries to_days to_decades to_hours to_microseconds to_milliseconds
        to_minutes to_months to_quarters to_seconds to_weeks to_years today transaction_timestamp try_strptime
        week weekday weekofyear year yearweek current_date current_timestamp strftime
        contains ends_with instr lcase len prefix regexp_extract regexp_full_match reverse strip_accents strlen suffix
        ucase unicode sha256 string_split str_split jaccard jaro_similarity jaro_winkler_similarity
        if error typeof cast_to_type list struct_pack struct_extract struct_extract_at row list_value
        list_extract list_element list_contains list_has list_position list_sum list_avg list_min list_max list_count
        list_distinct
        list_sort list_reverse_sort list_slice list_median list_stddev_samp list_unique
        array_extract array_slice array_contains array_has array_sort array_value element_at map map_keys
        map_values map_extract cardinality map_from_entries flatten
        json_extract json_extract_string json_extract_path json_extract_path_text json_array_length json_keys json_type
        json_valid json_value json_exists json_contains
        """)
    | {"IS DISTINCT FROM", "IS NOT DISTINCT FROM"}
)

_OF_ROWS: Final = frozenset({"range", "generate_series", "unnest"})
"""Functions that give rows, one after the other: none of them reads anything."""

_SOURCES: Final = frozenset(
    {"BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EXPRESSION_LIST", "EMPTY", "CTE", "PIVOT", "SHOW_REF"}
)
_QUERIES: Final = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
_LONGEST_PATH: Final = 16
"""Parts of a name, with dots between them: DuckDB tries which of them are what, in a time that has no end."""
_SYSTEM: Final = ("pg_", "duckdb_", "sqlite_", "pragma_", "information_schema")


def require_reading(connection: Connection, statement: Statement) -> bool:
    """Refuse a statement that does more than to read what may be read; says whether its answer may have large values.

    Raises:
        StatementRefused: it does, or it is none.
    """
    root = _parsed(connection, statement.text)
    nodes = list(nodes_of(root))
    tables = TABLES.keys() | {name.casefold() for name in _named_within(nodes)}
    for node in nodes:
        _require_source(node, tables, statement.text)
        if "function_name" in node:
            _require_function(node, statement.text)
    return require_bounded(root, statement)


def _parsed(connection: Connection, text: str) -> Node:
    """The one SELECT that a text is.

    Raises:
        StatementRefused: it is something else, more than one, or nothing that DuckDB understands.
    """
    try:
        kinds = [each.type for each in connection.extract_statements(text)]
    except duckdb.Error:
        kinds = []  # what is wrong with it is said below, and where
    if len(kinds) > 1:
        raise StatementRefused(f"{len(kinds)} statements given; allowed is one SELECT, without a ; in it")
    (answer,) = first(connection, "SELECT json_serialize_sql($1::VARCHAR)", [text])
    try:
        parsed = msgspec.json.decode(answer)
    except RecursionError:
        raise StatementRefused("it is nested too deeply; put it together by WITH, one step after the other") from None
    if parsed["error"]:
        if kinds and kinds[0] != duckdb.StatementType.SELECT:
            raise StatementRefused(f"{kinds[0].name} given; allowed is one SELECT, which changes nothing")
        if parsed["error_type"] == "not implemented":
            raise StatementRefused("this kind of statement is not allowed; write it as a SELECT")
        place = f" at {place_in(text, int(parsed['position']))}" if parsed.get("position") else ""
        raise StatementRefused(f"DuckDB does not understand it: {parsed['error_message']}{place}")
    if len(parsed["statements"]) != 1:
        raise StatementRefused("no statement given; give one SELECT, such as SELECT count(*) FROM trades")
    return parsed["statements"][0]["node"]  # type: ignore[no-any-return]


def _named_within(nodes: list[Node]) -> Iterator[str]:
    """What the statement names by WITH; none of it may be called like a view of the system, which it may stand for."""
    for node in nodes:
        for entry in node.get("cte_map", {}).get("map", ()):
            name = str(entry["key"])
            if name.casefold().startswith(_SYSTEM):
                raise StatementRefused(f"WITH {shown(name)}: this is a name of the system; give it another")
            yield name


def _require_source(node: Node, tables: set[str], text: str) -> None:
    kind, name = node.get("type"), node.get("table_name")
    if kind == "SHOW_REF" and not node.get("query"):
        raise StatementRefused(f"SHOW is not allowed; the tables are {', '.join(TABLES)}, and DESCRIBE tells of one")
    if str(kind).endswith("_NODE") and kind not in _QUERIES:
        raise StatementRefused(f"{str(kind).partition('_')[0]} given; allowed is one SELECT, which changes nothing")
    if len(node.get("column_names") or ()) > _LONGEST_PATH:
        raise StatementRefused(
            f"a name of more than {_LONGEST_PATH} parts{where(node, text)} is not allowed; name a column of a table"
        )
    if "sample" in node and "alias" in node and kind not in _SOURCES:
        raise StatementRefused(f"{shown(kind)}{where(node, text)} is not allowed; read one of {', '.join(TABLES)}")
    if name and kind == "BASE_TABLE":
        place = ".".join(filter(None, (node.get("catalog_name"), node.get("schema_name"), name)))
        if place != name or name.casefold() not in tables:
            raise StatementRefused(f"table {shown(place)}{where(node, text)} is not allowed; read {', '.join(TABLES)}")
    if kind == "TABLE_FUNCTION" and str(node["function"]["function_name"]).casefold() not in _OF_ROWS:
        name = node["function"]["function_name"]
        raise StatementRefused(f"{shown(name)}{where(node, text)} gives rows from elsewhere; read {', '.join(TABLES)}")


def _require_function(node: Node, text: str) -> None:
    name = name_of(node)
    if node.get("schema") or node.get("catalog"):
        raise StatementRefused(f"function {shown(name)}{where(node, text)} is named with a schema; leave that out")
    if name in _OF_ROWS and node.get("query_location") == 2**64 - 1:
        return  # that of a TABLE_FUNCTION, which has been looked at
    if name not in _FUNCTIONS:
        raise StatementRefused(
            f"function {shown(name)}{where(node, text)} is not among those that a statement may call; "
            "see how-to/sql in the documentation"
        )
