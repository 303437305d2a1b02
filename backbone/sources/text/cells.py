"""What reading by the column and reading by the line share: how the cells of a column are written."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Final

from backbone.sources.text.layout import Layout
from backbone.sources.text.numbers import NumberForm

__all__ = ["number_form"]

_SHORTENED: Final = frozenset({"volume", "size", "bid_size", "ask_size"})


def number_form(layout: Layout, column: str) -> NumberForm:
    """How the numbers of a column are written in a file."""
    return _form(layout.numbers, layout.extra_missing, column in _SHORTENED)


@lru_cache(maxsize=64)
def _form(form: NumberForm, extra: frozenset[str], shortened: bool) -> NumberForm:
    missing = form.missing | {word.strip().lower() for word in extra}
    return replace(form, missing=missing, shortened=shortened)
