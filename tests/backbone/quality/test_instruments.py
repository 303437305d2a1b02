"""Which symbol has which calendar and which prices, by settings and by its name."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from backbone.domain import Frame
from backbone.quality.calendars import NoCalendar
from backbone.quality.instruments import Instruments
from backbone.quality.report import assess
from backbone.quality.resample import resample
from backbone.quality.screening import screen
from backbone.settings import SettingsError, load_settings

T0 = datetime(2024, 3, 4, 15, tzinfo=UTC)


def registry(*rules: dict[str, Any], **others: Any) -> Instruments:
    overrides = {"instruments.rules": list(rules), **{path.replace("__", "."): value for path, value in others.items()}}
    return Instruments(load_settings(profile="embedded", overrides=overrides))


def bars(symbol: str, *changes: dict[str, Any], step: timedelta = timedelta(hours=1), start: datetime = T0) -> Frame:
    base = {"symbol": symbol, "interval": "1h", "open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0, "volume": 1.0}
    return Frame.from_records("intraday", [base | {"ts": start + n * step} | one for n, one in enumerate(changes)])


def stamps(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[us]")


@pytest.mark.parametrize(
    ("symbol", "calendar", "kind", "nonpositive"),
    [
        ("EURUSD", "fx", "fx", False),
        ("BTC/USDT:USDT", "24x7", "crypto", False),
        ("CLK0", "nymex", "future", True),
        ("^VIX", "none", "index", False),
        ("ACME", "none", "unknown", False),
        ("", "none", "unknown", False),
    ],
)
def test_without_settings_a_symbol_is_what_it_shows(symbol: str, calendar: str, kind: str, nonpositive: bool) -> None:
    found = registry().of(symbol)
    assert (found.calendar, found.kind, found.nonpositive, found.tick) == (calendar, kind, nonpositive, None)


def test_the_first_rule_that_says_something_counts_and_leaves_the_rest_to_the_next() -> None:
    known = registry(
        {"symbols": "ES*", "tick": 0.25},
        {"symbols": "es?24", "calendar": "CME", "kind": "future", "tick": 1.0},
        {"symbols": "*", "calendar": "us_equities", "nonpositive": False},
    )
    future, other = known.of("ESH24"), known.of("ESTC")
    assert (future.calendar, future.kind, future.nonpositive, future.tick) == ("cme", "future", False, 0.25)
    assert (other.calendar, other.kind, other.tick) == ("us_equities", "unknown", 0.25)


def test_a_kind_given_by_a_rule_has_the_calendar_of_its_kind_and_not_that_of_the_name() -> None:
    known = registry({"symbols": "EURUSD", "kind": "index"}, {"symbols": "COIN*", "kind": "crypto"})
    assert known.of("EURUSD").calendar == "none"
    assert known.of("COIN7").calendar == "24x7"
    assert registry({"symbols": "EURUSD", "calendar": "none"}).of("EURUSD").calendar == "none"


def test_quality_session_overrides_rules_and_quality_sessions_overrides_all() -> None:
    rule = {"symbols": "*", "calendar": "cme"}
    known = registry(rule, quality__session="Us-Equities", quality__sessions={"aapl": "24X7"})
    assert (known.of("EURUSD").calendar, known.of("AAPL").calendar) == ("us_equities", "24x7")


@pytest.mark.parametrize(
    "pattern", ["[", "[!]", "[z-a]", "*" * 256, "a*" * 128, "(", "\\", "[[]*", "?" * 256, "{1,2}", "$^"]
)
def test_hostile_patterns_match_or_not_at_once(pattern: str) -> None:
    known = registry({"symbols": pattern, "tick": 1.0})
    for symbol in ("A" * 10_000, "a" * 300 + "b", "[", "(", "", "$^"):
        assert known.of(symbol).tick in {None, 1.0}


def test_brackets_are_sets_and_symbols_with_signs_are_matched_as_they_are() -> None:
    known = registry(
        {"symbols": "BTC/USDT:*", "tick": 0.5}, {"symbols": "[[]X]", "tick": 2.0}, {"symbols": "A.B", "tick": 3.0}
    )
    assert [known.of(name).tick for name in ("BTC/USDT:USDT", "[X]", "A.B", "AXB")] == [0.5, 2.0, 3.0, None]


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        ({"instruments.rules": [{"symbols": ""}]}, "length"),
        ({"instruments.rules": [{"symbols": "A", "calender": "fx"}]}, "unknown field `calender`"),
        ({"instruments.rules": [{"symbols": "A", "calendar": "fex"}]}, "did you mean 'fx'"),
        ({"instruments.rules": [{"symbols": "A", "tick": 0}]}, "tick"),
        ({"instruments.rules": [{"symbols": "A", "kind": "stock"}]}, "kind"),
        ({"instruments.rules": "ES*=cme"}, "a JSON array of objects"),
        ({"instruments.rules": [{"symbols": "A\0"}]}, "NUL"),
        ({"instruments.rules": [{"symbols": "AAPL, MSFT"}]}, "'AAPL, MSFT' is one pattern; give each its own rule"),
        ({"instruments.rules": [{"symbols": "AAPL "}]}, "without commas and outer blanks"),
        ({"quality.sessions": {"A": "fx", "a": "24x7"}}, "A=fx and a=24x7, which are one symbol in any case"),
        ({"quality.session": "forex"}, "no calendar is called 'forex'; there are fx"),
        ({"quality.sessions": {"A": "nyse"}}, "A: no calendar is called 'nyse'"),
    ],
)
def test_rules_that_can_t_be_are_refused_with_what_is_allowed(overrides: dict[str, Any], text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        load_settings(profile="embedded", overrides=overrides)


def test_prices_of_zero_and_less_are_kept_aside_unless_the_kind_the_rule_or_the_setting_allows_them() -> None:
    changes: list[dict[str, Any]] = [{}, {"low": -1.0}, {"low": 0.0}]
    frame = Frame.concat([bars("ACME", *changes), bars("CLK0", *changes), bars("POWER", *changes)])
    good, bad = screen(frame, registry({"symbols": "POWER", "nonpositive": True}).screening)
    assert [row.location.split()[0] for row in bad] == ["ACME", "ACME"]
    assert good.num_rows == 7
    never = registry({"symbols": "CL*", "nonpositive": False})
    assert len(screen(frame, never.screening)[1]) == 6
    assert screen(frame, registry(quality__nonpositive_prices="allow").screening)[1] == ()


def test_prices_that_a_symbol_may_have_are_mentioned_and_cost_nothing() -> None:
    known = registry()
    report = assess(bars("CLK0", {}, {"low": -40.0}, {}), calendar="24x7", rules=known.screening)
    assert [(finding.code, finding.severity, finding.count) for finding in report.findings] == [
        ("non_positive_price_allowed", "info", 1)
    ]
    assert report.score == 1.0


def test_a_bar_that_opens_or_closes_outside_its_range_is_kept_aside_or_allowed() -> None:
    frame = bars("ACME", {}, {"high": 10.5}, {"low": 10.5}, {"close": 12.0 + 1e-12})
    assert [row.reason for row in screen(frame, registry().screening)[1]] == [
        "opens or closes outside its low and high"
    ] * 2
    known = registry(quality__inconsistent_bars="allow")
    assert screen(frame, known.screening)[1] == ()
    report = assess(frame, calendar="24x7", rules=known.screening)
    assert [(finding.code, finding.severity, finding.count) for finding in report.findings] == [
        ("inconsistent_bar", "warning", 2)
    ]


def test_an_adjusted_close_below_zero_is_odd_and_costs_no_price() -> None:
    row = {"symbol": "OLD", "ts": datetime(2000, 1, 3, tzinfo=UTC), "open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0}
    frame = Frame.from_records("daily", [row | {"adj_close": -0.5}])
    assert screen(frame)[1] == ()
    assert [finding.code for finding in assess(frame, calendar="24x7").findings] == ["adj_close"]


def test_prices_off_the_tick_are_found_whatever_binary_makes_of_decimals() -> None:
    known = registry({"symbols": "T*", "tick": 0.01}, {"symbols": "CLK0", "tick": 0.01})
    prices = [{"open": p, "high": p, "low": p, "close": p} for p in (0.07, 1.1, 4087.13, 99_999.99, 1.005, -37.63)]
    frame = Frame.concat([bars("TICKED", *prices[:5]), bars("CLK0", *prices[5:]), bars("ACME", *prices[4:5])])
    report = assess(frame, calendar="24x7", rules=known.screening, tick_of=known.tick_of)
    assert [(finding.count, finding.examples) for finding in report.findings if finding.code == "off_tick"] == [
        (1, ("TICKED 1h 2024-03-04T19:00:00Z",))
    ]


def test_each_symbol_is_judged_by_its_own_calendar_and_one_without_by_none() -> None:
    saturday = datetime(2024, 3, 9, 12, tzinfo=UTC)
    frames = [bars(name, {}, {}, {}, start=saturday) for name in ("EURUSD", "BTCUSD", "ACME")]
    report = assess(Frame.concat(frames), calendar=registry().judging_calendar_of)
    found = {finding.code: finding for finding in report.findings}
    assert report.calendar == "24x7, fx, none"
    assert report.expected_rows == 3
    assert found["outside_sessions"].count == 3
    assert "of the fx calendar; quality.session names another" in found["outside_sessions"].message
    assert found["no_calendar"].count == 3
    assert "ACME" in found["no_calendar"].message
    assert "quality.session" in found["no_calendar"].message
    assert "instruments.rules" in found["no_calendar"].message
    assert report.status == "ok"


def test_an_unknown_symbol_has_bars_of_hours_by_the_clock_and_none_of_days_or_weeks_by_guess() -> None:
    known = registry()
    quarter = bars("ACME", {}, {}, {}, {}, {}, step=timedelta(minutes=15))
    assert resample(quarter, "15m", "1h", known.calendar_of).column("ts").tolist() == [
        moment.replace(tzinfo=None) for moment in (T0, T0 + timedelta(hours=1))
    ]
    with pytest.raises(NoCalendar, match=r"1d bars of ACME asked.*no calendar is known of it.*quality\.session"):
        resample(quarter, "15m", "1d", known.calendar_of)
    row = {"symbol": "ACME", "open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0}
    week = Frame.from_records("daily", [row | {"ts": datetime(2024, 3, day, tzinfo=UTC)} for day in (4, 5, 8)])
    assert resample(week, "1d", "1wk", known.calendar_of).num_rows == 1
    sunday = Frame.from_records("daily", [row | {"ts": datetime(2024, 3, day, tzinfo=UTC)} for day in (8, 10)])
    with pytest.raises(NoCalendar, match="Saturday or Sunday"):
        resample(sunday, "1d", "1wk", known.calendar_of)
    assert resample(sunday, "1d", "1wk", registry(quality__session="24x7").calendar_of).num_rows == 1


NIGHT = {"zone": "Europe/Berlin", "open": "22:00", "close": "05:00", "days": "tue-sat", "breaks": ["23:30-00:30"]}
TOKYO: dict[str, Any] = {
    "zone": "Asia/Tokyo",
    "open": "09:00",
    "close": "15:00",
    "breaks": ["11:30-12:30"],
    "holidays": ["2024-03-20"],
}
TOKYO |= {"early": {"2024-12-30": "11:30"}}


def test_a_session_of_one_s_own_over_midnight_bears_the_date_on_which_it_ends() -> None:
    market = registry(instruments__sessions={"night": NIGHT}, quality__session="night").calendar_of("ANY")
    found = market.session_of(
        stamps(
            "2024-03-25T21:00",  # Monday 22:00 CET: Tuesday's
            "2024-03-25T22:29",
            "2024-03-25T22:30",  # the break
            "2024-03-25T23:29",
            "2024-03-25T23:30",
            "2024-03-26T03:59",
            "2024-03-26T04:00",
            "2024-03-30T23:30",  # Sunday 00:30, no session on Sundays
        )
    )
    tuesday, shut = np.datetime64("2024-03-26"), np.datetime64("NaT")
    np.testing.assert_array_equal(
        found, np.array([tuesday, tuesday, shut, shut, tuesday, tuesday, shut, shut], "M8[D]")
    )
    assert market.open_time(datetime(2024, 3, 25, 12, tzinfo=UTC), datetime(2024, 3, 26, 12, tzinfo=UTC)) == timedelta(
        hours=6
    )


@pytest.mark.parametrize(
    ("day", "opens", "hours"),
    [
        ("2024-03-30", "2024-03-29T21:00", 7),
        ("2024-03-31", "2024-03-30T21:00", 6),
        ("2024-10-27", "2024-10-26T20:00", 8),
    ],
)
def test_a_night_session_in_which_the_clocks_change_is_an_hour_shorter_or_longer(
    day: str, opens: str, hours: int
) -> None:
    night = {"zone": "Europe/Berlin", "open": "22:00", "close": "05:00", "days": "mon-sun"}
    market = registry(instruments__sessions={"night": night}, quality__session="night").calendar_of("ANY")
    (begin,), (end,) = market.hours(market.sessions(date.fromisoformat(day), date.fromisoformat(day)))
    assert begin == np.datetime64(opens, "us")
    assert end - begin == np.timedelta64(hours, "h")
    assert len(market.expected_stamps("1h", begin, end - np.timedelta64(1, "us"))) == hours


def test_a_break_at_noon_is_expected_to_be_empty_and_wide_bars_reach_over_it() -> None:
    market = registry(instruments__sessions={"tokyo": TOKYO}, quality__session="tokyo").calendar_of("ANY")
    start, end = datetime(2024, 3, 18, tzinfo=UTC), datetime(2024, 3, 18, 12, tzinfo=UTC)
    minutes = market.expected_stamps("1m", start, end)
    assert len(minutes) == 300
    assert not np.isnat(market.session_of(minutes)).any()
    assert [str(stamp)[11:16] for stamp in market.expected_stamps("1h", start, end)] == [
        "00:00", "01:00", "02:00", "03:00", "04:00", "05:00",
    ]  # fmt: skip
    assert [str(stamp)[11:16] for stamp in market.expected_stamps("30m", start, end)][4:7] == [
        "02:00",
        "03:30",
        "04:00",
    ]
    days = market.sessions(date(2024, 3, 18), date(2024, 3, 22))
    assert [day.day for day in days.tolist()] == [18, 19, 21, 22]
    last = market.sessions(date(2024, 12, 30), date(2024, 12, 30))
    assert market.hours(last)[1].tolist() == [datetime(2024, 12, 30, 2, 30)]  # noqa: DTZ001  of numpy, in UTC
    report = assess(bars("ANY", *[{}] * 6, start=start), calendar=market)
    assert (report.coverage_ratio, report.findings) == (1.0, ())


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"zone": "Mars/X"}, "zone 'Mars/X' is not known"),
        ({"open": "9:00"}, "matching regex"),
        ({"open": 540}, "Expected `str`"),
        ({"close": "25:00"}, "matching regex"),
        ({"days": "montag"}, "allowed are mon, tue"),
        ({"days": ","}, "which are none"),
        ({"breaks": ["15:30-16:00"]}, "does not lie within the session"),
        ({"breaks": ["12:30-11:30"]}, "does not lie within the session"),
        ({"breaks": ["11:30-12:30", "12:00-13:00"]}, "overlap"),
        ({"holidays": ["2024-02-30"]}, "is no date"),
        ({"early": {"2024-12-30": "16:00"}}, "before its close"),
    ],
)
def test_sessions_of_one_s_own_that_can_t_be_are_refused(change: dict[str, Any], text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        load_settings(profile="embedded", overrides={"instruments.sessions": {"own": TOKYO | change}})


def test_no_session_of_one_s_own_takes_the_name_of_a_known_calendar() -> None:
    for name in ("fx", "XLON", "none", "Us-Equities"):
        with pytest.raises(SettingsError, match=f"{name} is a calendar already"):
            load_settings(profile="embedded", overrides={"instruments.sessions": {name: TOKYO}})
