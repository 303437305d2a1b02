"""A few rows out of the server as plain values: to make columns of them would take longer than to read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from struct import error as StructError  # noqa: N812  it is a class
from struct import unpack
from typing import Any

from backbone.domain.clock import MAX_US, MIN_US
from backbone.domain.dimension import Dimension, Kind
from backbone.domain.rows import Cells
from backbone.store.timescale.copying import PG_EPOCH_US

__all__ = ["MOST", "cells_of"]

MOST = 8
"""Rows; of more the columns are made sooner."""


def cells_of(dimension: Dimension, known: Mapping[str, str], answer: Sequence[Any]) -> Cells | None:
    """The rows of an answer to `packed`, with the values that `table_of` gives.

    None: there are none, more than a few, or one that no frame may hold: `table_of` says what is wrong with it.
    """
    if not 0 < answer[0] <= MOST or not all(_is_name(text) for text in known.values()):
        return None
    try:
        columns = _columns(dimension, known, answer)
    except (UnicodeDecodeError, StructError):
        return None
    for name in dimension.key:
        column = columns[dimension.columns.index(name)]
        if dimension.kinds[name] == "string" and not all(map(_is_name, column)):
            return None
        if dimension.kinds[name] == "timestamp" and not MIN_US <= min(column) <= max(column) <= MAX_US:
            return None
    return Cells(dimension, list(zip(*columns, strict=True)))


def _columns(dimension: Dimension, known: Mapping[str, str], answer: Sequence[Any]) -> list[Sequence[Any]]:
    count, *pieces = answer
    rest = iter(pieces)
    columns: list[Sequence[Any]] = []
    for name, kind in dimension.kinds.items():
        if name in known:
            columns.append([known[name]] * count)
        elif kind == "string":
            columns.append(_texts(next(rest), next(rest), count))
        else:
            columns.append(_numbers(kind, next(rest), count))
    return columns


def _is_name(text: str | None) -> bool:
    return bool(text) and "\0" not in text  # type: ignore[operator]  # it is a text there


def _numbers(kind: Kind, piece: bytes, count: int) -> Sequence[Any]:
    """NaN stands for null, whoever put it there, and zero has no sign."""
    if kind == "double":
        return [None if value != value else value + 0.0 for value in unpack(f">{count}d", piece)]
    values = unpack(f">{count}q", piece)
    return [value + PG_EPOCH_US for value in values] if kind == "timestamp" else values


def _texts(lengths: bytes, data: bytes | None, count: int) -> list[str | None]:
    texts: list[str | None] = []
    start = 0
    for length in unpack(f">{count}i", lengths):
        texts.append(None if length < 0 else (data or b"")[start : start + length].decode())
        start += max(0, length)
    return texts
