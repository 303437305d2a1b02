"""The columnwise path gives what reading each line by itself gives, whatever the lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backbone.domain import Dimension, Frame
from backbone.sources.csv import CsvSource
from backbone.sources.errors import InputInvalid
from backbone.sources.form import Form
from backbone.sources.text.layout import find_layout
from backbone.sources.text.rows import RowError, read_row
from tests.campaigns import so_many

HEADER = "ts,symbol,open,high,low,close,volume"
TIMES = ["2024-01-02T10:00:00Z", "2024-01-02 10:00", "2024-03-10 02:30:00", "2024-01-02T10:00:00+01:00", "2024-01-02",
         "20240102T100000Z", "0001-01-01T00:00:00+05:00", "2024-13-01T00:00:00Z", "", "x", "1704189600000", "20240102",
         "2024.01.02 10:00", "02-JAN-2024", "01/02/2024", "2024-01-02 10:00:00.1234567 UTC", "1e12",
         '"Jan 2, 2024 3:30 PM"']  # fmt: skip
NUMBERS = [
    "1",
    "1.5",
    " 2 ",
    "+3",
    ".5",
    "5.",
    "1e3",
    "1e999",
    "nan",
    "inf",
    "",
    "x",
    "0x1",
    "1,5",
    "1_0",
    "N/A",
    "-",
    "1.2K",
    '"1,150.00"',
    "1'150",
    "$5",
    "1.5%",
    '"1"',
    '"',
    '1"2',
]
TEXTS = ["A", " A", "", '"A"', '"A,B"', '"A""B"', "ü", "A\0", "A\r", '"A', 'A"', "EURUSD"]
FIELDS = st.tuples(st.sampled_from(TIMES), st.sampled_from(TEXTS), *[st.sampled_from(NUMBERS)] * 5).map(
    lambda fields: list(fields)
)
ROWS = st.lists(FIELDS | st.lists(st.sampled_from([*TIMES, *NUMBERS, *TEXTS]), max_size=9), min_size=1, max_size=12)


@pytest.mark.parametrize("zone", [None, "America/New_York"])
@pytest.mark.campaign
@settings(
    max_examples=so_many(150, part=50), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=ROWS, last_line_end=st.sampled_from(["\n", "", "\r\n"]))
def test_the_same_rows_and_the_same_reasons(
    tmp_path: Path, zone: str | None, rows: list[list[str]], last_line_end: str
) -> None:
    plain = [f"2024-01-01T{hour:02d}:00:00Z,A,1,2,1,2," for hour in range(13)]  # show what most of the file is like
    body = [*plain, *(",".join(row) for row in rows)]
    path = tmp_path / "soup.csv"
    path.write_bytes(("\n".join([HEADER, *body]) + last_line_end).encode())
    good, bad = [], []
    form = Form(zone=zone, decimal=".")
    head = path.read_bytes().decode()
    layout = find_layout("soup.csv", head, Dimension.INTRADAY_BARS, form=form, constants={"interval": "1h"})
    for number, line in enumerate(path.read_bytes().split(b"\n")[1:], start=2):
        raw = line.removesuffix(b"\r")
        if not raw.strip():
            continue
        try:
            good.append(read_row(raw, layout, Dimension.INTRADAY_BARS).values)
        except RowError as error:
            bad.append((f"soup.csv:{number}", str(error)))
    chunks = list(CsvSource(path, "intraday", interval="1h", zone=zone, decimal=".").chunks())
    assert [(row.location, row.reason) for chunk in chunks for row in chunk.quarantined] == bad
    assert Frame.concat([chunk.frame for chunk in chunks]) == Frame.from_records("intraday", good)


@pytest.mark.campaign
@settings(
    max_examples=so_many(200, part=70), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.binary(max_size=400) | st.binary(max_size=200).map(lambda tail: HEADER.encode() + b"\n" + tail))
def test_any_bytes_give_rows_or_a_clear_refusal(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "noise.csv"
    path.write_bytes(content)
    try:
        for chunk in CsvSource(path, "intraday", interval="1h").chunks():
            assert chunk.rows_read
    except InputInvalid as refused:
        assert "\n" not in str(refused)  # noqa: PT017  either outcome is right
