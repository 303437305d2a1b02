"""Asking the chart endpoint: in pieces that it gives, with a crumb where it wants one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

from backbone.domain.clock import INTERVALS
from backbone.settings.sections.providers import YahooSettings
from backbone.sources.errors import InputInvalid, SourceUnavailable
from backbone.sources.http.client import Client, Refused
from backbone.sources.http.decoding import decoded
from backbone.sources.http.opening import Connection
from backbone.sources.http.transport import Answer
from backbone.sources.yahoo.chart import Chart, Envelope

__all__ = ["EPOCH", "Charts", "kept_since", "windows"]

_CRUMB: Final = re.compile(r"[^\s<]{1,32}")
_NOTHING_THEN: Final = "Data doesn't exist for startDate"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_KEPT_DAYS: Final = {"1m": 30, "1h": 730, "4h": 730}


class Charts:
    """The charts of Yahoo.

    Args:
        settings: where it is and how often it is asked.
        connection: opens the clients.
    """

    def __init__(self, settings: YahooSettings, connection: Connection) -> None:
        self._base_url, self._cookie_url, self._rate = settings.base_url, settings.cookie_url, settings.rate
        self._connection = connection
        self._client: Client | None = None
        self._crumb = ""

    def get(self, symbol: str, interval: str, start: datetime, end: datetime) -> Chart:
        """The chart of a window.

        Args:
            symbol: as Yahoo has it.
            interval: of the bars.
            start: first moment.
            end: the moment behind the last.

        Returns:
            One without rows where nothing was traded in that window.

        Raises:
            SourceUnavailable: Yahoo can't be reached, or refuses.
            InputInvalid: it knows no such symbol or window, or answers something else than a chart of it.
        """
        params = {
            "interval": interval,
            "period1": str(int((start - EPOCH).total_seconds())),
            "period2": str(int((end - EPOCH).total_seconds())),
            "events": "div,splits",
            "includePrePost": "false",
        }
        answer = self._asked(f"/v8/finance/chart/{quote(symbol, safe='')}", params)
        found = decoded(answer, Envelope)
        if found.failure and _NOTHING_THEN in found.failure:
            return Chart()
        if found.failure:
            raise InputInvalid(f"Yahoo says of {symbol}: {found.failure}")
        if found.chart is None or not found.chart.result:
            raise InputInvalid(f"Yahoo answers {answer.status} without a chart of {symbol}")
        chart = found.chart.result[0]
        named = chart.meta.symbol
        if named is not None and named.upper() != symbol.upper():
            raise InputInvalid(f"Yahoo was asked for {symbol} and answers with {named[:40]!r}")
        return chart

    def _asked(self, path: str, params: dict[str, str]) -> Answer:
        if self._client is None:
            self._client = self._connection.client(self._base_url, self._rate)
        crumb = {"crumb": self._crumb} if self._crumb else {}
        try:
            return self._client.get(path, params | crumb)
        except Refused:
            if self._cookie_url is None:
                raise
        self._crumb = ""  # its cookie may be gone: after a refusal cookies are dropped
        crumb = {"crumb": self._fresh_crumb(self._client, self._cookie_url)}
        answer = self._client.get(path, params | crumb)
        self._crumb = crumb["crumb"]
        return answer

    def _fresh_crumb(self, client: Client, cookie_url: str) -> str:
        """A word that goes with a cookie; what stands in its place when Yahoo refuses is no word."""
        self._connection.client(cookie_url, self._rate).get("/", {})
        text = client.get("/v1/test/getcrumb", {}, {"Accept": "text/plain"}).body.decode("utf-8", "replace")
        if not _CRUMB.fullmatch(text):
            raise SourceUnavailable(f"{client.host} gives no crumb, without which it does not answer; ask again later")
        return text


def kept_since(interval: str, now: datetime) -> datetime:
    """Since when Yahoo keeps bars of an interval: the finer, the shorter."""
    length = INTERVALS[interval]
    if length is None or length >= timedelta(days=1):
        return EPOCH
    return now - timedelta(days=_KEPT_DAYS.get(interval, 60)) + timedelta(minutes=5)


def windows(interval: str, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """A span in the pieces in which Yahoo gives bars of an interval, oldest first; the end belongs to the last."""
    most = timedelta(days=7 if interval == "1m" else 1_000_000)
    first, last = max(start, EPOCH), end + timedelta(seconds=1)
    while first < last:
        until = last if last - first <= most else first + most
        yield first, until
        first = until
