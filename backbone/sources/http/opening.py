"""A client for a provider, as the settings say."""

from __future__ import annotations

from urllib.parse import urlsplit

from backbone.settings.sections.providers import ProvidersSettings
from backbone.sources.http.client import Client, Pace
from backbone.sources.http.hosts import HOSTS
from backbone.sources.http.timing import Timing, Waiting
from backbone.sources.http.transport import Transport

__all__ = ["Connection"]


class Connection:
    """How one source speaks with the outside. A test gives its own time and transport.

    Args:
        settings: of all providers.
        transport: None: httpx2, or as a browser where `browser` is given.
        timing: None: the machine's.
        browser: speak like this one.

    Attributes:
        timing: in which its requests wait.
    """

    def __init__(
        self,
        settings: ProvidersSettings,
        transport: Transport | None = None,
        timing: Timing | None = None,
        *,
        browser: str | None = None,
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._browser = browser
        self.timing: Timing = Waiting() if timing is None else timing

    def client(self, base_url: str, rate: float) -> Client:
        """A client of a host; those of one connection share cookies."""
        if self._transport is None:
            self._transport = self._made(urlsplit(base_url).netloc)
        return Client(base_url, Pace.of(self._settings, rate), self._transport, self.timing, HOSTS)

    def stop(self) -> None:
        """Give up what is being waited for, now and from now on; called from another thread."""
        self.timing.stop()
        if (transport := self._transport) is not None:
            transport.cut()

    def close(self) -> None:
        """Close what was opened."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def _made(self, host: str) -> Transport:
        if self._browser is not None:
            from backbone.sources.http.browser import BrowserTransport

            return BrowserTransport(self._browser)
        from backbone.sources.http.plain import PlainTransport

        return PlainTransport(host)
