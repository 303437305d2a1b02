"""A symbol's calendar and prices, from files and live rows to bars, reports and retention."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from backbone import Dimension, Frame, IngestPlan, SettingsError
from backbone.quality.exchanges import CalendarUnavailable
from backbone.testing import embedded
from tests.backbone.facade.kit import BARS, bars

DAILY = Dimension.DAILY_BARS
MONDAY = datetime(2024, 3, 4, tzinfo=UTC)

APRIL = """Date,Open,High,Low,Close,Volume
2020-04-17,19.87,20.51,17.31,18.27,113502
2020-04-20,17.73,17.85,-40.32,-37.63,247947
2020-04-21,-14.00,13.86,-16.74,10.01,95000
"""


def april(tmp_path: Path, symbol: str) -> IngestPlan:
    path = tmp_path / "april.csv"
    path.write_text(APRIL)
    return IngestPlan(dimensions=[DAILY], symbols=[symbol], path=str(path))


@pytest.mark.parametrize("symbol", ["CLK0", "CL=F", "/CL"])
async def test_crude_oil_below_zero_is_stored_and_mentioned(symbol: str, tmp_path: Path) -> None:
    async with embedded() as backbone:
        run = await backbone.ingest(april(tmp_path, symbol))
        assert (run.inserted, run.quarantined) == (3, 0)
        assert run.quality is not None
        assert (run.quality.calendar, run.quality.status) == ("nymex", "ok")
        assert [finding.code for finding in run.quality.findings] == ["non_positive_price_allowed"]
        frame = await backbone.fetch(DAILY, symbols=[symbol])
        assert frame.column("close").tolist() == [18.27, -37.63, 10.01]


async def test_a_share_below_zero_is_kept_aside_unless_the_setting_allows_it(tmp_path: Path) -> None:
    async with embedded() as backbone:
        run = await backbone.ingest(april(tmp_path, "ACME"))
        assert (run.inserted, run.quarantined) == (1, 2)
    for overrides in (
        {"quality.nonpositive_prices": "allow"},
        {"instruments.rules": [{"symbols": "acme", "nonpositive": True}]},
    ):
        async with embedded(overrides=overrides) as backbone:
            run = await backbone.ingest(april(tmp_path, "ACME"))
            assert (run.inserted, run.quarantined) == (3, 0)


async def test_live_rows_are_screened_by_what_their_symbol_is() -> None:
    def row(symbol: str, close: float) -> dict[str, object]:
        return {"symbol": symbol, "ts": MONDAY, "open": 1.0, "high": 1.0, "low": min(1.0, close), "close": close}

    frame = Frame.from_records(DAILY, [row("CLK0", -1.0), row("ACME", -1.0), row("ODD", 2.0)])
    async with embedded() as backbone:
        result = await backbone.record(frame)
        assert (result.inserted, result.quarantined) == (1, 2)
        assert set(result.reasons) == {"has a price of zero or less", "opens or closes outside its low and high"}
    async with embedded(overrides={"quality.inconsistent_bars": "allow"}) as backbone:
        assert (await backbone.record(frame)).quarantined == 1


async def test_days_of_a_coin_hold_the_weekend_and_those_of_a_currency_do_not() -> None:
    async with embedded() as backbone:
        for symbol in ("BTCUSD", "GBPUSD"):
            await backbone.record(bars(7 * 24, start=MONDAY, symbol=symbol))
        coin = await backbone.fetch(BARS, symbols=["BTCUSD"], interval="1d")
        assert [day.date() for day in coin.column("ts").tolist()] == [date(2024, 3, day) for day in range(4, 11)]
        currency = await backbone.fetch(BARS, symbols=["GBPUSD"], interval="1d")
        assert [day.day for day in currency.column("ts").tolist()] == [4, 5, 6, 7, 8, 11]


async def test_days_of_a_symbol_that_nothing_is_known_of_are_refused_with_how_to_name_its_calendar() -> None:
    async with embedded() as backbone:
        await backbone.record(bars(48, start=MONDAY, symbol="ACME"))
        assert (await backbone.fetch(BARS, symbols=["ACME"], interval="4h")).num_rows == 12
        with pytest.raises(ValueError, match=r"no calendar is known of it; name one: quality\.session=us_equities"):
            await backbone.fetch(BARS, symbols=["ACME"], interval="1d")
    sessions = {"desk": {"zone": "UTC", "open": "08:00", "close": "16:00"}}
    rules = [{"symbols": "AC*", "calendar": "desk"}]
    async with embedded(overrides={"instruments.sessions": sessions, "instruments.rules": rules}) as backbone:
        for hour in range(48):
            await backbone.record(bars(1, start=MONDAY + timedelta(hours=hour), symbol="ACME", close=float(1 + hour)))
        daily = await backbone.fetch(BARS, symbols=["ACME"], interval="1d")
        assert daily.column("open").tolist() == [9.0, 33.0]
        assert daily.column("close").tolist() == [16.0, 40.0]


async def test_retention_does_not_judge_gaps_where_no_calendar_is_known() -> None:
    async with embedded() as backbone:
        for days in (0, 29):
            await backbone.record(bars(1, start=MONDAY + timedelta(days=days), symbol="ACME"))
        (finding,) = (await backbone.retention(as_of=MONDAY + timedelta(days=29, hours=1))).findings
        assert (finding.covered_sessions, finding.expected_sessions) == (2, 2)
        assert 28 < finding.covered_days <= 29
        assert finding.message.endswith("gaps are not judged, for no calendar is known")


async def test_an_exchange_without_its_package_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backbone.settings.starting.find_spec", lambda _name: None)
    with pytest.raises(SettingsError, match="names XLON, which needs exchange_calendars: pip install"):
        async with embedded(overrides={"quality.session": "XLON"}):
            pass


async def test_stored_bars_of_all_are_given_though_the_exchange_of_one_can_t_be_had(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(name: str, *_others: object) -> bytes:
        raise CalendarUnavailable(f"the calendar {name} could not be computed: disk full")

    monkeypatch.setattr("backbone.settings.starting.find_spec", lambda _name: "there")
    monkeypatch.setattr("importlib.metadata.version", lambda _name: "4.13.2")
    monkeypatch.setattr("backbone.quality.exchanges._compute", fail)
    overrides = {"quality.sessions": "VOD=XLON", "instruments.calendar_folder": str(tmp_path)}
    async with embedded(overrides=overrides) as backbone:
        for symbol in ("EURUSD", "VOD"):
            await backbone.record(bars(24, start=MONDAY, symbol=symbol))
        assert (await backbone.fetch(BARS, interval="1h")).num_rows == 48
        assert (await backbone.fetch(BARS, symbols=["VOD"], interval="1h")).num_rows == 24
        with pytest.raises(CalendarUnavailable, match="disk full"):
            await backbone.fetch(BARS, symbols=["VOD"], interval="1d")
        later = MONDAY + timedelta(hours=24)
        await backbone.record(bars(12, start=later, interval="5m", symbol="VOD"))
        assert (await backbone.fetch(BARS, symbols=["VOD"], interval="1h")).num_rows == 24
    said = "1h bars do without the 5m bars that reach further, for the calendar XLON could not be computed: disk full"
    assert [record.getMessage() for record in caplog.records if "do without" in record.getMessage()] == [
        f"'VOD': {said}"
    ]


async def test_days_of_a_share_are_given_though_its_hours_can_t_be_made_days_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with embedded() as backbone:
        await backbone.record(bars(5, start=MONDAY, interval="1d", symbol="AAPL"))
        await backbone.record(bars(72, start=MONDAY + timedelta(days=4), symbol="AAPL"))
        for symbols in (["AAPL"], []):
            days = await backbone.fetch(BARS, symbols=symbols, interval="1d")
            assert [day.day for day in days.column("ts").tolist()] == [4, 5, 6, 7, 8]
            weeks = await backbone.fetch(BARS, symbols=symbols, interval="1wk")
            assert [week.day for week in weeks.column("ts").tolist()] == [4]
    (said,) = [record.getMessage() for record in caplog.records if "do without" in record.getMessage()]
    assert said.startswith("'AAPL': 1d bars do without the 1h bars that reach further, for no calendar is known of it;")


async def test_days_of_a_share_whose_hours_reach_no_further_need_no_word(caplog: pytest.LogCaptureFixture) -> None:
    async with embedded() as backbone:
        for days in (0, 7):
            start = MONDAY + timedelta(days=days)
            await backbone.record(bars(5, start=start, interval="1d", symbol="AAPL"))
            await backbone.record(bars(5 * 24, start=start, symbol="AAPL"))
        assert (await backbone.fetch(BARS, symbols=["AAPL"], interval="1d")).num_rows == 10
        assert (await backbone.fetch(BARS, symbols=["AAPL"], interval="1h")).num_rows == 240
    assert not [record for record in caplog.records if "do without" in record.getMessage()]


async def test_a_session_that_ends_on_the_next_day_in_utc_is_whole_where_the_window_ends_with_its_date() -> None:
    sessions = {"honolulu": {"zone": "Pacific/Honolulu", "open": "08:00", "close": "20:00"}}  # 18:00 to 06:00 in UTC
    async with embedded(overrides={"instruments.sessions": sessions, "quality.session": "honolulu"}) as backbone:
        for hour in range(12):
            await backbone.record(bars(1, start=MONDAY + timedelta(hours=18 + hour), close=float(1 + hour)))
        day = await backbone.fetch(BARS, symbols=["EURUSD"], interval="1d", end=MONDAY)
        assert (day.column("open").tolist(), day.column("close").tolist()) == ([1.0], [12.0])
        assert not day.partial


async def test_a_bar_of_the_last_day_that_there_is_stands_in_nobody_s_way() -> None:
    forever = datetime(9999, 12, 31, tzinfo=UTC)  # what some write for: without an end
    day = {"symbol": "EURUSD", "ts": MONDAY, "open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0}
    async with embedded() as backbone:
        await backbone.record([day, day | {"ts": forever}], DAILY)
        weeks = await backbone.fetch(DAILY, symbols=["EURUSD"], interval="1wk")
        assert [week.date() for week in weeks.column("ts").tolist()] == [date(2024, 3, 4), date(9999, 12, 27)]
