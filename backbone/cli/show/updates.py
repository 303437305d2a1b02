"""Updates as they come: a table that grows line by line, JSON lines, or an Arrow file."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec
import pyarrow as pa

from backbone.cli.process.streams import put
from backbone.cli.show.output import refusing
from backbone.cli.show.rows import cell, columns_of
from backbone.domain.frame import Frame
from backbone.domain.text import json_text
from backbone.domain.values import python_of
from backbone.files import fresh_file

if TYPE_CHECKING:
    from backbone.domain.dimension import Dimension
    from backbone.stream.messages import Update

__all__ = ["ArrowFile", "JsonLines", "Lines", "Sink"]

_WIDTHS = {"string": 10, "timestamp": 26, "double": 12, "int64": 8}
_FLUSH_ROWS = 10_000


class Sink(Protocol):
    """Where updates go."""

    def begin(self) -> None:
        """Somebody answers: updates may come."""
        ...

    def take(self, update: Update) -> None:
        """One more."""
        ...

    def close(self) -> None:
        """No more come; what was taken is whole. Where it never began, nothing is left behind."""
        ...


class Lines:
    """A line for each row, below a head that is there from the start: who waits sees what for."""

    def __init__(self, dimension: Dimension) -> None:
        self._kinds = dimension.kinds

    def begin(self) -> None:
        """The head."""
        put(self._line([*self._kinds]))

    def take(self, update: Update) -> None:
        """Its rows."""
        columns = [python_of(update.frame.to_arrow().column(name)) for name in self._kinds]
        put("".join(self._line([cell(value) for value in row]) for row in zip(*columns, strict=True)))

    def close(self) -> None:
        """Nothing is left to be written."""

    def _line(self, cells: list[str]) -> str:
        fields = [
            text.ljust(_WIDTHS[kind]) if kind in {"string", "timestamp"} else text.rjust(_WIDTHS[kind])
            for text, kind in zip(cells, self._kinds.values(), strict=True)
        ]
        return f"{'  '.join(fields).rstrip()}\n"


class JsonLines:
    """A line of JSON for each update, with the token to go on from."""

    def begin(self) -> None:
        """There is no head."""

    def take(self, update: Update) -> None:
        """Its facts and its columns."""
        frame = update.frame
        facts = {"event_id": update.event_id, "position": update.position, "resume": update.resume}
        rows = {"dimension": frame.dimension, "symbol": update.symbol, "rows": frame.num_rows}
        put(json_text(msgspec.json.encode({"schema": 1, **facts, **rows, "columns": columns_of(frame)})) + b"\n")

    def close(self) -> None:
        """Nothing is left to be written."""


class ArrowFile:
    """An Arrow file, in its place once no more come; as a stream (.arrows) it is there from the start, and grows.

    Args:
        path: the file; one that is there is replaced.
        dimension: of the rows.
    """

    def __init__(self, path: Path, dimension: Dimension) -> None:
        self._path = path
        self._waiting: list[pa.Table] = []
        self._schema = Frame.empty(dimension).to_arrow().schema
        self._grows = path.suffix == ".arrows"
        self._begun = False
        with refusing(path), ExitStack() as failed:
            self._file, self._partial = failed.enter_context(fresh_file(path))
            make = pa.ipc.new_stream if self._grows else pa.ipc.new_file
            self._writer = make(self._file, self._schema)
            self._held = failed.pop_all()

    def begin(self) -> None:
        """A stream takes its place now."""
        self._begun = True
        if self._grows:
            with refusing(self._path):
                self._file.flush()
                self._partial.replace(self._path)

    def take(self, update: Update) -> None:
        """Its rows; a file gets many of them at once."""
        self._waiting.append(update.frame.to_arrow())
        if self._grows or sum(each.num_rows for each in self._waiting) >= _FLUSH_ROWS:
            self._flush()

    def close(self) -> None:
        """Write what waits and the end, and put the file in its place."""
        with refusing(self._path), self._held:
            self._flush()
            self._writer.close()
            self._file.flush()
            if self._begun and not self._grows:
                self._partial.replace(self._path)

    def _flush(self) -> None:
        if self._waiting:
            with refusing(self._path):
                self._writer.write_table(pa.concat_tables(self._waiting).combine_chunks())
                self._file.flush()
        self._waiting.clear()
