"""The base of all reports: what every report carries, and how it is written as JSON and Markdown.

A report holds only what was observed. What was not observed is None, and is written as null or "missing".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import ClassVar

import msgspec

from backbone.domain.clock import to_us, utc_now
from backbone.domain.text import folded, json_text

__all__ = ["MISSING", "Report", "cell", "markdown_table", "package_version", "plain"]

MISSING = "missing"
_SCHEMA = 1
_MARKUP = re.compile(r"[\\`|<>\[\]]")
_AUTOLINK = re.compile(r"\b(https?|ftp|www)(:(?=//)|\.)", re.IGNORECASE)  # many readers make links of bare addresses


@cache
def package_version() -> str:
    """The installed version of the package, or "missing" when it runs from a bare checkout."""
    from importlib.metadata import PackageNotFoundError, version  # takes its time, and no report is made at the start

    try:
        return version("backbone")
    except PackageNotFoundError:
        return MISSING


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was observed, by which version, when, under which settings and over which span of data.

    A report type subclasses this, adds its fields (``frozen=True, kw_only=True``) and may override `to_markdown`.
    Every moment is aware; ``generated_at`` is in UTC.
    """

    title: ClassVar[str] = "Report"

    version: str = msgspec.field(default_factory=package_version)
    generated_at: datetime = msgspec.field(default_factory=utc_now)
    settings_hash: str = MISSING
    span_start: datetime | None = None
    span_end: datetime | None = None

    def __post_init__(self) -> None:
        for name in ("generated_at", "span_start", "span_end"):
            moment = getattr(self, name)
            if moment is not None:
                to_us(moment)

    def to_json(self) -> bytes:
        """The report as indented JSON with ``"schema": 1`` first; fields stand in the order of their declaration."""
        body = {"schema": _SCHEMA, **msgspec.to_builtins(self, enc_hook=str)}
        return json_text(msgspec.json.format(msgspec.json.encode(body), indent=2)) + b"\n"

    def to_markdown(self) -> str:
        """The report as Markdown: a title, the common facts, and a table of the further fields."""
        own = [name for name in self.__struct_fields__ if name not in Report.__struct_fields__]
        rows = [(name, getattr(self, name)) for name in own]
        return f"{self.heading()}\n{markdown_table(('field', 'value'), rows)}" if rows else self.heading()

    def heading(self) -> str:
        """The title and the facts that all reports have in common, as Markdown."""
        facts = (
            ("version", self.version),
            ("generated at", self.generated_at),
            ("settings", self.settings_hash),
            ("span", None if self.span_start is None else f"{cell(self.span_start)} to {cell(self.span_end)}"),
        )
        return f"# {self.title}\n\n" + "".join(f"- {name}: {cell(value)}\n" for name, value in facts)


def markdown_table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; None is written as "missing", bars, markup and control characters can't break it.

    Raises:
        ValueError: a row has another number of cells than there are headers.
    """
    lines = [_line(headers), _line(["---"] * len(headers))]
    for row in rows:
        if len(row) != len(headers):
            raise ValueError(f"a row of {len(row)} cells given under {len(headers)} headers; give one cell per header")
        lines.append(_line([cell(value) for value in row]))
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def cell(value: object) -> str:
    """A value as one line of Markdown: what would be a bar, a tag, a link or a picture is shown as it was given."""
    return _AUTOLINK.sub(r"\1\\\2", _MARKUP.sub(r"\\\g<0>", plain(value)))


def plain(value: object) -> str:
    """A value as one line: "missing" for None, "none" for nothing, ISO-8601 with Z for moments, plain numbers."""
    if value is None:
        return MISSING
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{folded(name)}: {plain(item)}" for name, item in value.items()) or "none"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(map(plain, value)) or "none"
    return folded(value)
