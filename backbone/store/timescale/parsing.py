"""What a statement of SQL names and calls; everything that is not known to be harmless is refused.

PostgreSQL has no parser to ask. Names and calls can be told without one: a name before `(` is a function or a word of
the language, a name before `.` is a schema where there is one of that name. Only the six tables can be named otherwise,
since those of the server itself begin with `pg_`. That nothing is written, the transaction sees to.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Final

from backbone.domain.arguments import shown
from backbone.store.errors import StatementRefused
from backbone.store.functions import BOTH, GROWING, JOINING, REPLACING, named
from backbone.store.statements import TABLES, Statement, place_in, refuse_growth
from backbone.store.timescale.tokens import Token, tokens_of

__all__ = ["TOO_WIDE", "Readable", "readable"]

WIDEST: Final = 8 * 2**20
"""Bytes of one row at most, where one is made of many; then they are fetched one by one."""
_WIDE: Final = 128 * 1024
"""Bytes of one row at most elsewhere."""
_AT_ONCE: Final = 500  # rows: what the client decodes without a pause
_GATHERING: Final = GROWING | {"array_agg", "range_agg", "array"}
TOO_WIDE: Final = " bytes in one row"
"""By which an error says that a row is wider."""

_FIRST: Final = frozenset({"select", "with", "values", "table", "("})
_FUNCTIONS: Final = (
    BOTH
    | GROWING
    | JOINING
    | REPLACING
    | named("""
        acosd acosh asind asinh atan2d atand atanh cosd cosh cotd div erf erfc factorial gamma isfinite log10 lgamma
        min_scale scale sind sinh tand tanh trim_scale width_bucket
        any_value bit_xor every percentile_cont percentile_disc range_agg generate_series json_array_elements
        json_array_elements_text json_array_length jsonb_array_elements jsonb_array_elements_text jsonb_array_length
        json_extract_path json_extract_path_text jsonb_extract_path jsonb_extract_path_text json_typeof jsonb_typeof
        jsonb_object_keys json_object_keys
        clock_timestamp date_add date_bin date_subtract justify_days justify_hours justify_interval localtimestamp
        make_interval make_time statement_timestamp timezone to_char to_date to_number transaction_timestamp
        current_timestamp current_time isoyear
        array_dims array_lower array_ndims array_positions array_remove array_upper cardinality casefold
        regexp_count regexp_instr regexp_like regexp_match regexp_substr reverse sha256 string_to_array to_hex
        first last num_nonnulls num_nulls
        """)
)
_WORDS: Final = named("""
    all and any array as asc between by case cast char character check cross cube decimal desc distinct else end
    except exists false filter float following for from full group grouping having ilike in inner intersect interval
    is join lateral like limit materialized natural not null numeric offset on or order ordinality over overlay
    partition preceding precision range recursive rollup row rows select separator sets similar some symmetric then
    time timestamp timestamptz to true union using values varchar varying when where window with within zone bpchar bit
    rows groups unbounded current nulls
    """)
"""Words of the language that a `(` may follow: those of types among them."""
_HYPERFUNCTIONS: Final = frozenset({"time_bucket", "first", "last"})
_ANSWER: Final = '"the answer"'
_BEHIND: Final = f"""
) AS {_ANSWER} WHERE CASE WHEN pg_column_size({_ANSWER}) > {{widest}}
THEN (pg_column_size({_ANSWER})::text || '{TOO_WIDE}')::boolean ELSE true END"""
"""The client would take a row of any size into the memory of this process before anybody could refuse it."""
_SYSTEM: Final = ("pg_", "information_schema", "_timescaledb", "timescaledb_", "dblink", "lo_")
_LOOKS_UP: Final = named("""
    aclitem regclass regcollation regconfig regdatabase regdictionary regnamespace regoper regoperator regproc
    regprocedure regrole regtype
    """)
"""Types whose values are names of the catalogue: a cast from or to a text reads it."""
_OF_A_ROW: Final = named("""
    hash_record json_agg json_agg_strict json_build_array json_build_object jsonb_agg jsonb_agg_strict jsonb_build_array
    jsonb_build_object quote_literal quote_nullable record_out record_send row_to_json to_json to_jsonb
    """)
"""Functions that `trades.name` calls as well, for want of a column of that name."""
_OVERLAYS: Final = frozenset({"overlay"})
"""What joins texts by words instead of commas."""


class Readable:
    """A statement that only reads, and how it is asked.

    Attributes:
        sql: what is asked, with the tables in front of it.
        widest: bytes of one row at most: what so many rows take is bounded.
        at_once: rows that are fetched together at most.
    """

    def __init__(self, statement: str, front: str, marks: Sequence[tuple[int, str]], *, gathers: bool) -> None:
        self._statement = statement
        self._front = front
        self._marks = marks
        parts, at = list[str](), 0
        for place, mark in marks:
            parts += [statement[at:place], mark]
            at = place
        self.widest, self.at_once = (WIDEST, 1) if gathers else (_WIDE, _AT_ONCE)
        self.sql = f"{front}{''.join(parts)}{statement[at:]}{_BEHIND.format(widest=self.widest)}"

    def place(self, position: int) -> str:
        """Where in the statement a character of `sql` stands, counted from 1, in words; "" where it is not in it."""
        at = position - 1 - len(self._front)
        for place, mark in self._marks:
            if at > place:
                at -= len(mark)
        return f" at {place_in(self._statement, at)}" if 0 <= at <= len(self._statement) else ""


def readable(statement: Statement, schema: str, schemas: Collection[str], extension: str | None) -> Readable:
    """The statement, to be asked of the server.

    Args:
        statement: as it was given.
        schema: of the tables.
        schemas: all that there are.
        extension: the schema of TimescaleDB's functions; None: there are none.

    Raises:
        StatementRefused: it does more than to read what may be read.
    """
    text = statement.text
    tokens = list(tokens_of(text))
    while tokens and tokens[-1].text == ";" and tokens[-1].kind == "sign":
        text = text[: tokens.pop().start]
    if not tokens:
        raise StatementRefused("no statement given; give one SELECT, such as SELECT count(*) FROM trades")
    _require_one(tokens, text)
    marks = []
    for number, token in enumerate(tokens):
        if token.kind not in {"name", "quoted"}:
            continue
        _require_name(token, _next(tokens, number), schemas, text)
        if token.text in _OF_A_ROW and number and tokens[number - 1].text == ".":
            _require_function(token, text)
        if _next(tokens, number) == "(" and not _is_alias(tokens, number):
            _require_function(token, text)
            if extension is not None and token.kind == "name" and token.text in _HYPERFUNCTIONS:
                marks.append((token.start, f"{_quoted(extension)}."))
    _require_bounded(tokens, statement)
    gathers = any(token.text in _GATHERING for token in tokens if token.kind in {"name", "quoted"})
    return Readable(text, _front(schema), marks, gathers=gathers)


def _front(schema: str) -> str:
    """The tables as a statement sees them; those that it does not name cost nothing."""
    tables = (
        f"{name} AS NOT MATERIALIZED (SELECT {', '.join(map(_quoted, columns))} FROM {_quoted(schema)}.{_quoted(name)})"  # noqa: S608
        for name, columns in TABLES.items()
    )
    return f"WITH {', '.join(tables)} SELECT {_ANSWER}.* FROM ("  # noqa: S608


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _require_one(tokens: Sequence[Token], text: str) -> None:
    """One SELECT, which ends where the text does."""
    first, depth = tokens[0], 0
    if first.text not in _FIRST or first.kind not in {"name", "sign"}:
        raise StatementRefused(f"{shown(first.text)} given; allowed is one SELECT, which changes nothing")
    for token in tokens:
        if token.kind == "sign" and token.text == ";":
            raise StatementRefused("several statements given; allowed is one SELECT, without a ; in it")
        if token.kind == "sign" and token.text in {"(", ")"}:
            depth += 1 if token.text == "(" else -1
        if depth < 0:
            raise StatementRefused(f"a ) at {place_in(text, token.start)} closes nothing; remove it")


def _next(tokens: Sequence[Token], number: int) -> str:
    """The sign or word that follows; "" where there is none."""
    following = tokens[number + 1] if number + 1 < len(tokens) else None
    return following.text if following is not None and following.kind in {"sign", "name"} else ""


def _is_alias(tokens: Sequence[Token], number: int) -> bool:
    """Whether columns follow a name, and no arguments: `AS t(n)`, and `t(n) AS (SELECT …` behind WITH.

    What follows `AS (` there can't be the definition of a function's columns: those begin with no such word.
    """
    if number and tokens[number - 1][:2] == ("name", "as"):
        return True
    depth, at = 0, number + 1
    while at < len(tokens):
        depth += {"(": 1, ")": -1}.get(tokens[at].text, 0) if tokens[at].kind == "sign" else 0
        if depth == 0:
            break
        at += 1
    behind = [_next(tokens, place) for place in range(at, min(at + 7, len(tokens)))]
    behind = [each for place, each in enumerate(behind) if place == 0 or each not in {"not", "materialized"}]
    if behind[:2] != ["as", "("]:
        return False
    return behind[2] in {"select", "with", "table", "("} or behind[2:4] == ["values", "("]


def _require_name(token: Token, following: str, schemas: Collection[str], text: str) -> None:
    where = place_in(text, token.start)
    if token.text == "for" and token.kind == "name" and following in {"update", "share", "no", "key"}:
        raise StatementRefused(f"FOR {following.upper()} at {where} would lock rows; leave it out")
    plain = token.text.lower()
    if plain.startswith(_SYSTEM) or plain.lstrip("_") in _LOOKS_UP or _quoted(token.text) == _ANSWER:
        raise StatementRefused(f"{shown(token.text)} at {where} is not allowed; read {', '.join(TABLES)}")
    if following == "." and token.text in schemas:
        raise StatementRefused(
            f"schema {shown(token.text)} at {where} is not allowed; name the tables without: {', '.join(TABLES)}"
        )


def _require_function(token: Token, text: str) -> None:
    if token.text in _FUNCTIONS or (token.kind == "name" and token.text in _WORDS):
        return
    raise StatementRefused(
        f"function {shown(token.text)} at {place_in(text, token.start)} is not among those that a statement may call; "
        "see how-to/sql in the documentation (before an alias with columns write AS)"
    )


def _require_bounded(tokens: Sequence[Token], statement: Statement) -> None:
    """Refuse what makes long texts of short ones."""
    names = [token.text for token in tokens if token.kind in {"name", "quoted"}]
    longest = [len(token.text) for token in tokens if token.kind == "text"]
    longest += [len(value) for value in statement.values if isinstance(value, str)]
    joins = [token for token in tokens if token.text in JOINING | _OVERLAYS and token.kind != "text"]
    pieces = [_pieces(tokens, tokens.index(join)) for join in joins]
    refuse_growth(pieces, max(longest, default=0), grows="recursive" in names or bool(GROWING & {*names}))
    _require_one_copied(tokens, statement.text)
    for number, token in enumerate(tokens):
        if token.text in REPLACING and token.kind != "text":
            _require_shortening(tokens[number + 1 :], token, statement.text)


def _require_one_copied(tokens: Sequence[Token], text: str) -> None:
    """Refuse queries that are copied into each other: the plan would double with each, which no limit counts."""
    copied = [
        token
        for before, token in pairwise(tokens)
        if (before.kind, before.text, token.kind, token.text) == ("name", "not", "name", "materialized")
    ]
    if len(copied) > 1:
        raise StatementRefused(
            f"a second NOT MATERIALIZED at {place_in(text, copied[1].start)}; allowed is one: leave it out"
        )


def _pieces(tokens: Sequence[Token], at: int) -> int:
    """How many texts are joined: two by || and overlay, as many as there are commas by a function."""
    if tokens[at].text in {"||", *_OVERLAYS}:
        return 2
    depth, commas = 0, 1
    for token in tokens[at + 1 :]:
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "sign" else 0
        if depth == 0:
            break
        commas += token.text == "," and token.kind == "sign" and depth == 1
    return commas


def _require_shortening(behind: Sequence[Token], function: Token, text: str) -> None:
    """Of `replace` and `regexp_replace`: the last of three arguments is a text, and no longer than the second."""
    depth, arguments = 0, [list[Token]()]
    for token in behind:
        if token.kind == "sign" and token.text in "()":
            depth += 1 if token.text == "(" else -1
            if depth == 0:
                break
        if token.kind == "sign" and token.text == "," and depth == 1:
            arguments.append([])
        else:
            arguments[-1].append(token)
    given = [each[0].text if len(each) == 1 and each[0].kind == "text" else None for each in arguments[1:3]]
    old, new = given if len(given) == 2 else (None, None)
    fits = new == "" or (function.text == "replace" and old is not None and new is not None and len(new) <= len(old))
    if not fits:
        raise StatementRefused(
            f"{function.text} at {place_in(text, function.start)} may put a text only in the place of one that is as "
            "long: give both as they are; of a pattern, ''"
        )
