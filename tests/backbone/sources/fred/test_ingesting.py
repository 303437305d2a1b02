"""FRED through the whole backbone: the calendar at its times, and figures as they were known at any moment."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backbone import Backbone, IngestPlan
from backbone.settings.secrets import Secret
from backbone.sources.errors import InputInvalid, SourceUnavailable, SourceUnset
from backbone.sources.fred import series
from backbone.testing import embedded
from tests.backbone.sources.server import Provider, as_json
from tests.backbone.sources.shapes import observations, release_dates

KEY = "0123456789abcdef" * 2
DATES, VALUES, RELEASE = "/fred/releases/dates", "/fred/series/observations", "/fred/series/release"
QUICK = {"providers.pause": 0.001, "providers.attempts": 2, "providers.fred.rate": 1000.0}
START = datetime(2023, 12, 1, tzinfo=UTC)
CPI = (
    ("2023-12-01", "306.746", "2024-01-11"),
    ("2023-12-01", "308.742", "2024-02-09"),
    ("2024-01-01", "308.417", "2024-02-13"),
    ("2024-01-01", "309.685", "2025-02-12"),
    ("2024-02-01", "310.326", "2024-03-12"),
)


@asynccontextmanager
async def asking(provider: Provider, **changes: Any) -> AsyncIterator[Backbone]:
    chosen = {**QUICK, "providers.fred.base_url": provider.url, "providers.fred.key": Secret(KEY), **changes}
    async with embedded(overrides=chosen) as backbone:
        yield backbone


def plan(*symbols: str, **changes: Any) -> IngestPlan:
    return IngestPlan(dimensions=["macro"], symbols=symbols, source="fred", **{"start": START, **changes})


async def values(backbone: Backbone, as_of: datetime | None = None, symbol: str = "CPIAUCSL") -> dict[str, Any]:
    frame = await backbone.fetch("macro", symbols=[symbol], as_of=as_of)
    return {f"{row['ts']:%Y-%m}": row["actual"] for row in frame.to_arrow().to_pylist()}


def answer_cpi(provider: Provider, *rows: tuple[str, str, str]) -> None:
    provider.answer(VALUES, as_json(observations(*rows)))
    provider.answer(RELEASE, as_json({"releases": [{"id": 10, "name": "Consumer Price Index"}]}))


AS_KNOWN = [
    (datetime(2024, 1, 11, 13, 29, 59, tzinfo=UTC), {}),
    (datetime(2024, 1, 11, 13, 30, tzinfo=UTC), {"2023-12": 306.746}),
    (datetime(2024, 2, 10, tzinfo=UTC), {"2023-12": 308.742}),
    (datetime(2024, 2, 13, 13, 30, tzinfo=UTC), {"2023-12": 308.742, "2024-01": 308.417}),
    (datetime(2024, 3, 12, 12, 30, tzinfo=UTC), {"2023-12": 308.742, "2024-01": 308.417, "2024-02": 310.326}),
    (datetime(2025, 2, 12, 13, 30, tzinfo=UTC), {"2023-12": 308.742, "2024-01": 309.685, "2024-02": 310.326}),
]


async def test_a_read_as_of_a_moment_gives_the_figures_that_were_known_then(provider: Provider) -> None:
    answer_cpi(provider, *CPI)
    async with asking(provider) as backbone:
        run = await backbone.ingest(plan("CPIAUCSL"))
        assert (run.rows_read, run.inserted, run.changed) == (5, 3, 2)
        for moment, known in AS_KNOWN:
            assert await values(backbone, moment) == known
        assert await values(backbone) == AS_KNOWN[-1][1]
        (row, *_) = (await backbone.fetch("macro", symbols=["CPIAUCSL"])).to_arrow().to_pylist()
        assert (row["event"], row["category"]) == ("CPIAUCSL", "macro/inflation")


async def test_the_same_vintages_again_change_nothing_and_a_new_one_is_the_only_news(provider: Provider) -> None:
    answer_cpi(provider, *CPI)
    async with asking(provider) as backbone:
        await backbone.ingest(plan("CPIAUCSL"))
        outbox = (await backbone.outbox()).newest
        again = await backbone.ingest(plan("CPIAUCSL"))
        assert (again.inserted, again.changed, again.unchanged, again.position) == (0, 0, 5, 0)
        assert (await backbone.outbox()).newest == outbox
        answer_cpi(provider, *CPI, ("2024-02-01", "311.054", "2025-02-12"))
        more = await backbone.ingest(plan("CPIAUCSL"))
        assert (more.inserted, more.changed, more.unchanged) == (0, 1, 5)
        for moment, known in AS_KNOWN[:-1]:
            assert await values(backbone, moment) == known
        assert (await values(backbone))["2024-02"] == 311.054


async def test_a_vintage_that_comes_behind_a_later_one_takes_nothing_back_and_is_told(provider: Provider) -> None:
    answer_cpi(provider, ("2023-12-01", "308.742", "2024-02-09"))
    async with asking(provider) as backbone:
        await backbone.ingest(plan("CPIAUCSL"))
        answer_cpi(provider, *CPI[:2])
        run = await backbone.ingest(plan("CPIAUCSL"))
        assert (run.filtered, run.unchanged) == (1, 1)
        assert run.left_out == {"a later version of it is stored already": 1}
        assert await values(backbone) == {"2023-12": 308.742}


async def test_a_point_stands_for_no_value_and_one_that_is_taken_back_is_none(provider: Provider) -> None:
    answer_cpi(
        provider,
        ("2023-12-01", ".", "2024-01-11"),
        ("2024-01-01", "1.5", "2024-02-13"),
        ("2024-01-01", ".", "2024-03-13"),
    )
    async with asking(provider) as backbone:
        run = await backbone.ingest(plan("CPIAUCSL"))
        assert (run.inserted, run.changed, run.quarantined) == (1, 1, 0)
        assert await values(backbone, datetime(2024, 3, 1, tzinfo=UTC)) == {"2024-01": 1.5}
        assert await values(backbone) == {"2024-01": None}


async def test_values_and_dates_that_are_none_are_kept_aside(provider: Provider) -> None:
    answer_cpi(
        provider,
        ("2023-12-01", "1e999", "2024-01-11"),
        ("2024-13-01", "1.5", "2024-01-11"),
        ("2024-01-01", "2.5", "2024-01-11"),
        ("2024-02-01", "2.5", "someday"),
    )
    async with asking(provider) as backbone:
        run = await backbone.ingest(plan("CPIAUCSL"))
        assert (run.inserted, run.quarantined) == (1, 3)


async def test_only_the_newest_values_where_revisions_are_not_wanted(provider: Provider) -> None:
    answer_cpi(provider, ("2024-01-01", "309.685", "2026-11-27"), ("2024-02-01", ".", "2026-11-27"))
    async with asking(provider, **{"providers.fred.vintages": False}) as backbone:
        run = await backbone.ingest(plan("CPIAUCSL"))
        assert run.inserted == 1
        assert "realtime_start" not in provider.asked(VALUES)[0].query


async def test_pages_are_read_to_the_last(provider: Provider) -> None:
    first, second = observations(*CPI[:3], count=5), observations(*CPI[3:], count=5, offset=3)
    answer_cpi(provider)
    provider.answer(VALUES, as_json(first), as_json(second))
    async with asking(provider, **{"providers.fred.page_rows": 3}) as backbone:
        assert (await backbone.ingest(plan("CPIAUCSL"))).rows_read == 5
    assert [(each.query["limit"], each.query["offset"]) for each in provider.asked(VALUES)] == [("3", "0"), ("3", "3")]


async def test_pages_that_are_shorter_than_asked_for_lose_nothing(provider: Provider) -> None:
    answer_cpi(provider)
    pages = [observations(*rows, count=5) for rows in (CPI[:2], CPI[2:4], CPI[4:])]
    provider.answer(VALUES, *map(as_json, pages))
    async with asking(provider) as backbone:
        assert (await backbone.ingest(plan("CPIAUCSL"))).rows_read == 5
    assert [each.query["offset"] for each in provider.asked(VALUES)] == ["0", "2", "4"]


async def test_pages_without_a_count_are_read_to_the_first_that_is_not_full(provider: Provider) -> None:
    answer_cpi(provider)
    pages = [observations(*rows) for rows in (CPI[:3], CPI[3:])]
    for page in pages:
        del page["count"]
    provider.answer(VALUES, *map(as_json, pages))
    async with asking(provider, **{"providers.fred.page_rows": 3}) as backbone:
        assert (await backbone.ingest(plan("CPIAUCSL"))).rows_read == 5


@pytest.mark.parametrize(
    ("rows", "why"),
    [(CPI[:3], "gives the same 3 rows again in place of the next"), ((), "gives 3 of the 5 rows that it has")],
)
async def test_pages_that_do_not_lead_to_the_end_are_refused(provider: Provider, rows: Any, why: str) -> None:
    answer_cpi(provider)
    provider.answer(VALUES, as_json(observations(*CPI[:3], count=5)), as_json(observations(*rows, count=5)))
    async with asking(provider) as backbone:
        with pytest.raises(InputInvalid, match=why):
            await backbone.ingest(plan("CPIAUCSL"))


async def test_a_figure_that_we_have_is_known_now_whatever_its_time_of_day(provider: Provider) -> None:
    async with asking(provider) as backbone:
        tomorrow = backbone.system.clock.now() + timedelta(days=1)
        answer_cpi(provider, ("2024-01-01", "309.685", f"{tomorrow:%Y-%m-%d}"))
        await backbone.ingest(plan("CPIAUCSL"))
        assert await values(backbone, backbone.system.clock.now()) == {"2024-01": 309.685}


async def test_more_revisions_than_fred_gives_at_once_are_asked_for_in_two_spans(provider: Provider) -> None:
    refusal = "Bad Request. There are more than 2000 vintage dates in the real-time period"
    answer_cpi(provider)
    early, late = observations(*CPI[:2]), observations(("2023-12-01", "308.742", "2024-02-10"), *CPI[2:])
    provider.answer(VALUES, as_json({"error_code": 400, "error_message": refusal}, 400), as_json(early), as_json(late))
    async with asking(provider) as backbone:
        run = await backbone.ingest(plan("CPIAUCSL"))
        assert (run.inserted, run.changed, run.unchanged) == (3, 2, 1)
        assert await values(backbone) == AS_KNOWN[-1][1]
    spans = [(each.query["realtime_start"], each.query["realtime_end"]) for each in provider.asked(VALUES)]
    assert spans[0] == ("1776-07-04", "9999-12-31")
    assert (spans[1][0], spans[2][1]) == spans[0]
    assert datetime.fromisoformat(spans[1][1]) < datetime.fromisoformat(spans[2][0])


async def test_a_series_of_too_many_values_is_refused_before_all_of_them_are_read(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series, "MOST_VALUES", 3)
    answer_cpi(provider)
    pages = [observations(*rows, count=6) for rows in (CPI[:2], CPI[2:4], CPI[4:])]
    provider.answer(VALUES, *map(as_json, pages))
    async with asking(provider) as backbone:
        with pytest.raises(InputInvalid, match="more than 3 values of CPIAUCSL; ask for a shorter span"):
            await backbone.ingest(plan("CPIAUCSL"))
    assert len(provider.asked(VALUES)) == 2


async def test_a_calendar_that_begins_in_the_future_is_asked_for_from_today_on(provider: Provider) -> None:
    provider.answer(DATES, as_json(release_dates()))
    async with asking(provider) as backbone:
        today = backbone.system.clock.now()
        await backbone.ingest(plan(start=today + timedelta(days=30)))
    assert provider.asked(DATES)[0].query["realtime_start"] == f"{today:%Y-%m-%d}"


async def test_the_calendar_has_releases_past_and_to_come_at_their_times(provider: Provider) -> None:
    provider.answer(
        DATES,
        as_json(
            release_dates(
                (10, "Consumer Price Index", "2024-03-12"),
                (101, "FOMC Press Release", "2024-03-20"),
                (50, "Employment Situation", "2024-03-08"),
                (7, "Odd", "2024-02-30"),
                (8, "", "2024-04-01"),
            )
        ),
    )
    async with asking(provider) as backbone:
        run = await backbone.ingest(plan())
        assert (run.inserted, run.quarantined) == (4, 1)
        rows = (await backbone.fetch("macro", symbols=["FRED"])).to_arrow().to_pylist()
    assert [(row["event"], f"{row['ts']:%m-%d %H:%M}", row["category"], row["importance"]) for row in rows] == [
        ("Consumer Price Index", "03-12 12:30", "macro/inflation", "high"),
        ("Employment Situation", "03-08 13:30", "macro/employment", "high"),
        ("FOMC Press Release", "03-20 18:00", "macro/monetary_policy", "high"),
        ("Release 8", "04-01 12:30", None, None),
    ]
    (seen,) = provider.asked(DATES)
    assert seen.query["include_release_dates_with_no_data"] == "true"
    assert seen.query["realtime_end"] > f"{datetime.now(UTC):%Y-%m-%d}"


async def test_one_series_that_fred_does_not_know_costs_the_calendar_nothing(provider: Provider) -> None:
    provider.answer(DATES, as_json(release_dates((10, "Consumer Price Index", "2024-03-12"))))
    text = f"Bad Request. The series does not exist, said to api_key={KEY}"
    provider.answer(VALUES, as_json({"error_code": 400, "error_message": text.replace("api_key=", "")}, 400))
    async with asking(provider) as backbone:
        run = await backbone.ingest(plan("FRED", "NOSUCH"))
        assert (run.inserted, run.quarantined) == (1, 1)
        (row,) = await backbone.quarantined()
    assert row.location == "fred NOSUCH"
    assert "FRED answers 400: Bad Request. The series does not exist" in row.reason
    assert KEY not in row.reason


async def test_without_a_key_fred_is_not_asked(provider: Provider) -> None:
    async with asking(provider, **{"providers.fred.key": None}) as backbone:
        with pytest.raises(SourceUnset, match=r"FRED needs a key, .*BACKBONE_PROVIDERS_FRED_KEY or FRED_API_KEY"):
            await backbone.ingest(plan("CPIAUCSL"))
    assert not provider.seen


async def test_a_key_goes_to_no_address_that_others_can_read_along(provider: Provider) -> None:
    async with asking(provider, **{"providers.fred.base_url": "http://fred.example"}) as backbone:
        with pytest.raises(SourceUnset, match="the key would travel in clear; give https"):
            await backbone.ingest(plan("CPIAUCSL"))


async def test_a_key_that_is_refused_is_told_and_shown_nowhere(
    provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    words = f"Bad Request. The value for variable api_key is not registered: {KEY}"
    for path in (RELEASE, VALUES):
        provider.answer(path, as_json({"error_code": 400, "error_message": words}, 400))
    async with asking(provider) as backbone:
        with pytest.raises(SourceUnavailable, match="FRED refuses the key: ") as caught:
            await backbone.ingest(plan("CPIAUCSL"))
        assert KEY not in repr(backbone.settings)
    assert provider.seen[0].query["api_key"] == KEY
    told = [str(caught.value), repr(caught.value), *(record.getMessage() for record in caplog.records)]
    assert not [line for line in told if re.search(KEY, line)]
