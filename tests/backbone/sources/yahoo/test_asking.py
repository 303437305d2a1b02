"""How Yahoo is asked: in the pieces that it gives, and with a crumb where it wants one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backbone.settings import Settings
from backbone.settings.sections.providers import ProvidersSettings, YahooSettings
from backbone.sources.errors import SourceUnavailable
from backbone.sources.yahoo.asking import EPOCH, kept_since, windows
from backbone.sources.yahoo.source import YahooSource
from tests.backbone.sources.server import JSON, Provider, Reply, as_json
from tests.backbone.sources.shapes import FIRST, START, chart, path, refused

NOW = datetime(2024, 3, 31, tzinfo=UTC)
DAY = timedelta(days=1)
CRUMB = "/v1/test/getcrumb"


def asked(provider: Provider) -> int:
    yahoo = YahooSettings(base_url=provider.url, cookie_url=f"{provider.url}/", rate=1000.0)
    settings = Settings(providers=ProvidersSettings(attempts=2, pause=0.001, yahoo=yahoo))
    source = YahooSource(
        "intraday", symbols=["ACME", "ZINC"], interval="1h", start=START, end=START + DAY, settings=settings
    )
    return sum(chunk.frame.num_rows for chunk in source.chunks())


def text(words: str) -> Reply:
    return Reply(words.encode(), 200, {"Content-Type": "text/plain"})


def test_who_is_refused_gets_a_cookie_and_a_crumb_once_for_all_symbols(provider: Provider) -> None:
    denied = as_json({"finance": {"error": {"code": "Unauthorized"}}}, 401)
    provider.answer(path("ACME"), denied, denied, as_json(chart("ACME")))
    provider.answer(path("ZINC"), as_json(chart("ZINC")))
    provider.answer("/", Reply(b"", 404, {**JSON, "Set-Cookie": "A3=cookie; Path=/"}))
    provider.answer(CRUMB, text("cRu.mB/1"))
    assert asked(provider) == 6
    assert [each.query.get("crumb") for each in provider.seen if each.path.startswith("/v8")] == [
        None,
        None,
        "cRu.mB/1",
        "cRu.mB/1",
    ]
    assert [each.headers.get("cookie") for each in provider.asked(CRUMB)] == ["A3=cookie"]


@pytest.mark.parametrize("words", ["Too Many Requests", "<html>", "", "x" * 33, "a\nb"])
def test_words_that_stand_in_place_of_a_crumb_are_none(provider: Provider, words: str) -> None:
    for symbol in ("ACME", "ZINC"):
        provider.answer(path(symbol), as_json({}, 401))
    provider.answer("/", as_json({}))
    provider.answer(CRUMB, text(words))
    with pytest.raises(SourceUnavailable, match="gives no crumb, without which it does not answer"):
        asked(provider)
    assert not [each for each in provider.seen if "crumb" in each.query]


def test_who_is_refused_with_a_crumb_is_refused(provider: Provider) -> None:
    for symbol in ("ACME", "ZINC"):
        provider.answer(path(symbol), as_json({}, 401))
    provider.answer("/", as_json({}))
    provider.answer(CRUMB, text("crumb"))
    with pytest.raises(SourceUnavailable, match=r"yahoo ACME, ZINC: .* refuses to answer: 401 Unauthorized"):
        asked(provider)
    assert len(provider.asked(CRUMB)) == 2


def test_a_crumb_whose_cookie_is_gone_costs_the_other_symbols_nothing(provider: Provider) -> None:
    denied, cookie = as_json({}, 401), {**JSON, "Set-Cookie": "A3=cookie; Path=/"}
    provider.answer(path("ACME"), denied, denied, as_json(chart("ACME")))
    provider.answer(path("ZINC"), as_json({}, 429), denied, as_json(chart("ZINC")))
    provider.answer("/", Reply(b"", 404, cookie))
    provider.answer(CRUMB, text("first"), text("second"))
    assert asked(provider) == 6
    assert [each.query.get("crumb") for each in provider.asked(path("ZINC"))] == ["first", "first", "second"]


def test_a_window_in_which_nothing_was_traded_costs_those_behind_it_nothing(provider: Provider) -> None:
    words = "Data doesn't exist for startDate = 1709562600, endDate = 1709649000"
    bars = [as_json(chart(first=FIRST + 14 * 86_400, step=60))]
    provider.answer(path(), as_json(chart(step=60)), as_json(refused("Bad Request", words), 400), *bars)
    yahoo = YahooSettings(base_url=provider.url, cookie_url=None, rate=1000.0)
    settings = Settings(providers=ProvidersSettings(yahoo=yahoo))
    end = START + 20 * DAY
    source = YahooSource("intraday", symbols=["ACME"], interval="1m", start=START, end=end, settings=settings)
    assert sum(chunk.frame.num_rows for chunk in source.chunks()) == 6
    assert source.account.notes == ["ACME: Yahoo has no 1m bars from 2024-03-11 14:30 to 2024-03-18 14:30 UTC"]


def test_minutes_are_asked_for_a_week_at_a_time_and_all_else_at_once() -> None:
    pieces = list(windows("1m", NOW - 20 * DAY, NOW))
    assert [until - first for first, until in pieces] == [7 * DAY, 7 * DAY, 6 * DAY + timedelta(seconds=1)]
    assert [first for first, _ in pieces[1:]] == [until for _, until in pieces[:-1]]
    assert len(list(windows("1h", NOW - 700 * DAY, NOW))) == 1
    assert len(list(windows("1d", datetime(1, 1, 1, tzinfo=UTC), NOW))) == 1
    assert list(windows("1d", NOW, NOW - DAY)) == []


@pytest.mark.parametrize(("interval", "days"), [("1m", 30), ("5m", 60), ("90m", 60), ("1h", 730)])
def test_the_finer_the_bars_the_shorter_they_are_kept(interval: str, days: int) -> None:
    assert timedelta(0) < kept_since(interval, NOW) - (NOW - days * DAY) < DAY
    assert kept_since("1d", NOW) == kept_since("1mo", NOW) == EPOCH
