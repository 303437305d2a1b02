"""Calendars of exchanges: tables that are kept in files, and what is done where they can't be had."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import Any

import anyio
import anyio.lowlevel
import numpy as np
import pyarrow as pa
import pytest

from backbone.domain import Frame
from backbone.quality import exchanges
from backbone.quality.exchanges import SCHEMA, CalendarUnavailable, calendar_of_table, exchange, is_loaded
from backbone.quality.instruments import Instruments
from backbone.quality.report import assess
from backbone.quality.sessions import Calendar
from backbone.settings import check, load_settings

TOKYO = timedelta(hours=9)
HOLIDAYS = {date(2024, 3, 20), date(2024, 4, 29)}


def sessions(made: str = "2024-01-01") -> pa.Table:
    """Tokyo in the first half of 2024, of its holidays only two, with a half day."""
    span = np.arange("2024-01-01", "2024-06-29", dtype="datetime64[D]")
    rows = []
    for day in span.tolist():
        if day.weekday() < 5 and day not in HOLIDAYS:
            midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) - TOKYO
            noon = midnight + timedelta(hours=11, minutes=30)
            half = day == date(2024, 5, 31)
            pause = (None, None) if half else (noon, noon + timedelta(hours=1))
            rows.append((day, midnight + timedelta(hours=9), noon if half else midnight + timedelta(hours=15), *pause))
    columns = [pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), SCHEMA, strict=True)]
    return pa.Table.from_arrays(columns, schema=SCHEMA).replace_schema_metadata({"zone": "Asia/Tokyo", "made": made})


def written(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


@pytest.fixture
def tokyo() -> Calendar:
    return calendar_of_table("XTKS", sessions())


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_table_says_which_days_are_sessions_and_its_last_year_goes_on_beyond_it(tokyo: Calendar) -> None:
    days = tokyo.sessions(date(2024, 3, 18), date(2024, 3, 22)).tolist()
    assert [day.day for day in days] == [18, 19, 21, 22]
    beyond = tokyo.sessions(date(2025, 3, 17), date(2025, 3, 23))
    assert len(beyond) == 5
    assert tokyo.hours(beyond[:1])[0].tolist() == [datetime(2025, 3, 17)]  # noqa: DTZ001  of numpy, in UTC
    before = tokyo.sessions(date(1990, 1, 1), date(1990, 1, 7))
    assert len(before) == 5
    assert tokyo.is_open(utc("2025-03-17T02:00"))
    assert not tokyo.is_open(utc("2025-03-17T03:00"))


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2024-03-18T23:59", False),
        ("2024-03-19T00:00", True),  # 09:00
        ("2024-03-19T02:29", True),
        ("2024-03-19T02:30", False),  # 11:30, the break
        ("2024-03-19T03:29", False),
        ("2024-03-19T03:30", True),
        ("2024-03-19T05:59", True),
        ("2024-03-19T06:00", False),
        ("2024-03-20T02:00", False),  # a holiday
        ("2024-05-31T02:29", True),
        ("2024-05-31T04:00", False),  # a half day
        ("2024-05-30T04:00", True),
    ],
)
def test_sessions_of_a_table_open_pause_and_close(tokyo: Calendar, moment: str, is_open: bool) -> None:
    assert tokyo.is_open(utc(moment)) is is_open


def test_what_a_table_expects_leaves_out_breaks_holidays_and_the_end_of_half_days(tokyo: Calendar) -> None:
    assert len(tokyo.expected_stamps("1m", utc("2024-05-30T00:00"), utc("2024-05-31T23:00"))) == 300 + 150
    assert len(tokyo.expected_stamps("1d", utc("2024-03-18T00:00"), utc("2024-03-22T00:00"))) == 4
    assert tokyo.open_time(utc("2024-05-30T00:00"), utc("2024-06-01T00:00")) == timedelta(hours=7, minutes=30)
    edges = tokyo.edges(utc("2024-05-31T00:00"), utc("2024-05-31T23:00"))
    assert sorted(str(edge)[11:16] for edge in edges) == ["00:00", "02:30"]


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda table: table.slice(0, 0),
        lambda table: table.take(pa.array([1, 0])),
        lambda table: table.replace_schema_metadata({"zone": "Mars/X"}),
    ],
)
def test_a_table_that_can_t_be_is_refused(spoilt: Any) -> None:
    with pytest.raises((ValueError, IndexError)):
        calendar_of_table("XTKS", spoilt(sessions()))


def test_beyond_the_table_the_weekdays_of_its_last_year_count_and_not_those_of_before() -> None:
    days = np.arange("2019-01-05", "2024-06-29", dtype="datetime64[D]")
    weekday = (days.astype(np.int64) + 3) % 7
    days = days[(weekday < 5) | ((weekday == 5) & (days < np.datetime64("2020-01-01")))]
    opens, never = days.astype("datetime64[us]"), np.full(days.size, np.datetime64("NaT", "us"))
    columns = [
        pa.array(each, field.type) for each, field in zip((days, opens, opens + 9, never, never), SCHEMA, strict=True)
    ]
    table = pa.Table.from_arrays(columns, schema=SCHEMA).replace_schema_metadata({"zone": "UTC", "made": "2024-01-01"})
    market = calendar_of_table("XTKS", table)
    assert market.trades_on(np.array(["2019-01-05", "2030-01-05", "2030-01-07"], "datetime64[D]")).tolist() == [
        True,
        False,
        True,
    ]


def test_a_day_that_opened_earlier_than_others_holds_its_first_hour() -> None:
    table = sessions()
    opens = table.column("open").to_pylist()
    opens[10] -= timedelta(hours=2)
    market = calendar_of_table(
        "XTKS", table.set_column(1, SCHEMA.field("open"), pa.array(opens, SCHEMA.field("open").type))
    )
    early, other = opens[10] + timedelta(minutes=30), opens[11] - timedelta(minutes=90)
    assert (market.is_open(early), market.is_open(other)) == (True, False)


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How often sessions were computed."""
    computed: list[str] = []

    def compute(name: str, _stopped: object) -> bytes:
        computed.append(name)
        return written(sessions(made=datetime.now(UTC).date().isoformat()))

    monkeypatch.setattr(exchanges, "_compute", compute)
    monkeypatch.setattr(importlib.metadata, "version", lambda _name: "4.13.2")
    forget(monkeypatch)
    return computed


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges, "_loaded", {})
    monkeypatch.setattr(exchanges, "_failed", {})


