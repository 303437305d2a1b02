"""The usual transport: httpx2."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from backbone.settings.loopback import is_loopback
from backbone.settings.redaction import RedactingFilter, redact
from backbone.sources.errors import SourceUnset
from backbone.sources.http.lines import Lines
from backbone.sources.http.reading import Growing, read, too_slow
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
        SourceUnset: httpx2 is not installed, or the environment names a proxy or certificates that it can't use.
    """

    def __init__(self, host: str) -> None:
        try:
            import httpx2
        except ImportError as error:
            raise SourceUnset(f"providers are asked by the package httpx2, which can't be loaded ({error})") from error
        logging.getLogger("httpx2").addFilter(_REDACTING)  # it logs whole addresses, keys included
        self._lines = Lines()
        try:
            self._client = httpx2.Client(
                headers={"Accept": "application/json", "Accept-Encoding": "gzip"},
                follow_redirects=False,
                trust_env=not is_loopback(urlsplit(f"//{host}").hostname or ""),
                verify=_certificates(),
            )
        except (
            ImportError,
            ValueError,
            OSError,
        ) as error:  # a proxy it can't speak to, certificates that are not there
            text = f"what the environment says of proxies and certificates can't be used: {redact(str(error))}"
            raise SourceUnset(f"{text}; mend HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE or SSL_CERT_DIR") from None

    def get(
        self, url: str, params: Mapping[str, str], headers: Mapping[str, str], bounds: Bounds, timing: Timing
    ) -> Answer:
        """Ask for one thing; see Transport."""
        import httpx2

        growing = Growing(bounds, timing, timing.time())
        chosen: dict[str, Any] = {
            "params": dict(params),
            "headers": dict(headers),
            "timeout": httpx2.Timeout(bounds.read, connect=bounds.connect),
            "extensions": {"trace": self._lines.trace},
        }
        with self._lines.within(bounds.whole) as late:
            try:
                answer = self._answer(url, chosen, growing)
                why: Exception | None = None
            except (httpx2.InvalidURL, httpx2.HTTPError) as error:
                why = _failure(error, bounds)
            except Unreached as error:
                why = error
        timing.check()
        if late.is_set():  # what was cut may look like an end
            raise Cut(too_slow(bounds))
        if why is not None:
            raise why
        return answer

    def _answer(self, url: str, chosen: dict[str, Any], growing: Growing) -> Answer:
        with self._client.stream("GET", url, **chosen) as given:
            body = read(given.iter_raw(_PIECE), given.headers.get("content-encoding", ""), growing)
            return Answer(given.status_code, {name.lower(): value for name, value in given.headers.items()}, body)

    def cut(self) -> None:
        """End what is being waited for; called from another thread."""
        self._lines.cut()

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


def _failure(error: Exception, bounds: Bounds) -> Unreached | Cut:
    """Why there is no answer; errors of httpx2 hold the request, and with it the key."""
    import httpx2

    kind = type(error).__name__
    if isinstance(error, httpx2.TimeoutException):
        silence = f"no connection within {bounds.connect:g} s" if "Connect" in kind else f"silent for {bounds.read:g} s"
        return Unreached(silence)
    if isinstance(error, httpx2.TransportError):
        return Unreached(str(error) or kind)
    return Cut(f"can't be read: {kind}: {error}")
