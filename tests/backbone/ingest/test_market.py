"""What the settings want fetched: the plans, why nothing is, and a report that holds no key."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backbone.domain.dimension import Dimension
from backbone.ingest.given_events import frame_of_events, given_events
from backbone.ingest.market import NOTHING_KEEPS, Planned, planned, reason_against
from backbone.ingest.wanted import market_report
from backbone.quality.sessions import calendar
from backbone.settings import Settings, load_settings
from backbone.sources.errors import InputInvalid

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)  # a Monday
DAILY, INTRADAY, MACRO = Dimension.DAILY_BARS, Dimension.INTRADAY_BARS, Dimension.MACRO_EVENTS
EVENT = {"ts": "2026-03-02T13:30:00Z", "calendar": "US", "event": "CPI"}


def settings(**env: str) -> Settings:
    return load_settings(profile="embedded", env=env)


REASONS = {
    "nothing is wanted": (
        {},
        "market.symbols is empty and market.macro is false, so that nothing is planned; set BACKBONE_MARKET_SYMBOLS",
    ),
    "all is off": (
        {"TIMESCALE_SYMBOLS": "EURUSD", "BACKBONE_MARKET_DAILY": "false"},
        "market.daily, market.intraday and market.macro are false, so that nothing is planned; set one of them",
    ),
    "nobody has it": (
        {"TIMESCALE_SYMBOLS": "EURUSD", "BACKBONE_MARKET_SOURCE": "nobody"},
        "market.source is nobody, which is no source; there are csv, fred, multi, parquet, yahoo",
    ),
    "nobody has events": (
        {"TIMESCALE_ENABLE_MACRO": "true", "BACKBONE_MARKET_MACRO_SOURCE": "nobody"},
        "market.macro_source is nobody, which is no source; there are csv, fred, multi, parquet, yahoo",
    ),
    "half a window": (
        {"TIMESCALE_ENABLE_MACRO": "true", "TIMESCALE_MACRO_START": "2026-01-01"},
        "market.macro_end is not set, the other end of the window is; set both, or leave both out",
    ),
    "a window the wrong way round": (
        {
            "TIMESCALE_ENABLE_MACRO": "1",
            "TIMESCALE_MACRO_START": "2026-02-01",
            "TIMESCALE_MACRO_END": "2026-01-01",
        },
        "market.macro_start=2026-02-01 is after macro_end; exchange them",
    ),
    "live without saying so": (
        {"TIMESCALE_SYMBOLS": "EURUSD", "RUN_MODE": "live", "DATA_BACKBONE_REQUIRE_TIMESCALE": "0"}
        | {"DATA_BACKBONE_REQUIRE_REDIS": "0", "DATA_BACKBONE_REQUIRE_KAFKA": "0"},
        "run_mode is live, but confirm_live is false; set BACKBONE_CONFIRM_LIVE=true where real money is meant",
    ),
    "all is well": ({"TIMESCALE_SYMBOLS": "EURUSD"}, ""),
    "events alone": ({"TIMESCALE_ENABLE_MACRO": "yes", "TIMESCALE_MACRO_EVENTS": json.dumps([EVENT])}, ""),
}


@pytest.mark.parametrize("case", REASONS)
def test_the_reason_why_nothing_is_fetched(case: str) -> None:
    env, reason = REASONS[case]
    found = market_report(settings(**env))
    assert reason_against(settings(**env)) == reason
    assert (found.should_run, found.reason) == (not reason, reason or NOTHING_KEEPS)


def test_the_usual_names_make_the_plans() -> None:
    wanted = settings(
        TIMESCALE_SYMBOLS="eurusd, AAPL,EURUSD",
        TIMESCALE_LOOKBACK_DAYS="30",
        TIMESCALE_ENABLE_INTRADAY="on",
        TIMESCALE_INTRADAY_LOOKBACK_DAYS="3",
        TIMESCALE_INTRADAY_INTERVAL="5m",
        TIMESCALE_ENABLE_MACRO="1",
        TIMESCALE_MACRO_CALENDARS="US,EU",
    ).market
    daily, intraday, macro = planned(wanted, NOW, [calendar("24x7")])
    assert (daily.dimension, intraday.dimension, macro.dimension) == (DAILY, INTRADAY, MACRO)
    assert daily.plan.symbols == intraday.plan.symbols == ("EURUSD", "AAPL")
    assert (daily.lookback, intraday.lookback, intraday.plan.interval, macro.lookback) == (30, 3, "5m", 7)
    assert macro.plan.symbols == ("US", "EU")
    assert macro.plan.start == datetime(2026, 2, 23, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("market", "sessions", "begins"),
    [
        ("24x7", 2, "2026-02-28T15:00"),
        ("us_equities", 1, "2026-03-01T15:00"),
        ("us_equities", 2, "2026-02-27T00:00"),
        ("us_equities", 60, "2025-12-03T00:00"),
        ("fx", 2, "2026-02-26T22:00"),
    ],
)
def test_a_window_reaches_so_many_sessions_back(market: str, sessions: int, begins: str) -> None:
    wanted = settings(TIMESCALE_SYMBOLS="X", TIMESCALE_LOOKBACK_DAYS=str(sessions)).market
    [daily] = planned(wanted, NOW, [calendar(market)])
    assert daily.plan.start == datetime.fromisoformat(f"{begins}+00:00")


def test_of_several_markets_the_one_that_trades_least_says_how_far() -> None:
    wanted = settings(TIMESCALE_SYMBOLS="X,Y", TIMESCALE_LOOKBACK_DAYS="2").market
    [daily] = planned(wanted, NOW, [calendar("24x7"), calendar("us_equities")])
    assert daily.plan.start == datetime(2026, 2, 27, tzinfo=UTC)


def test_events_that_are_given_come_before_a_file_and_that_before_a_window() -> None:
    window = {"TIMESCALE_MACRO_START": "2026-01-01", "TIMESCALE_MACRO_END": "2026-01-31T12:00:00Z"}
    file = {**window, "TIMESCALE_MACRO_EVENTS_FILE": "events.json"}
    inline = {**file, "TIMESCALE_MACRO_EVENTS": json.dumps([EVENT])}
    found = [
        planned(settings(TIMESCALE_ENABLE_MACRO="1", **each).market, NOW, [])[0] for each in (window, file, inline)
    ]
    assert [each.plan.source for each in found] == ["fred", "file", "inline"]
    assert (found[0].plan.start, found[0].plan.end) == (
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 31, 12, tzinfo=UTC),
    )
    assert (found[1].file, found[2].metadata["provided_events"]) == ("events.json", 1)


def test_a_report_is_json_and_holds_no_key() -> None:
    secret = "k3y-of-fred-0123456789"  # noqa: S105  made up
    given = settings(
        TIMESCALE_SYMBOLS="AAPL,EURUSD", FRED_API_KEY=secret, ALPHA_VANTAGE_API_KEY=secret, NEWS_API_KEY=secret
    )
    report = market_report(given, {DAILY: ("EURUSD",)})
    text = report.to_json().decode() + report.to_markdown()
    assert secret not in text
    facts = json.loads(report.to_json())["metadata"]
    assert facts["api_keys"]["fred"] == {"configured": True, "source": "env FRED_API_KEY (alias)"}
    assert facts["api_keys"]["news"] == facts["api_keys"]["alpha_vantage"] == {"configured": False, "source": None}
    assert facts["session_calendars"] == {"AAPL": "none", "EURUSD": "fx"}
    assert facts["symbol_inventory"] == {"daily_bars": ["EURUSD"]}
    assert facts["redis_cache_policy"]["max_keys"] == 1024
    assert (facts["kafka_streaming_enabled"], facts["kafka_topics"]) == (False, {})


def test_a_report_names_all_that_belongs_to_the_plan_and_all_that_is_known_of_it() -> None:
    wanted = settings(TIMESCALE_SYMBOLS="AAPL", BACKBONE_EXPORT_FORMAT="csv", BACKBONE_EXPORT_STRESS_CYCLES="5")
    facts = json.loads(market_report(wanted).to_json())
    assert {"should_run", "reason", "plan", "schedule", "recovery", "kafka_readiness", "settings_hash"} <= facts.keys()
    assert facts["plan"] == {"daily_bars": {"source": "yahoo", "symbols": ["AAPL"], "lookback_sessions": 60}}
    assert (facts["spark_export"]["format"], facts["spark_stress"]["cycles"]) == ("csv", 5)
    assert facts["retention"] == facts["metadata"]["retention"]
    assert list(facts["retention"]) == ["daily_bars"]
    assert facts["metadata"].keys() == {
        *("symbols", "api_keys", "session_calendars", "macro_calendars", "symbol_inventory", "redis_cache_policy"),
        *("kafka_topics", "kafka_streaming_enabled", "record_runs", "retention", "backup"),
    }


def test_topics_are_those_of_the_stream_and_streaming_is_what_is_consumed() -> None:
    kafka = {"KAFKA_BROKERS": "localhost:9092", "BACKBONE_STREAM_BACKEND": "kafka", "TIMESCALE_SYMBOLS": "AAPL"}
    for consume, enabled in (("true", True), ("false", False)):
        given = load_settings(profile="embedded", env={**kafka, "KAFKA_INGEST_ENABLE_STREAMING": consume})
        facts = market_report(given).metadata
        assert facts["kafka_streaming_enabled"] is enabled
        assert facts["kafka_topics"]["daily_bars"] == "backbone.daily_bars"


def test_parts_that_are_not_built_yet_are_off() -> None:
    report = market_report(settings(TIMESCALE_SYMBOLS="AAPL"))
    parts = ("backup", "failover_drill", "cross_region")
    assert {getattr(report, part) for part in parts} == {"off: not built yet"}


def test_events_of_a_file_that_is_none_are_refused_with_what_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "events.json"
    path.write_text('[{"calendar": "US", "event": "CPI"}]')
    wanted = settings(TIMESCALE_ENABLE_MACRO="1", TIMESCALE_MACRO_EVENTS_FILE=str(path)).market
    [macro] = planned(wanted, NOW, [])
    with pytest.raises(InputInvalid, match="has no time, or two; give it as ts"):
        given_events(macro)


def test_events_are_chosen_by_calendar_and_the_newest_so_many() -> None:
    events = [
        {**EVENT, "ts": f"2026-03-0{day}T13:30:00Z", "calendar": name} for day in (3, 1, 2) for name in ("US", "EU")
    ]
    wanted = settings(TIMESCALE_ENABLE_MACRO="1", TIMESCALE_MACRO_EVENTS=json.dumps(events)).market
    [macro] = planned(wanted, NOW, [])
    frame = frame_of_events(given_events(macro), ["us"], 2)
    assert [each.day for each in frame.to_arrow().column("ts").to_pylist()] == [2, 3]
    assert frame.symbols == ("US",)
    assert frame_of_events([], [], None).num_rows == 0


def test_an_event_whose_time_has_no_zone_is_refused() -> None:
    wanted = settings(
        TIMESCALE_ENABLE_MACRO="1", TIMESCALE_MACRO_EVENTS=json.dumps([{**EVENT, "ts": "2026-03-02T13:30:00"}])
    ).market
    [macro] = planned(wanted, NOW, [])
    assert isinstance(macro, Planned)
    with pytest.raises(InputInvalid, match=r"event 'CPI': .* has no time zone"):
        frame_of_events(given_events(macro), [], None)
