"""Providers: how they are asked, what they need, how far back they are asked again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta

from backbone.settings.secrets import Secret
from backbone.settings.sections.base import Count, Days, Seconds, Section, Share, Text

__all__ = ["FredSettings", "MultiSettings", "ProvidersSettings", "YahooSettings"]

Address = Annotated[
    str, Meta(pattern=r"^https?://[^\s/?#@]+[^\s?#@]*\Z", max_length=500, title="an http or https address")
]
Rate = Annotated[float, Meta(gt=0, le=1000)]
LagDays = Annotated[int, Meta(ge=0, le=3650)]


class YahooSettings(Section, frozen=True, kw_only=True):
    """Yahoo: bars, dividends and splits. It gives no warrant, and may refuse programs at any time."""

    base_url: Annotated[Address, Meta(description="where Yahoo's charts are")] = "https://query1.finance.yahoo.com"
    cookie_url: Annotated[
        Address | None, Meta(description="where Yahoo gives the cookie that a crumb goes with; none: no crumb is asked")
    ] = "https://fc.yahoo.com"
    rate: Annotated[Rate, Meta(description="requests to Yahoo per second at most, of all runs of this process")] = 0.5
    lag_days: Annotated[LagDays, Meta(description="days before the newest stored row that are fetched again")] = 5
    lookback_days: Annotated[Days, Meta(description="days that are fetched where nothing is stored")] = 60
    transport: Annotated[
        Literal["httpx2", "curl_cffi"], Meta(description="how Yahoo is spoken to; curl_cffi does it as browsers do")
    ] = "httpx2"
    impersonate: Annotated[Text, Meta(description="the browser that curl_cffi speaks like")] = "chrome"


class FredSettings(Section, frozen=True, kw_only=True):
    """FRED: dates of releases, and series with their revisions."""

    base_url: Annotated[Address, Meta(description="where FRED's interface is")] = "https://api.stlouisfed.org"
    key: Annotated[Secret | None, Meta(description="key of the interface of FRED")] = None
    rate: Annotated[Rate, Meta(description="requests to FRED per second at most, of all runs of this process")] = 2.0
    lag_days: Annotated[LagDays, Meta(description="days before the newest stored row that are fetched again")] = 730
    lookback_days: Annotated[Days, Meta(description="days that are fetched where nothing is stored")] = 3650
    ahead_days: Annotated[Days, Meta(description="days ahead of which the calendar of releases is fetched")] = 90
    page_rows: Annotated[int, Meta(ge=1, le=100_000, description="rows of one answer at most")] = 10_000
    vintages: Annotated[bool, Meta(description="fetch what was known when, not only the newest values")] = True
    release_times: Annotated[
        Mapping[str, str],
        Meta(description="New York time of releases by number, which FRED does not say: 10=08:30,…; *: all others"),
    ] = {}


class MultiSettings(Section, frozen=True, kw_only=True):
    """Several providers as one: the first gives the rows, the next what it lacks."""

    providers: Annotated[Text, Meta(description="whom to ask, the first before all others, comma-separated")] = "yahoo"
    warn_coverage: Annotated[Share, Meta(description="a lower share of the rows that any of them has is noted")] = 0.90
    fail_coverage: Annotated[Share, Meta(description="a lower one is an error")] = 0.75
    stale_days: Annotated[Days, Meta(description="a provider whose newest row is so much older is noted")] = 3
    drift: Annotated[Share, Meta(description="a larger difference between two closes, as a share, is noted")] = 0.01


class ProvidersSettings(Section, frozen=True, kw_only=True):
    """How providers are asked."""

    attempts: Annotated[int, Meta(ge=1, le=20, description="how often a request is sent at most")] = 4
    pause: Annotated[Seconds, Meta(description="before a request is sent again, doubled each time, with jitter")] = 0.5
    patience: Annotated[
        Seconds, Meta(description="a host that asks for a longer pause is given up, with what it asks for")
    ] = 60.0
    connect_timeout: Annotated[Seconds, Meta(description="wait for a connection")] = 5.0
    read_timeout: Annotated[Seconds, Meta(description="wait for the next bytes of an answer")] = 10.0
    deadline: Annotated[Seconds, Meta(description="a whole answer takes at most")] = 60.0
    max_bytes: Annotated[Count, Meta(description="bytes of an answer at most, unpacked")] = 8 * 1024 * 1024
    yahoo: YahooSettings = YahooSettings()
    fred: FredSettings = FredSettings()
    multi: MultiSettings = MultiSettings()
