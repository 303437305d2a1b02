from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest

from backbone.domain import Dimension, Status
from backbone.domain.report import Report, cell, markdown_table, package_version

T0 = datetime(2024, 3, 1, 12, tzinfo=UTC)


class Count(msgspec.Struct, frozen=True):
    symbol: str
    rows: int


class IngestReport(Report, frozen=True, kw_only=True):
    title: ClassVar[str] = "Ingest"
    dimension: Dimension
    status: Status
    counts: tuple[Count, ...] = ()
    path: Path | None = None
    freshness_s: float | None = None


def sample(**values: object) -> IngestReport:
    fixed = {"version": "1.2.3", "generated_at": T0, "dimension": Dimension.TRADES, "status": Status.OK}
    return IngestReport(**{**fixed, **values})  # type: ignore[arg-type]


def test_json_is_stable_indented_and_says_its_schema_first() -> None:
    report = sample(counts=(Count("A", 3),), span_start=T0, path=Path("data/x.csv"))
    text = report.to_json().decode()
    assert text == sample(counts=(Count("A", 3),), span_start=T0, path=Path("data/x.csv")).to_json().decode()
    assert text.startswith('{\n  "schema": 1,\n  "version": "1.2.3",\n  "generated_at": "2024-03-01T12:00:00Z",\n')
    assert msgspec.json.decode(text) == {
        "schema": 1,
        "version": "1.2.3",
        "generated_at": "2024-03-01T12:00:00Z",
        "settings_hash": "missing",
        "span_start": "2024-03-01T12:00:00Z",
        "span_end": None,
        "dimension": "trades",
        "status": "ok",
        "counts": [{"symbol": "A", "rows": 3}],
        "path": "data/x.csv",
        "freshness_s": None,
    }


def test_markdown_shows_every_field_and_says_what_is_missing() -> None:
    lines = sample(span_start=T0, span_end=T0 + timedelta(days=1)).to_markdown().splitlines()
    assert lines[0] == "# Ingest"
    assert "- span: 2024-03-01T12:00:00Z to 2024-03-02T12:00:00Z" in lines
    assert "- settings: missing" in lines
    assert "| status | ok |" in lines
    assert "| freshness_s | missing |" in lines
    assert "| counts | none |" in lines


def test_a_report_stamps_itself_with_version_and_time_in_utc() -> None:
    report = Report()
    assert report.version == package_version()
    assert report.generated_at.tzinfo is UTC
    assert report.to_markdown().startswith("# Report\n")


def test_a_naive_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        sample(span_end=datetime(2024, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "missing"),
        (True, "yes"),
        (False, "no"),
        (3, "3"),
        (0.1 + 0.2, "0.3"),
        (datetime(2024, 3, 1, 14, tzinfo=timezone(timedelta(hours=2))), "2024-03-01T12:00:00Z"),
        ("a|b\nc\x1b[31m", "a\\|b c\\[31m"),
        (["a|b", "c\\|d"], "a\\|b, c\\\\\\|d"),
        ("<script>x</script>", "\\<script\\>x\\</script\\>"),
        ("![x](http://evil/x.png)", "!\\[x\\](http\\://evil/x.png)"),
        ("see www.evil.com, HTTPS://evil", "see www\\.evil.com, HTTPS\\://evil"),
        ("`rm`", "\\`rm\\`"),
        ("postgresql://u:***@h/d", "postgresql://u:***@h/d"),
        ((), "none"),
        (["a", None], "a, missing"),
        ({"a": 1}, "a: 1"),
        (Status.DEGRADED, "degraded"),
    ],
)
def test_a_value_is_one_line_that_can_not_break_a_table(value: object, expected: str) -> None:
    assert cell(value) == expected


def test_a_markdown_table_has_one_cell_per_header() -> None:
    assert markdown_table(("a", "b"), [(1, None)]) == "| a | b |\n| --- | --- |\n| 1 | missing |\n"
    with pytest.raises(ValueError, match="a row of 1 cells given under 2 headers"):
        markdown_table(("a", "b"), [(1,)])
