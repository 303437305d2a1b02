"""A transport that greets servers as a browser does: curl_cffi, for hosts that refuse all others by their greeting."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from backbone.sources.errors import SourceUnset
from backbone.sources.http.reading import Growing
from backbone.sources.http.timing import Timing
from backbone.sources.http.transport import Answer, Bounds, Unreached

if TYPE_CHECKING:
    from curl_cffi import requests

__all__ = ["BrowserTransport"]

_STOP_WRITING = 0xFFFFFFFF


class BrowserTransport:
    """Asks by curl_cffi, which is loaded only here.

    Args:
        browser: whom to speak like, by a name that curl_cffi knows.

    Raises:
        SourceUnset: curl_cffi is not installed, or knows no such browser.
    """

    def __init__(self, browser: str) -> None:
        try:
            from curl_cffi import requests
        except ImportError as error:
            text = f"this transport needs the package curl_cffi, which can't be loaded ({error})"
            raise SourceUnset(f"{text}; install it, or set providers.yahoo.transport=httpx2") from error
        self._browser = browser
        self._session: requests.Session[Any] = requests.Session(impersonate=browser, allow_redirects=False)

    def get(
        self, url: str, params: Mapping[str, str], headers: Mapping[str, str], bounds: Bounds, timing: Timing
    ) -> Answer:
        """Ask for one thing; see Transport. curl unpacks by itself, a few kilobytes at a time."""
        from curl_cffi import CurlOpt
        from curl_cffi.requests import exceptions

        body = Growing(bounds, timing, timing.time())
        self._session.curl_options = {CurlOpt.LOW_SPEED_LIMIT: 1, CurlOpt.LOW_SPEED_TIME: math.ceil(bounds.read)}

        def take(piece: bytes) -> int:
            return len(piece) if body.take(piece) else _STOP_WRITING

        try:
            given = self._session.get(
                f"{url}?{urlencode(params)}" if params else url,
                headers=dict(headers),
                timeout=(bounds.connect, bounds.whole),
                content_callback=take,
            )
        except exceptions.ImpersonateError as error:
            text = f"curl_cffi knows no browser {self._browser!r} ({error})"
            raise SourceUnset(f"{text}; set providers.yahoo.impersonate to one that it knows, such as chrome") from None
        except exceptions.RequestException as error:
            body.check()
            raise Unreached(_without_address(str(error), url)) from None
        body.check()
        return Answer(given.status_code, dict(_lower(given.headers)), bytes(body.data))

    def cut(self) -> None:
        """Nothing: curl looks up when something comes, or after the silence that is allowed."""

    def forget(self) -> None:
        """Drop all cookies."""
        self._session.cookies.clear()

    def close(self) -> None:
        """Close all connections."""
        self._session.close()


def _lower(headers: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    for name, value in headers.items():
        yield name.lower(), value or ""


def _without_address(text: str, url: str) -> str:
    """What went wrong; curl names the address, which may hold a key, and a page of its own."""
    return text.partition(url)[0].partition(" See http")[0].strip()
