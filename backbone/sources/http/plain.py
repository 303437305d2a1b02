"""The usual transport: httpx2."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from functools import cache
from urllib.parse import urlsplit

from backbone.settings.loopback import is_loopback
from backbone.settings.redaction import RedactingFilter
from backbone.sources.errors import SourceUnset
from backbone.sources.http.reading import Growing, read
from backbone.sources.http.timing import Timing
from backbone.sources.http.transport import Answer, Bounds, Cut, Unreached

__all__ = ["PlainTransport"]

_PIECE = 64 * 1024
_REDACTING = RedactingFilter()


class PlainTransport:
    """Asks by httpx2, which is loaded only here.

    It follows no redirects: where a provider sends programs elsewhere, that is to a page for people.

    Args:
        host: where it will ask; to this machine no proxy of the environment leads.

    Raises:
        SourceUnset: httpx2 is not installed.
    """

    def __init__(self, host: str) -> None:
        try:
            import httpx2
        except ImportError as error:
            raise SourceUnset(f"providers are asked by the package httpx2, which can't be loaded ({error})") from error
        logging.getLogger("httpx2").addFilter(_REDACTING)  # it logs whole addresses, keys included
        self._client = httpx2.Client(
            headers={"Accept": "application/json", "Accept-Encoding": "gzip"},
            follow_redirects=False,
            trust_env=not is_loopback(urlsplit(f"//{host}").hostname or ""),
            verify=_certificates(),
        )

    def get(
        self, url: str, params: Mapping[str, str], headers: Mapping[str, str], bounds: Bounds, timing: Timing
    ) -> Answer:
        """Ask for one thing; see Transport."""
        import httpx2

        growing = Growing(bounds, timing, timing.time())
        timeout = httpx2.Timeout(bounds.read, connect=bounds.connect)
        try:
            with self._client.stream("GET", url, params=dict(params), headers=dict(headers), timeout=timeout) as given:
                encoding = given.headers.get("content-encoding", "")
                body = read(given.iter_raw(_PIECE), encoding, growing)
                return Answer(given.status_code, {name.lower(): value for name, value in given.headers.items()}, body)
        except httpx2.TimeoutException as error:
            raise Unreached(_silence(type(error).__name__, bounds)) from None
        except httpx2.TransportError as error:
            raise Unreached(str(error) or type(error).__name__) from None
        except (httpx2.InvalidURL, httpx2.HTTPError) as error:  # their requests hold the key
            raise Cut(f"can't be read: {type(error).__name__}: {error}") from None

    def forget(self) -> None:
        """Drop all cookies."""
        self._client.cookies.clear()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()


@cache
def _certificates() -> ssl.SSLContext:
    """Whom to trust; read once, since that takes longer than a request."""
    import httpx2

    return httpx2.create_ssl_context()


def _silence(kind: str, bounds: Bounds) -> str:
    return f"no connection within {bounds.connect:g} s" if "Connect" in kind else f"silent for {bounds.read:g} s"
