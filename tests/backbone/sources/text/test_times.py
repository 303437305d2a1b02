"""Times of texts: all ways of writing them, the same answers by the column and singly, and Python's own answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backbone.domain.clock import parse_time
from backbone.sources.text.times import Moment, TimeForm, counted, moment, moments, recognised
from tests.campaigns import so_many

UTC_ZONE = TimeForm(zone=ZoneInfo("UTC"))
NEW_YORK = TimeForm(zone=ZoneInfo("America/New_York"))
WITHIN = {"min_value": datetime(1801, 1, 1), "max_value": datetime(2099, 12, 31)}  # noqa: DTZ001  hypothesis adds zones

WRITTEN = [
    ("2024-03-08", "2024-03-08T00:00Z"),
    ("2024-03-08 15:30", "2024-03-08T15:30Z"),
    ("2024-03-08 15:30:01.5 UTC", "2024-03-08T15:30:01.5Z"),
    ("2024-03-08T15:30:00,25+0100", "2024-03-08T14:30:00.25Z"),
    ("2024-03-08 15:30:00+01", "2024-03-08T14:30Z"),
    ("2024-03-08 15:30:00 GMT-0530", "2024-03-08T21:00Z"),
    ("2024-03-08T15:30:00+01:00[Europe/Paris]", "2024-03-08T14:30Z"),
    ("2024.03.08", "2024-03-08T00:00Z"),
    ("2024.03.08 15:30:00.123", "2024-03-08T15:30:00.123Z"),
    ("2024/3/8 09:30:00.000000", "2024-03-08T09:30Z"),
    ("20240308", "2024-03-08T00:00Z"),
    ("20240308 165700", "2024-03-08T16:57Z"),
    ("20240308 165700123", "2024-03-08T16:57:00.123Z"),
    ("20240308;165700", "2024-03-08T16:57Z"),
    ("20240308 1657", "2024-03-08T16:57Z"),
    ("20240308T165700Z", "2024-03-08T16:57Z"),
    ("20240308-16:57:00.5", "2024-03-08T16:57:00.5Z"),
    ("07-MAR-2024", "2024-03-07T00:00Z"),
    ("Mar 7, 2024", "2024-03-07T00:00Z"),
    ("7 March 2024 3:30 PM", "2024-03-07T15:30Z"),
    ("2024-03-07 12-AM", "2024-03-07T00:00Z"),
    ("Fri Mar 08 2024 10:00:00 GMT+0100 (CET)", "2024-03-08T09:00Z"),
    ("2024-W10-5", "2024-03-08T00:00Z"),
    ("1709913600", "2024-03-08T16:00Z"),
    ("1709913600.123", "2024-03-08T16:00:00.123Z"),
    ("1709913600123", "2024-03-08T16:00:00.123Z"),
    ("1709913600123.456", "2024-03-08T16:00:00.123456Z"),
    ("1709913600123456", "2024-03-08T16:00:00.123456Z"),
    ("1709913600123456000", "2024-03-08T16:00:00.123456Z"),
    ("-1709913600", "1915-10-26T08:00Z"),
]
UNREADABLE = [
    "",
    "x",
    "1.7e9",
    "45359",
    "03/07/2024",
    "08.03.2024 20:00",
    "2024-02-30",
    "2024-13-01",
    "2024-03-08 24:00",
    "2024-03-08 13:00 PM",
    "2024-03-08 15:30:60",
    "2024-01-02-05:00",
    "17099136000001709913600",
    "20241308",
    "2024-03-08 15:30+24:00",
    "0000-01-01",
    "5:30",
    "1709913600,5",
    "٢٠٢٤-٠٣-٠٨",
    "2024-03-08 15:30 EST",
    "1850000000000000000000",
    "-20240308",
]


def both(texts: list[str], form: TimeForm) -> list[object]:
    """The answers for each text, which are the same by the column and singly."""
    column = moments(pa.array(texts), form)
    answers: list[object] = []
    for row, text in enumerate(texts):
        try:
            one = moment(text, form)
        except ValueError as error:
            assert column.failed[row], text
            answers.append(str(error))
            continue
        assert not column.failed[row], text
        assert one == Moment(column.values[row].as_py(), column.repeated[row], column.cut[row]), text
        answers.append(one.at)
    return answers


def test_a_moment_is_the_same_however_it_is_written_by_the_column_and_singly() -> None:
    assert both([text for text, _ in WRITTEN], UTC_ZONE) == [datetime.fromisoformat(at) for _, at in WRITTEN]


def test_what_is_no_moment_or_leaves_it_open_is_read_on_neither_way() -> None:
    assert all(isinstance(answer, str) for answer in both(UNREADABLE, UTC_ZONE))


@pytest.mark.parametrize(
    ("text", "form", "words"),
    [
        ("03/07/2024", UTC_ZONE, "--time-format"),
        ("08.03.2024 20:00", UTC_ZONE, "--time-format"),
        ("45359", UTC_ZONE, r"has 9 to 20 digits, it has 5.*--time-unit"),
        ("1.7e9", UTC_ZONE, "scientific notation"),
        ("2024-03-08", TimeForm(epochs=True), "as the others of its column, which are numbers"),
        ("1709913600", TimeForm(epochs=False), "as the others of its column, which are dates"),
        ("1709913600", TimeForm(format="%Y-%m-%d"), r"written as '%Y-%m-%d'"),
        ("2024-03-08", TimeForm(unit="ms"), "not a number of ms since 1970"),
        ("1706-06-08", UTC_ZONE, r"outside the years 1800 to 2100.*sources.earliest"),
        ("2024-03-10 02:30", NEW_YORK, "the clocks skip it"),
        ("2024-03-08 15:30", TimeForm(), "--zone"),
        ("2024-03-08 15:30", TimeForm(dates=True), "time of day"),
    ],
)
def test_the_reason_says_what_to_do(text: str, form: TimeForm, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        moment(text, form)


def test_the_unit_can_change_within_a_column_and_one_that_is_told_holds() -> None:
    turn = ["1735686000000", "1735689600000000"]
    at = [datetime(2024, 12, 31, 23, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)]
    assert both(turn, TimeForm(epochs=True)) == at
    assert counted(pa.array([int(text) for text in turn]), TimeForm(epochs=True)).values.to_pylist() == at
    assert both(["86400", "0", "-1"], TimeForm(unit="s")) == [
        datetime(1970, 1, 2, tzinfo=UTC),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC),
    ]


def test_the_header_of_dukascopy_tells_the_order_and_an_offset_the_rest() -> None:
    form = TimeForm(day_first=True, zone=ZoneInfo("UTC"))
    local, gmt = both(["08.03.2024 20:00:00.000 GMT+0100", "08.03.2024 19:00:00.000"], form)
    assert local == gmt == datetime(2024, 3, 8, 19, tzinfo=UTC)


def test_what_is_finer_than_a_microsecond_is_cut_and_marked() -> None:
    texts = [
        "2023-09-29T12:15:39.057622340Z",
        "1695989739057622340",
        "2023-09-29T12:15:39.057622000Z",
        "1695989739057622.5",
    ]
    column = moments(pa.array(texts), TimeForm())
    assert set(column.values.to_pylist()) == {datetime(2023, 9, 29, 12, 15, 39, 57622, tzinfo=UTC)}
    assert column.cut.tolist() == [True, True, False, True]


def test_dates_of_daily_bars_stand_as_written_or_at_the_zones_midnight() -> None:
    form = TimeForm(dates=True, zone=ZoneInfo("America/New_York"))
    days = both(["2024-03-08", "20240308", "2024-03-08 00:00:00-05:00", "2024-03-08T05:00:00Z", "1709856000"], form)
    assert days == [datetime(2024, 3, 8, tzinfo=UTC)] * 5


def test_a_moment_the_clocks_show_twice_is_marked() -> None:
    column = moments(pa.array(["2024-11-03 00:59", "2024-11-03 01:30", "2024-11-03 02:00"]), NEW_YORK)
    assert column.repeated.tolist() == [False, True, False]
    assert column.values[1].as_py() == datetime(2024, 11, 3, 5, 30, tzinfo=UTC)


def test_a_column_is_recognised_as_numbers_or_dates_by_most_of_its_texts() -> None:
    assert recognised(["1709913600", "1709913601", "2024-03-08"], UTC_ZONE).epochs is True
    assert recognised(["20240308", "20240309"], UTC_ZONE).epochs is False
    assert recognised(["20240308 1530", "20240309 093000", "20240309 1540"], UTC_ZONE).clock == "four"


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["03/07/2024", "03/08/2024"], "--time-format"),
        (["45359", "45360"], "--time-unit"),
        (["1.709e9"], "scientific"),
        (["20240308 93000", "20240308 93500", "20240308 100000"], "zeros before it"),
        (["20240308 0", "20240308 5", "20240308 10"], "zeros before it"),
        (["08-Mar-24"], r"which the year.*--time-format"),
        (["2024-03-08 15:30 EST"], r"name different zones.*--zone"),
        (["2024-03-08 15:30 (EST)"], r"name different zones.*--zone"),
        (["2024-03-08 15:30[America/New_York]"], r"name different zones.*--zone"),
        (["20240308 15:30:00 US/Eastern"], r"name different zones.*--zone"),
        (["202403081530", "202403081535"], "--time-format %Y%m%d%H%M or --time-unit ms"),
        (["240308153001"], "--time-format %y%m%d%H%M%S or --time-unit ms"),
        (["2024030815", "2024030816"], "--time-format %Y%m%d%H or --time-unit s"),
        (["20240308153001.0", ""], "--time-format %Y%m%d%H%M%S or --time-unit ms"),
        (["20240308153001250"], "--time-format %Y%m%d%H%M%S%f or --time-unit us"),
        (["2024-03-08 15:30"], r"without an offset.*'2024-03-08 15:30'.*--zone"),
    ],
)
def test_a_column_that_leaves_open_what_has_to_be_told_is_refused(texts: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        recognised(texts, TimeForm())


def test_digits_that_are_no_dates_or_of_which_it_is_told_count_from_1970() -> None:
    assert recognised(["202403081530", "202403081599"], TimeForm()).epochs is True
    assert recognised(["202403081530"], TimeForm(unit="ms")).epochs is True
    assert recognised(["202403081530"], TimeForm(format="%Y%m%d%H%M", zone=ZoneInfo("UTC"))).epochs is None
    assert recognised(["1709281000", "1709287200000"], TimeForm()).epochs is True


def test_seconds_among_milliseconds_are_none_for_early_milliseconds_have_as_few_digits() -> None:
    texts = ["-252460800000", "1709856000000", "1709942400000000", "1036800000", "86400000000"]
    form = recognised(texts, TimeForm())
    answers = both(texts, form)
    assert answers[:3] == [datetime(1962, 1, 1, tzinfo=UTC), *(datetime(2024, 3, day, tzinfo=UTC) for day in (8, 9))]
    assert all("--time-unit ms" in str(each) for each in answers[3:])
    assert counted(pa.array([int(text) for text in texts]), form).failed.tolist() == [False] * 3 + [True] * 2
    assert both(texts[3:4], TimeForm(unit="ms")) == [datetime(1970, 1, 13, tzinfo=UTC)]


def test_a_zone_by_name_says_nothing_without_an_offset() -> None:
    good, bad = both(["2024-03-08 10:30-05:00 (EST)", "2024-03-08 10:30 (EST)"], UTC_ZONE)
    assert good == datetime(2024, 3, 8, 15, 30, tzinfo=UTC)
    assert "name different zones" in str(bad)


FORMATS = [
    "%d.%m.%Y %H:%M:%S.%f",
    "%m/%d/%Y %I:%M:%S %p",
    "%Y%m%d%H%M%S",
    "%d-%b-%Y %H:%M",
    "%d/%m/%y",
    "%A, %d %B %Y %H:%M",
    "%Y-%m-%dT%H:%M:%S%z",
    "%F %T",
    "%H:%M:%S.%f on %d|%m|%Y (100%%)",
]


@pytest.mark.campaign
@settings(max_examples=so_many(150, part=50), deadline=None)
@given(
    at=st.lists(st.datetimes(datetime(1970, 1, 1), datetime(2037, 12, 31)), min_size=1, max_size=8),  # noqa: DTZ001
    format=st.sampled_from(FORMATS),
)
def test_a_told_format_gives_what_strptime_gives(at: list[datetime], format: str) -> None:  # noqa: A002
    texts = [each.replace(tzinfo=UTC).strftime(format) for each in at]
    long = format.replace("%F", "%Y-%m-%d").replace("%T", "%H:%M:%S")
    expected = [datetime.strptime(text, long).replace(tzinfo=UTC) for text in texts]
    assert both(texts, TimeForm(format=format, zone=ZoneInfo("UTC"))) == expected


def test_a_column_of_times_without_colons_has_as_many_digits_everywhere() -> None:
    form = TimeForm(zone=ZoneInfo("UTC"), clock="six")
    six, four = both(["20240308 001530", "20240308 1530"], form)
    assert six == datetime(2024, 3, 8, 0, 15, 30, tzinfo=UTC)
    assert "another number of digits" in str(four)


@pytest.mark.parametrize("format", ["%H:%M", "%Y-%m", "%Y-%m-%d %Q", "%d.%m.%Y %", "", "%I:%M %d.%m.%Y", "%Y-%m-%d %d"])
def test_a_format_that_names_no_whole_moment_is_refused(format: str) -> None:  # noqa: A002
    with pytest.raises(ValueError, match=r"names no whole moment|not known|twice"):
        moment("2024-03-08", TimeForm(format=format))


OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@pytest.mark.campaign
@settings(max_examples=so_many(200, part=70), deadline=None)
@given(
    at=st.lists(st.datetimes(**WITHIN, timezones=st.one_of(st.none(), OFFSETS)), min_size=1, max_size=10),
    separator=st.sampled_from(["T", " "]),
    precision=st.sampled_from(["auto", "minutes", "seconds", "milliseconds", "microseconds"]),
)
def test_iso_times_are_what_python_reads(at: list[datetime], separator: str, precision: str) -> None:
    texts = [each.isoformat(separator, precision) for each in at]
    assert both(texts, UTC_ZONE) == [parse_time(text, "UTC") for text in texts]


@pytest.mark.campaign
@settings(max_examples=so_many(200, part=70), deadline=None)
@given(
    at=st.lists(st.integers(10**14, 4 * 10**15), min_size=1, max_size=10),
    unit=st.sampled_from([10**6, 10**3, 1]),
)
def test_epochs_are_what_python_reads(at: list[int], unit: int) -> None:
    expected = [datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us // unit * unit) for us in at]
    assert both([str(us // unit) for us in at], TimeForm(epochs=True)) == expected
    assert counted(pa.array([us // unit for us in at]), TimeForm(epochs=True)).values.to_pylist() == expected


PIECES = st.sampled_from(
    [
        "2024",
        "-",
        "03",
        ".",
        "08",
        " ",
        "T",
        "15",
        ":",
        "30",
        "Z",
        "+01",
        "Mar",
        "8",
        ",",
        "0",
        "PM",
        "1709913600",
        "/",
        "ü",
    ]
)


@pytest.mark.campaign
@settings(max_examples=so_many(400, part=140), deadline=None)
@given(
    texts=st.lists(st.lists(PIECES, max_size=9).map("".join), min_size=1, max_size=8),
    form=st.sampled_from(
        [
            UTC_ZONE,
            NEW_YORK,
            TimeForm(),
            TimeForm(dates=True),
            TimeForm(epochs=True),
            TimeForm(unit="us"),
            TimeForm(day_first=True, epochs=False),
            TimeForm(format="%Y-%m-%d %H:%M"),
        ]
    ),
)
def test_any_text_has_the_same_answer_by_the_column_and_singly(texts: list[str], form: TimeForm) -> None:
    both(texts, form)
