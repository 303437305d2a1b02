"""Providers through the whole backbone: what one answers badly costs no other one its rows, and has its reason."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from anyio import create_task_group, current_time, to_thread

from backbone import Backbone, Dimension, IngestPlan
from backbone.domain.errors import BackboneError
from backbone.sources.errors import InputInvalid, SourceUnavailable
from backbone.testing import embedded
from tests.backbone.sources.server import JSON, Provider, Reply, as_json, endless, packed
from tests.backbone.sources.shapes import FIRST, HOUR, START, chart, path, refused

QUICK = {
    "providers.pause": 0.001,
    "providers.attempts": 2,
    "providers.max_bytes": 300_000,
    "providers.yahoo.rate": 1000.0,
    "providers.yahoo.cookie_url": None,
    "store.inline": False,
}
WINDOW = {"start": START, "end": START + timedelta(days=2)}


@asynccontextmanager
async def asking(provider: Provider, **changes: Any) -> AsyncIterator[Backbone]:
    async with embedded(overrides={**QUICK, "providers.yahoo.base_url": provider.url, **changes}) as backbone:
        yield backbone


def plan(*symbols: str, **changes: Any) -> IngestPlan:
    chosen = {"dimensions": ["intraday"], "interval": "1h", "source": "yahoo", **WINDOW, **changes}
    return IngestPlan(symbols=symbols, **chosen)


def text(**changes: Any) -> bytes:
    return json.dumps(chart(**{"meta_symbol": None, **changes})).encode()


PAGE = Reply(b"<html><body>Will be right back...</body></html>", 200, {"Content-Type": "text/html"})
DEEP = text().replace(b'"error": null', b'"error": null, "x": ' + b"[" * 100_000 + b"]" * 100_000)
BAD = {
    "401": (as_json({"finance": {"error": {"code": "Unauthorized"}}}, 401), "refuses to answer: 401 Unauthorized"),
    "403": (as_json({}, 403), "refuses to answer: 403 Forbidden"),
    "404": (as_json(refused("Not Found", "No data found"), 404), ": Not Found: No data found"),
    "422": (as_json(refused("Unprocessable Entity", "1m data not available"), 422), "1m data not available"),
    "429": (as_json({}, 429, **{"Retry-After": "0"}), "answers 429 Too Many Requests, 2 times"),
    "500": (as_json({}, 500), "answers 500 Internal Server Error, 2 times"),
    "page": (PAGE, "is a page for people, no data"),
    "page as json": (PAGE._replace(headers=JSON), "is a page for people, no data"),
    "truncated gzip": (packed(text(), cut=60), "gives no answer: ends in the middle of what was packed"),
    "no gzip": (Reply(text(), 200, {**JSON, "Content-Encoding": "gzip"}), "can't be unpacked"),
    "short": (Reply(text(), size=100_000), "gives no answer: "),
    "endless": (Reply(endless(), size=None), "is larger than 300,000 bytes"),
    "bomb": (packed(b" " * 30_000_000), "is larger than 300,000 bytes"),
    "duplicate keys": (Reply(text().replace(b'"close"', b'"open"')), 'says "open" twice in one object'),
    "deep": (Reply(DEEP), "is nested too deeply"),
    "wrong charset": (Reply(text(meta_currency="\u20ac").decode().encode("utf-16")), "is not in UTF-8"),
    "latin-1": (Reply(text().replace(b"USD", b"\xe9")), "is not in UTF-8"),
    "empty": (Reply(b""), "the answer is empty"),
    "null": (Reply(b"null"), "has another shape"),
    "no result": (as_json({"chart": {"result": [], "error": None}}), "answers 200 without a chart of"),
    "another symbol": (as_json(chart("OTHER")), " and answers with 'OTHER'"),
    "lengths": (Reply(text(close=[1.0])), "3 times and 1 values of close"),
    "redirect": (Reply(b"", 302, {"Location": "https://consent.example/x"}), "sends us to consent.example"),
}  # fmt: skip


NAMES = {case: f"BAD{number}" for number, case in enumerate(BAD)}
UNREACHED = {"401", "403", "429", "500", "truncated gzip", "short", "redirect"}


async def test_what_is_answered_badly_of_some_symbols_costs_no_other_one_its_rows(provider: Provider) -> None:
    for symbol in ("ACME", "ZINC"):
        provider.answer(path(symbol), as_json(chart(symbol)))
    for case, (reply, _) in BAD.items():
        provider.answer(path(NAMES[case]), reply)
    async with asking(provider) as backbone:
        run = await backbone.ingest(plan("ACME", *NAMES.values(), "ZINC"))
        assert (run.inserted, run.quarantined, run.symbols) == (6, len(BAD), ("ACME", "ZINC"))
        reasons = {row.location: row.reason for row in await backbone.quarantined()}
        assert reasons.keys() == {f"yahoo {symbol}" for symbol in NAMES.values()}
        for case, (_, why) in BAD.items():
            assert why in reasons[f"yahoo {NAMES[case]}"], case
        assert (await backbone.fetch("intraday", symbols=["ZINC"])).num_rows == 3


async def test_where_nobody_is_answered_the_run_fails_with_the_reason_and_the_next_one_does_not(
    provider: Provider,
) -> None:
    async with asking(provider) as backbone:
        for case, (reply, why) in BAD.items():
            symbol = NAMES[case]
            provider.answer(path(symbol), reply)
            expected = SourceUnavailable if case in UNREACHED else InputInvalid
            with pytest.raises(expected) as caught:
                await backbone.ingest(plan(symbol))
            assert type(caught.value) is expected, case
            assert why in str(caught.value), case
            provider.answer(path(symbol), as_json(chart(symbol)))
            assert (await backbone.ingest(plan(symbol))).inserted == 3, case
        assert await backbone.quarantined() == []


async def test_a_value_that_no_number_can_hold_costs_its_row_alone(provider: Provider) -> None:
    values = {"A": "NaN", "B": "Infinity", "C": "1e999", "D": "1" * 400}
    for symbol, value in values.items():
        body = text(close=[10.5, 777.5, 12.5]).replace(b"777.5", value.encode())
        provider.answer(path(symbol), Reply(b"\xef\xbb\xbf" + body))
    async with asking(provider) as backbone:
        run = await backbone.ingest(plan(*values))
        assert (run.inserted, run.quarantined) == (8, 4)
        for reason, value in zip(run.reasons, values.values(), strict=True):
            assert reason.startswith(f"close: '{value[:9]}")


async def test_rows_that_cannot_be_true_are_kept_aside_as_those_of_files(provider: Provider) -> None:
    provider.answer(path("ACME"), as_json(chart(volume=[1, -5, 1], high=[11.0, 12.0, 0.5])))
    async with asking(provider) as backbone:
        run = await backbone.ingest(plan("ACME"))
        assert (run.inserted, run.quarantined) == (1, 2)


async def test_rows_outside_the_times_that_were_asked_for_are_left_out(provider: Provider) -> None:
    provider.answer(path("ACME"), as_json(chart(first=FIRST - 2 * HOUR, rows=4)))
    async with asking(provider) as backbone:
        run = await backbone.ingest(plan("ACME"))
        assert (run.inserted, run.filtered) == (2, 2)
    (seen,) = provider.seen
    assert (seen.query["period1"], seen.query["interval"]) == (str(FIRST), "1h")


async def test_a_plan_without_times_goes_on_from_what_is_stored_less_the_lag(provider: Provider) -> None:
    provider.answer(path("ACME"), as_json(chart(step=86_400)))
    daily = {"dimensions": ["daily"], "interval": None, "start": None, "end": None}
    async with asking(provider, **{"providers.yahoo.lag_days": 3, "providers.yahoo.lookback_days": 10}) as backbone:
        await backbone.ingest(plan("ACME", **daily))
        await backbone.ingest(plan("ACME", **daily))
        now = backbone.system.clock.now()
    first, second = (int(each.query["period1"]) for each in provider.seen)
    assert 0 <= now.timestamp() - 10 * 86_400 - first < 60
    assert second == int(datetime(2024, 3, 6, tzinfo=UTC).timestamp()) - 3 * 86_400


async def test_bars_of_another_interval_move_nothing(provider: Provider) -> None:
    unnamed = {"start": None, "end": None}
    async with asking(provider, **{"providers.yahoo.lag_days": 0}) as backbone:
        recent = int(backbone.system.clock.now().timestamp()) // HOUR * HOUR - 40 * HOUR
        for interval, first in (("1h", recent), ("5m", recent - 10 * HOUR)):
            provider.answer(path("ACME"), as_json(chart(first=first, rows=1)))
            await backbone.ingest(plan("ACME", **unnamed, interval=interval))
        await backbone.ingest(plan("ACME", **unnamed, interval="5m"))
    assert provider.seen[-1].query["period1"] == str(recent - 10 * HOUR)


async def test_a_row_of_the_future_moves_nothing_past_what_is_still_to_be_fetched(provider: Provider) -> None:
    provider.answer(path("ACME"), as_json(chart(step=86_400)))
    daily = {"dimensions": ["daily"], "interval": None, "start": None, "end": None}
    async with asking(provider, **{"providers.yahoo.lag_days": 3}) as backbone:
        prices = dict.fromkeys(("open", "high", "low", "close"), 10.0)
        mistyped = [{"symbol": each, "ts": datetime(2090, 1, 2, tzinfo=UTC), **prices} for each in ("ACME", "ZINC")]
        await backbone.ingest(plan("ACME", **daily))
        assert (await backbone.record(mistyped, "daily")).inserted == 2
        provider.answer(path("ZINC"), as_json(chart("ZINC", step=86_400)))
        await backbone.ingest(plan("ACME", "ZINC", **daily))
        now = backbone.system.clock.now().timestamp()
    _, again, other = (int(each.query["period1"]) for each in provider.seen)
    assert again == int(datetime(2024, 3, 6, tzinfo=UTC).timestamp()) - 3 * 86_400
    assert 0 <= now - 60 * 86_400 - other < 60  # of which nothing but that is stored


async def test_a_period_is_how_far_back_from_now_rows_are_asked_for(provider: Provider) -> None:
    provider.answer(path("ACME"), as_json(chart(timestamp=None)))
    async with asking(provider) as backbone:
        run = await backbone.ingest(plan("ACME", start=None, end=None, period="30d"))
        now = backbone.system.clock.now().timestamp()
    (seen,) = provider.seen
    assert 0 <= now - 30 * 86_400 - int(seen.query["period1"]) < 60
    assert run.rows_read == 0
    assert run.notes[0].startswith("ACME: Yahoo has no 1h bars from ")


async def test_dividends_and_splits_are_events_of_the_symbol(provider: Provider) -> None:
    events = {
        "dividends": {str(FIRST): {"amount": 0.24, "date": FIRST}, "x": {"amount": "NaN", "date": FIRST}},
        "splits": {str(FIRST): {"date": FIRST, "numerator": 4, "denominator": 1, "splitRatio": "4:1"}},
    }
    provider.answer(path("ACME"), as_json(chart(events=events)))
    async with asking(provider) as backbone:
        run = await backbone.ingest(plan("ACME"))
        assert "ACME: 3 dividends and splits from 2024-03-04 to 2024-03-06" in run.notes[0]
        restated = "ACME: warn: Yahoo restates all earlier prices by them; what is stored from before 2024-03-04 is as"
        assert run.notes[1].startswith(restated)
        acted = await backbone.ingest(
            plan("ACME", dimensions=["macro"], interval=None, start=START - timedelta(days=1))
        )
        assert (acted.inserted, acted.quarantined) == (2, 1)
        rows = (await backbone.fetch("macro", symbols=["ACME"])).to_arrow().to_pylist()
    assert [(row["event"], row["actual"], row["currency"], row["category"]) for row in rows] == [
        ("Dividend", 0.24, "USD", "corporate/dividend"), ("Split", 4.0, None, "corporate/split"),
    ]  # fmt: skip
    assert {row["ts"] for row in rows} == {datetime(2024, 3, 4, tzinfo=UTC)}


async def test_dividends_restate_adjusted_closes_and_nothing_else(provider: Provider) -> None:
    provider.answer(path("ACME"), as_json(chart(events={"dividends": {"x": {"amount": 0.24, "date": FIRST}}})))
    async with asking(provider) as backbone:
        intraday = await backbone.ingest(plan("ACME"))
        unnamed = {"dimensions": ["daily"], "interval": None, "start": None, "end": None}
        first, daily = [await backbone.ingest(plan("ACME", **unnamed)) for _ in range(2)]
    assert not [note for note in (*intraday.notes, *first.notes) if "restates" in note]
    assert len([note for note in daily.notes if "restates all earlier adjusted closes" in note]) == 1


async def test_two_actions_of_one_day_are_counted(provider: Provider) -> None:
    paid = {str(at): {"amount": 0.24, "date": at} for at in (FIRST, FIRST + 1)}
    provider.answer(path("ACME"), as_json(chart(events={"dividends": paid})))
    async with asking(provider) as backbone:
        start = START - timedelta(days=1)
        run = await backbone.ingest(plan("ACME", dimensions=["macro"], interval=None, start=start))
        assert (run.rows_read, run.inserted, run.duplicates) == (2, 1, 1)


async def test_what_yahoo_has_no_more_when_we_come_back_is_told(provider: Provider) -> None:
    provider.answer(path("ACME"), as_json(chart(step=60)))
    unnamed = {"interval": "1m", "start": None, "end": None}
    async with asking(provider) as backbone:
        assert (await backbone.ingest(plan("ACME", **unnamed))).inserted == 3
        run = await backbone.ingest(plan("ACME", **unnamed))
    (line,) = [note for note in run.notes if "any more" in note]
    assert line.startswith("ACME: warn: Yahoo has no 1m bars from 2024-03-04 14:32 to ")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"period": "30d"}, "period='30d' given beside start or end"),
        ({"period": "soon", "start": None, "end": None}, "period='soon' given; allowed is a duration or a period"),
        ({"path": "bars.csv"}, "path='bars.csv' given; yahoo reads no file"),
        ({"zone": "UTC"}, "zone='UTC' given; yahoo reads no file"),
        ({"source": "csv", "start": None, "end": None, "period": "1d", "path": "x"}, "a file has the rows that it has"),
    ],
)
def test_a_plan_that_says_too_much_is_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        plan("ACME", **changes)


NEVER: list[tuple[dict[str, Any], str]] = [
    ({"symbols": ["A/B"]}, r"symbol 'A/B' given; yahoo's have 1 to 32"),
    ({"symbols": ["A" * 33]}, "given; yahoo's have 1 to 32"),
    ({"symbols": []}, "no symbols given"),
    ({"interval": "3m"}, "interval '3m' asked of yahoo"),
    ({"interval": None}, "no interval given"),
    ({"dimensions": [Dimension.QUOTES], "interval": None}, "quotes asked of yahoo; it has daily_bars"),
]


async def test_what_yahoo_does_not_have_is_refused_before_it_is_asked(provider: Provider) -> None:
    usual: dict[str, Any] = {"dimensions": ["intraday"], "symbols": ["ACME"], "interval": "1h", "source": "yahoo"}
    async with asking(provider) as backbone:
        for changes, why in NEVER:
            with pytest.raises(ValueError, match=why):
                await backbone.ingest(IngestPlan(**(usual | changes)))
    assert not provider.seen


async def test_a_run_that_waits_for_its_provider_does_not_hold_the_end_up(provider: Provider) -> None:
    provider.answer(path("ACME"), as_json({}, 429, **{"Retry-After": "50"}))
    async with create_task_group() as group:
        async with asking(provider) as backbone:
            group.start_soon(_refused, backbone)
            await to_thread.run_sync(provider.came.wait)
            closing = current_time()
        assert current_time() - closing < 10


async def _refused(backbone: Backbone) -> None:
    with pytest.raises(BackboneError):
        await backbone.ingest(plan("ACME"))


async def test_what_no_frame_holds_costs_its_symbol_alone(provider: Provider) -> None:
    odd = {"dividends": {str(FIRST): {"amount": 1.0, "date": FIRST, "currency": "x" * 2000}}}
    good = {"dividends": {str(FIRST): {"amount": 1.0, "date": FIRST}}}
    provider.answer(path("ODD"), as_json(chart("ODD", events=odd)))
    provider.answer(path("ACME"), as_json(chart(events=good)))
    async with asking(provider) as backbone:
        start = START - timedelta(days=1)
        run = await backbone.ingest(plan("ODD", "ACME", dimensions=["macro"], interval=None, start=start))
        assert (run.inserted, run.quarantined) == (1, 1)
        assert "a text of 2,000 bytes given" in run.reasons[0]


async def test_an_empty_answer_is_told_where_the_market_was_open_and_only_of_that_symbol(provider: Provider) -> None:
    for symbol, rows in (("MSFT", chart("MSFT")), ("AAPL", chart("AAPL", timestamp=None))):
        provider.answer(path(symbol), as_json(rows))
    provider.answer(path("IBM"), as_json({}, 500))
    rules = [{"symbols": "*", "calendar": "us_equities"}]
    async with asking(provider, **{"instruments.rules": rules}) as backbone:
        run = await backbone.ingest(plan("AAPL", "MSFT", "IBM"))
        assert (run.inserted, run.quarantined) == (3, 1)
        (line,) = [note for note in run.notes if "not one row" in note]
        assert line.startswith("AAPL: not one row, though 14 1h bars were due from 2024-03-04 to 2024-03-06; ")
