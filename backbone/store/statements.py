"""A statement of SQL as people ask it, what it may see and take, and how its answer is gathered."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import anyio
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from backbone.domain import arguments
from backbone.domain.dimension import Dimension
from backbone.store.errors import StatementRefused, StoreBusy, TooMuch
from backbone.store.sql import ORIGIN

__all__ = ["LONGEST", "TABLES", "Running", "Statement", "gathered", "place_in", "refuse_growth", "told_apart"]

LONGEST: Final = 16 * 1024
"""Characters of a statement at most."""

TABLES: Final = {each.value: (*each.columns, *ORIGIN) for each in Dimension}
"""What a statement may read, and its columns in order: those of the dimension, then where each row came from."""

_PLAIN = (bool, int, float, str, bytes, datetime, date, time, timedelta, Decimal, UUID)
_MOST_VALUES = 1000
_MOST_STOPPED = 1024  # names that are kept; as many may wait for a turn
_LONGEST_JOINED: Final = 64 * 1024
_FIRST_DAY, _LAST_DAY = date.min, date.max


class Statement(Struct, frozen=True, kw_only=True):
    """What is asked.

    Attributes:
        name: by which it is stopped.
        text: of the statement, with $1, $2 … for values.
        values: of those, in order.
        seconds: that it may take.
        allowed: the same with what it has waited for its turn, for messages; None: it has not.
        max_rows: of the answer.
        max_bytes: of the answer, as Arrow counts them.
        max_temp_bytes: of files that the embedded store lays beside its own meanwhile; a server has a setting for it.
        limit: only the first so many rows are wanted; None: all.
        role: taken for it, where the server has roles; None: that of the connection.
    """

    name: str
    text: str
    values: tuple[Any, ...] = ()
    seconds: float = 30.0
    allowed: float | None = None
    max_rows: int = 1_000_000
    max_bytes: int = 64 * 2**20
    max_temp_bytes: int = 2 * 2**30
    limit: int | None = None
    role: str | None = None

    def __post_init__(self) -> None:
        """Refuse wrong arguments where they are given."""
        arguments.text("name", self.name)
        _require_text(self.text)
        if len(self.values) > _MOST_VALUES:
            raise ValueError(f"{len(self.values):,} values given; allowed are {_MOST_VALUES:,}")
        for number, value in enumerate(self.values, start=1):
            _require_plain(f"${number}", value)
        arguments.seconds("timeout_s", self.seconds)
        if self.allowed is not None:
            arguments.seconds("allowed", self.allowed)
        arguments.count("max_rows", self.max_rows, 1)
        arguments.count("max_bytes", self.max_bytes, 1)
        arguments.count("max_temp_bytes", self.max_temp_bytes)
        if self.limit is not None:
            arguments.count("limit", self.limit, 1, default="None for all")


def _require_text(text: object) -> None:
    if not isinstance(text, str):
        raise TypeError(f"{arguments.shown(text)} given; allowed is a statement of SQL, as text")
    if not text.strip():
        raise ValueError("an empty statement given; give a SELECT, such as SELECT count(*) FROM trades")
    if len(text) > LONGEST:
        raise ValueError(f"a statement of {len(text):,} characters given; allowed are {LONGEST:,}: give values as $1")
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueError("a statement with a NUL or half a character in it given; remove it")


def _require_plain(name: str, value: object) -> None:
    """Values are bound by the database; what it could not take for one of its own is refused here."""
    if isinstance(value, list | tuple):
        for each in value:
            if isinstance(each, list | tuple):
                raise TypeError(f"{name}={arguments.shown(value)} given; allowed is a list of plain values")
            _require_plain(name, each)
        return
    if value is not None and not isinstance(value, _PLAIN):
        allowed = "None, a number, text, bytes, a moment, a date, a time, a duration, or a list of them"
        raise TypeError(f"{name}={arguments.shown(value)} given; allowed is {allowed}")
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError(f"{name}={value} given without time zone; give it one, such as UTC")
    if isinstance(value, str) and len(value) > LONGEST:
        raise ValueError(f"{name}: a text of {len(value):,} characters given; allowed are {LONGEST:,}")


class Running:
    """Those that are at work, by name, so that they can be stopped; a name is given once."""

    def __init__(self) -> None:
        self._scopes: dict[str, anyio.CancelScope] = {}
        self._stopped: dict[str, None] = {}

    @contextmanager
    def work(self, name: str) -> Iterator[None]:
        """Do the work of a statement.

        Raises:
            StoreBusy: it was stopped, perhaps before it began.
        """
        with anyio.CancelScope() as scope:
            if name in self._stopped:
                del self._stopped[name]
                raise _stopped()
            self._scopes[name] = scope
            try:
                yield
                return
            finally:
                del self._scopes[name]
        raise _stopped()

    def stop(self, name: str) -> None:
        """Stop one that is at work, or that waits for its turn behind others; where it is done, nothing comes of it."""
        if name in self._scopes:
            self._scopes[name].cancel()
            return
        self._stopped[name] = None
        if len(self._stopped) > _MOST_STOPPED:
            del self._stopped[next(iter(self._stopped))]


def _stopped() -> StoreBusy:
    return StoreBusy("the statement was stopped: nobody waited for its answer any more")


def gathered(schema: pa.Schema, batches: Iterable[pa.RecordBatch], statement: Statement) -> pa.Table:
    """The answer, read no further than it is wanted and allowed.

    Raises:
        TooMuch: it has more rows or bytes than it may.
        StatementRefused: a value of it can't be told as it is.
    """
    whole, rows, size = list[pa.RecordBatch](), 0, 0
    for batch in batches:
        rows, size = rows + batch.num_rows, size + batch.nbytes
        enough = statement.limit is not None and rows >= statement.limit
        whole.append(batch)
        if enough:
            break
        if rows > statement.max_rows:
            raise too_many(statement)
        if size > statement.max_bytes:
            raise too_large(statement)
    table = pa.Table.from_batches(whole, schema)
    table = table if statement.limit is None else table.slice(0, statement.limit)
    if table.num_rows > statement.max_rows:
        raise too_many(statement)
    if table.nbytes > statement.max_bytes:
        raise too_large(statement)
    return _true(table.rename_columns(told_apart(table.column_names)))


def too_many(statement: Statement) -> TooMuch:
    """The refusal of an answer that has too many rows."""
    return TooMuch(
        f"the answer has more than {statement.max_rows:,} rows; add a LIMIT or a WHERE, aggregate, "
        "or ask for more (sql.max_rows)"
    )


def too_large(statement: Statement) -> TooMuch:
    """The refusal of an answer that has too many bytes."""
    return TooMuch(
        f"the answer has more than {statement.max_bytes:,} bytes; name fewer columns, add a LIMIT or a WHERE, "
        "or ask for more (sql.max_bytes)"
    )


def too_long(statement: Statement) -> TooMuch:
    """The refusal of a statement that takes too long."""
    seconds = statement.seconds if statement.allowed is None else statement.allowed
    return TooMuch(
        f"the statement took longer than {seconds:.3g} s and was stopped; narrow it by ts and symbol, "
        "or allow more (sql.timeout)"
    )


def told_apart(names: Sequence[str]) -> list[str]:
    """Names of columns, each of which is there once: a second `price` is `price_1`."""
    given, taken, numbers = set(names), set[str](), Counter[str]()
    found = list[str]()
    for name in names:
        new = name
        while new in taken or (new != name and new in given):
            numbers[name] += 1
            new = f"{name}_{numbers[name]}"
        taken.add(new)
        found.append(new)
    return found


def _true(table: pa.Table) -> pa.Table:
    """The table, if each of its values is what the database meant.

    Raises:
        StatementRefused: a moment is infinite or beyond the calendar, a number has more digits than its type.
    """
    for name, column in zip(table.column_names, table.columns, strict=True):
        _require_calendar(name, column)
    try:
        table.validate(full=True)
    except pa.ArrowInvalid as error:
        raise StatementRefused(f"a value of the answer can't be told as it is ({error}); cast it to text") from error
    return table


def _require_calendar(name: str, column: pa.ChunkedArray) -> None:
    kind = column.type
    while pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        column = pc.list_flatten(column)
        kind = column.type
    if pa.types.is_map(kind):
        _require_calendar(name, pa.chunked_array([each.keys for each in column.chunks], kind.key_type))
        _require_calendar(name, pa.chunked_array([each.items for each in column.chunks], kind.item_type))
    if pa.types.is_struct(kind):
        for field in kind:
            _require_calendar(f"{name}.{field.name}", pc.struct_field(column, field.name))
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)) or len(column) == column.null_count:
        return
    if pa.types.is_date(kind):
        first, last = (each.toordinal() - date(1970, 1, 1).toordinal() for each in (_FIRST_DAY, _LAST_DAY))
        numbers = column.cast(pa.int32())
    else:
        a_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[kind.unit]
        first, last = -62_135_596_800 * a_second, 253_402_300_800 * a_second - 1
        numbers = column.cast(pa.int64())
        if kind.unit == "ns":
            return  # its whole range lies within
    found = pc.min_max(numbers).as_py()
    if found["min"] < first or found["max"] > last:
        raise StatementRefused(
            f"column {name} has a moment that is infinite or outside the years 1 to 9999; leave it out, or cast it to "
            "text"
        )


def refuse_growth(pieces: Sequence[int], longest: int, *, grows: bool) -> None:
    """Refuse texts that are joined until they fill the memory, which no limit of a database counts.

    Args:
        pieces: how many texts each expression joins.
        longest: characters of the longest text that is given.
        grows: something else in the statement makes long texts of many: a recursion, an aggregate of texts.

    Raises:
        StatementRefused: they would.
    """
    if pieces and grows:
        raise StatementRefused(
            "texts are joined in a statement that is recursive or aggregates texts, and could fill the memory; "
            "do one of the two, and the other in your program"
        )
    if max(64, longest) * math.prod(pieces) > _LONGEST_JOINED:
        raise StatementRefused(
            "so many texts are joined that the answer could fill the memory; join fewer, or do it in your program"
        )


def place_in(text: str, position: int) -> str:
    """Where a character stands, counted from 0, in words."""
    before = text[:position]
    return f"line {before.count(chr(10)) + 1}, column {position - (before.rfind(chr(10)) + 1) + 1}"
