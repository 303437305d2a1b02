"""Asking FRED: page after page, with the key in the query and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Final, Protocol, TypeVar
from urllib.parse import urlsplit

from backbone.settings.loopback import is_loopback
from backbone.settings.redaction import redact
from backbone.settings.sections.providers import FredSettings
from backbone.sources.errors import InputInvalid, SourceUnavailable, SourceUnset
from backbone.sources.fred.answers import Wrong
from backbone.sources.http.client import Client
from backbone.sources.http.decoding import decoded
from backbone.sources.http.opening import Connection

__all__ = ["Fred", "TooManyVintages"]

_MOST_PAGES: Final = 1_000


class TooManyVintages(InputInvalid):
    """FRED gives the revisions of at most 2,000 days at once: ask for a shorter span of them."""


class _Page(Protocol):
    """A part of an answer, and of how many rows: None: it does not say."""

    count: int | None

    @property
    def rows(self) -> int:
        """Rows of this part."""
        ...


P = TypeVar("P", bound=_Page)
T = TypeVar("T")


class Fred:
    """The interface of FRED.

    Args:
        settings: where it is, the key, and how often it is asked.
        connection: opens the client.
    """

    def __init__(self, settings: FredSettings, connection: Connection) -> None:
        self._base_url, self._rate, self._key = settings.base_url, settings.rate, settings.key
        self._connection = connection
        self._client: Client | None = None

    def get(self, path: str, params: Mapping[str, str], kind: type[T]) -> T:
        """One answer.

        Raises:
            SourceUnset: there is no key, or it would travel in clear.
            SourceUnavailable: FRED can't be reached, or refuses.
            InputInvalid: it does not take the question, or answers something else.
        """
        if self._key is None:
            raise SourceUnset(
                "FRED needs a key, which is free of charge; set BACKBONE_PROVIDERS_FRED_KEY or FRED_API_KEY"
            )
        if self._client is None:
            self._client = self._opened()
        query = {**params, "file_type": "json", "api_key": self._key.reveal()}
        answer = self._client.get(f"/fred/{path}", query)
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise _refusal(answer.status, decoded(answer, Wrong).error_message)
        return decoded(answer, kind)

    def pages(self, path: str, params: Mapping[str, str], kind: type[P], rows: int) -> Iterator[P]:
        """All pages of an answer; the last is the first that reaches its count.

        A page may have fewer rows than were asked for: the next one goes on behind them.

        Args:
            path: see `get`.
            params: see `get`.
            kind: of a page.
            rows: of a page at most.

        Raises:
            InputInvalid: the pages do not lead to an end, or end before all rows have come.
        """
        offset, before = 0, None
        for _ in range(_MOST_PAGES):
            found = self.get(path, {**params, "limit": str(rows), "offset": str(offset)}, kind)
            if found.rows and found == before:
                raise InputInvalid(
                    f"FRED gives the same {found.rows:,} rows again in place of the next; ask again later"
                )
            yield found
            before, offset = found, offset + found.rows
            if found.count is not None and not found.rows and offset < found.count:
                raise InputInvalid(f"FRED gives {offset:,} of the {found.count:,} rows that it has; ask again later")
            if not found.rows or (found.rows < rows if found.count is None else offset >= found.count):
                return
        raise InputInvalid(f"FRED's answer has more than {_MOST_PAGES:,} pages; ask for a shorter span")

    def _opened(self) -> Client:
        address = urlsplit(self._base_url)
        if address.scheme != "https" and not is_loopback(address.hostname or ""):
            raise SourceUnset("providers.fred.base_url is no https, and the key would travel in clear; give https://…")
        return self._connection.client(self._base_url, self._rate)


def _refusal(status: int, text: str) -> InputInvalid | SourceUnavailable:
    told = redact(text[:300])
    if "api_key" in text:
        return SourceUnavailable(f"FRED refuses the key: {told}")
    kind = TooManyVintages if "vintage" in text.lower() else InputInvalid
    return kind(f"FRED answers {status}: {told or 'without a reason'}")