def test_sessions_are_computed_once_and_kept_by_version(
    package: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(tmp_path / "calendars")
    first = exchange("XTKS", folder)
    assert exchange("XTKS", folder) is first
    assert is_loaded("XTKS", folder)
    assert [file.name for file in (tmp_path / "calendars").iterdir()] == ["XTKS-4.13.2.arrow"]
    forget(monkeypatch)
    again = exchange("XTKS", folder)
    assert again.sessions(date(2024, 3, 18), date(2024, 3, 22)).size == 4
    assert package == ["XTKS"]
    monkeypatch.setattr(importlib.metadata, "version", lambda _name: "5.0")
    forget(monkeypatch)
    exchange("XTKS", folder)
    assert package == ["XTKS", "XTKS"]


@pytest.mark.parametrize("content", [b"", b"no table", written(sessions())[:-100], written(sessions())])
def test_a_file_that_can_t_be_read_or_is_old_is_made_anew(package: list[str], tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "XTKS-4.13.2.arrow"
    file.write_bytes(content)
    assert exchange("XTKS", str(tmp_path)).is_open(utc("2024-03-19T00:00"))
    assert package == ["XTKS"]
    assert file.read_bytes() != content


def test_what_a_process_gives_that_is_no_table_is_said(
    package: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for content in (b"", b"Traceback", written(sessions())[:100], written(sessions().drop_columns("close"))):
        monkeypatch.setattr(exchanges, "_compute", lambda _name, _stopped, given=content: given)
        forget(monkeypatch)
        with pytest.raises(CalendarUnavailable, match="XTKS: exchange_calendars gave no table of sessions"):
            exchange("XTKS", str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_can_t_be_written_is_done_without(package: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert exchange("XTKS", str(tmp_path / "file" / "below")).is_open(utc("2024-03-19T00:00"))


def test_what_fails_says_why_and_judges_without_a_calendar(
    package: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_name: str, _stopped: object) -> bytes:
        package.append("failed")
        raise CalendarUnavailable("the calendar XTKS could not be computed: disk full")

    monkeypatch.setattr(exchanges, "_compute", fail)
    overrides = {"quality.session": "xtks", "instruments.calendar_folder": str(tmp_path)}
    known = Instruments(load_settings(profile="embedded", overrides=overrides))
    assert known.of("7203.T").calendar == "XTKS"
    assert not known.is_ready(["7203.T"])
    for _ in range(3):
        with pytest.raises(CalendarUnavailable, match="disk full"):
            known.calendar_of("7203.T")
    assert package == ["failed"]  # not tried again at once
    row = {"symbol": "7203.T", "interval": "1h", "ts": utc("2024-03-19T00:00"), "open": 1.0, "high": 1.0, "low": 1.0}
    report = assess(Frame.from_records("intraday", [row | {"close": 1.0}]), calendar=known.judging_calendar_of)
    assert [(finding.code, "disk full" in finding.message) for finding in report.findings] == [("no_calendar", True)]
    assert not known.calendar_at_hand("7203.T").known


def test_a_calendar_at_hand_does_not_wait_for_another_that_is_computed(
    package: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = exchange("XTKS", str(tmp_path))
    begun, go_on = Event(), Event()

    def compute(_name: str, _stopped: object) -> bytes:
        begun.set()
        go_on.wait(30)
        return written(sessions())

    monkeypatch.setattr(exchanges, "_compute", compute)
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(exchange, "XLON", str(tmp_path))
        try:
            assert begun.wait(30)
            assert pool.submit(exchange, "XTKS", str(tmp_path)).result(30) is kept
            assert not slow.done()
        finally:
            go_on.set()
        assert slow.result(30).name == "XLON"


async def test_who_gives_up_does_not_wait_for_a_process_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda _name: "4.13.2")
    forget(monkeypatch)
    begun = tmp_path / "begun"
    hanging = f"import pathlib, time; pathlib.Path({str(begun)!r}).touch(); time.sleep(3600)"
    monkeypatch.setattr(exchanges, "_WORKER", hanging)
    overrides = {"quality.session": "XTKS", "instruments.calendar_folder": str(tmp_path)}
    known = Instruments(load_settings(profile="embedded", overrides=overrides))
    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(known.load, ["7203.T"])
            group.start_soon(known.load, ["6758.T"])  # waits for the same
            while not begun.exists():
                await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
    monkeypatch.setattr(exchanges, "_compute", lambda _name, _stopped: written(sessions()))
    await known.load(["7203.T"])  # it did not fail
    assert known.calendar_at_hand("7203.T").name == "XTKS"


def test_a_process_that_hangs_is_ended_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda _name: "4.13.2")
    forget(monkeypatch)
    monkeypatch.setattr(exchanges, "_WORKER", "import time; time.sleep(3600)")
    monkeypatch.setattr(exchanges, "_TIMEOUT", 0.0)
    with pytest.raises(CalendarUnavailable, match="XTKS could not be computed within 0 s"):
        exchange("XTKS", str(tmp_path))


async def test_judgements_do_without_what_can_t_be_had_and_queries_say_so(
    package: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compute(name: str, _stopped: object) -> bytes:
        if name == "XLON":
            raise CalendarUnavailable("the calendar XLON could not be computed: disk full")
        return written(sessions())

    monkeypatch.setattr(exchanges, "_compute", compute)
    overrides = {"quality.sessions": "VOD=XLON,7203.T=XTKS", "instruments.calendar_folder": str(tmp_path)}
    known = Instruments(load_settings(profile="embedded", overrides=overrides))
    with pytest.raises(CalendarUnavailable, match="disk full"):
        await known.load(["VOD", "7203.T"])
    await known.load(["VOD", "7203.T"], judging=True)
    assert [known.calendar_at_hand(symbol).name for symbol in ("VOD", "7203.T", "EURUSD")] == ["none", "XTKS", "fx"]


def test_the_process_that_computes_tells_what_went_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda _name: "4.13.2")
    forget(monkeypatch)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(CalendarUnavailable, match=r"XLON could not be computed by exchange_calendars: exit 1"):
        exchange("XLON", str(tmp_path))
    forget(monkeypatch)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(CalendarUnavailable, match="XLON could not be computed"):
        exchange("XLON", str(tmp_path))


PACKAGE = """
import pandas as pd
from zoneinfo import ZoneInfo

print("exchange_calendars is loaded", file=__import__("sys").stderr)

class Calendar:
    tz = ZoneInfo("Asia/Tokyo")

    def __init__(self, start):
        days = pd.date_range(start, "1991-01-31", freq="B")
        minutes = {"open": 0, "close": 360, "break_start": 150, "break_end": 210}
        moments = {name: (days + pd.Timedelta(minutes=at)).tz_localize("UTC") for name, at in minutes.items()}
        self.schedule = pd.DataFrame(moments, days)
        self.schedule.loc[days[-1], ["break_start", "break_end"]] = pd.NaT

    def bound_min(self):
        return pd.Timestamp("1990-01-01")

def get_calendar(name, start="1990-12-03"):
    return Calendar(start)
"""


@pytest.mark.slow
def test_a_process_of_its_own_asks_the_package_and_never_what_lies_in_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "installed" / "exchange_calendars").mkdir(parents=True)
    (tmp_path / "installed" / "exchange_calendars" / "__init__.py").write_text(PACKAGE)
    (tmp_path / "here" / "backbone").mkdir(parents=True)
    (tmp_path / "here" / "backbone" / "__init__.py").write_text("raise SystemExit('somebody else')")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "installed"))
    monkeypatch.setattr(importlib.metadata, "version", lambda _name: "4.13.2")
    forget(monkeypatch)
    market = exchange("XTKS", "calendars")
    assert market.sessions(date(1989, 12, 25), date(1990, 1, 5)).size == 10
    assert market.is_open(utc("1990-01-04T02:00"))
    assert not market.is_open(utc("1990-01-04T03:00"))
    assert market.is_open(utc("1991-01-31T03:00"))  # a day without a break
    assert [file.name for file in Path("calendars").iterdir()] == ["XTKS-4.13.2.arrow"]


def test_an_exchange_without_the_package_is_an_obstacle_that_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    monkeypatch.setattr("backbone.settings.starting.find_spec", lambda _name: None)
    forget(monkeypatch)
    with pytest.raises(CalendarUnavailable, match=r"pip install 'exchange_calendars>=4\.13'"):
        exchange("XLON", str(tmp_path))
    overrides = {"instruments.rules": [{"symbols": "*.L", "calendar": "xlon"}]}
    (found,) = check(load_settings(profile="embedded", overrides=overrides))
    assert (found.path, found.status) == ("instruments.rules", "failed")
    assert "names XLON, which needs exchange_calendars: pip install 'exchange_calendars>=4.13'" in found.message


def test_no_start_loads_the_package_or_what_it_brings() -> None:
    code = "import sys, backbone.facade.backbone, backbone.quality.instruments\n"
    code += "print([name for name in ('pandas', 'exchange_calendars') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(find_spec("exchange_calendars") is None, reason="exchange_calendars is not installed")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "moment", "is_open"),
    [
        ("XNYS", "2002-07-05T16:59", True),
        ("XNYS", "2002-07-05T17:00", False),
        ("XLON", "2024-12-24T12:29", True),
        ("XLON", "2024-12-24T12:30", False),
        ("XETR", "2024-05-01T10:00", False),
        ("XTKS", "2024-03-19T02:45", False),
        ("XTKS", "2024-03-19T03:30", True),
    ],
)
def test_sessions_of_exchanges_are_those_of_the_package(
    tmp_path_factory: pytest.TempPathFactory, name: str, moment: str, is_open: bool
) -> None:
    folder = tmp_path_factory.getbasetemp() / "calendars"
    assert exchange(name, str(folder)).is_open(utc(moment)) is is_open
