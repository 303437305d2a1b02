"""The one client of all providers: asks at the host's pace, again where that may help, and says why it gave up."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from backbone.settings.redaction import redact
from backbone.settings.sections.providers import ProvidersSettings
from backbone.sources.errors import InputInvalid, SourceUnavailable
from backbone.sources.http.hosts import Hosts
from backbone.sources.http.timing import Timing
from backbone.sources.http.transport import Answer, Bounds, Cut, Transport, Unreached

__all__ = ["Client", "Pace", "Refused", "retry_after"]

_BUSY: Final = frozenset({423, 429, 503})  # 423: FRED, while it is locked
_BROKEN: Final = frozenset({408, *range(500, 600)})
_REFUSED: Final = frozenset({401, 403})
_LONGEST_PAUSE: Final = 30.0
_BELIEVED: Final = 86_400.0
_INSTANT: Final = 0.001


class Refused(SourceUnavailable):
    """The host answers, and not to us: 401 or 403."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How a host is asked.

    Attributes:
        rate: requests per second, of all runs of this process.
        attempts: how often one request is sent at most.
        pause: seconds before it is sent again, doubled each time; a random part of it is waited.
        patience: seconds; a host that asks for more is given up.
        bounds: of each answer.
    """

    rate: float
    attempts: int
    pause: float
    patience: float
    bounds: Bounds

    @classmethod
    def of(cls, settings: ProvidersSettings, rate: float) -> Pace:
        """As the settings say."""
        return cls(
            rate,
            settings.attempts,
            settings.pause,
            settings.patience,
            Bounds(settings.connect_timeout, settings.read_timeout, settings.deadline, settings.max_bytes),
        )


class Client:
    """Asks one provider. Its messages name the host and never the query, in which keys travel.

    Args:
        base_url: to which paths are appended.
        pace: how often, how long.
        transport: carries requests.
        timing: where waiting happens.
        hosts: the account of what was asked of whom.
        random_share: from 0 to 1.
    """

    def __init__(
        self,
        base_url: str,
        pace: Pace,
        transport: Transport,
        timing: Timing,
        hosts: Hosts,
        *,
        random_share: Callable[[], float] = random.random,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self.host = urlsplit(base_url).netloc
        self._pace = pace
        self._transport = transport
        self._timing = timing
        self._host = hosts.of(self.host)
        self._random_share = random_share

    def get(self, path: str, params: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Answer:
        """Ask until there is an answer that says something: done, or that the question is wrong.

        A host that refuses us (401, 403) or says that it was asked too often (429) is asked once more without cookies.

        Args:
            path: below the base, percent-encoded.
            params: the query.
            headers: besides the usual ones.

        Returns:
            An answer of status 200 to 299, 400, 404 or another that is about the question.

        Raises:
            SourceUnavailable: the host can't be reached, is busy or broken, or refuses.
            InputInvalid: its answer can't be taken.
        """
        why = ""
        forgotten = False
        for attempt in range(self._pace.attempts):
            self._wait(attempt, why)
            try:
                answer = self._sent(path, params, headers or {})
            except Unreached as error:
                why = f"gives no answer: {redact(str(error))}"
                continue
            last = attempt + 1 == self._pace.attempts
            if answer.status in _REFUSED | {429} and not (forgotten or last):
                forgotten = True
                self._transport.forget()
                why = self._noted(answer)
                continue
            if answer.status in _REFUSED:
                raise Refused(f"{self.host} refuses to answer: {_status(answer)}")
            if answer.status not in _BUSY | _BROKEN:
                return self._about_the_question(answer)
            why = self._noted(answer)
        often = f", {self._pace.attempts} times" if self._pace.attempts > 1 else ""
        raise SourceUnavailable(f"{self.host} {why}{often}; ask again later", retry_after=self._rest())

    def _wait(self, attempt: int, why: str) -> None:
        """Wait for the host's next place, and after a failure for a random part of a pause that grows."""
        pause = min(self._pace.pause * 2 ** (attempt - 1), _LONGEST_PAUSE) * self._random_share() if attempt else 0.0
        self._look(why)
        now = self._timing.time()
        self._timing.sleep(pause + self._host.place(now + pause, self._pace.rate))
        while self._look(why) > _INSTANT:  # somebody else was asked to pause meanwhile
            self._timing.sleep(self._host.place(self._timing.time(), self._pace.rate))

    def _look(self, why: str) -> float:
        """How many seconds the host still wants to be left alone, as far as that is worth waiting for."""
        rest = self._host.paused(self._timing.time())
        if rest > self._pace.patience:
            text = f"{self.host} {why or 'was asked too often'}; it wants to be asked again in {rest:.0f} s"
            raise SourceUnavailable(text, retry_after=rest)
        return rest

    def _sent(self, path: str, params: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        try:
            return self._transport.get(f"{self._base_url}{path}", params, headers, self._pace.bounds, self._timing)
        except Cut as error:
            raise InputInvalid(f"the answer of {self.host} {redact(str(error))}") from None

    def _noted(self, answer: Answer) -> str:
        """What an answer of which nothing can be had says; where it asks for a pause, all runs keep it."""
        asked = retry_after(answer)
        if answer.status in _BUSY or asked is not None:
            self._host.pause(self._timing.time() + (self._pace.pause if asked is None else asked))
        return f"answers {_status(answer)}"

    def _rest(self) -> float | None:
        return self._host.paused(self._timing.time()) or None

    def _about_the_question(self, answer: Answer) -> Answer:
        if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
            where = urlsplit(answer.headers.get("location", "")).netloc or "elsewhere"
            text = f"{self.host} sends us to {where} ({_status(answer)}) instead of answering"
            raise SourceUnavailable(f"{text}; it may want a person to agree to something")
        return answer


def retry_after(answer: Answer) -> float | None:
    """For how many seconds a host does not want to be asked; None: it says nothing that can be understood.

    More than a day is taken for a day: else one wrong figure would silence a host until the process ends. A moment is
    taken relative to the one at which the host says that it answered (RFC 9110, 10.2.3).
    """
    text = answer.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:300]), _BELIEVED)
    try:
        until, said = parsedate_to_datetime(text), parsedate_to_datetime(answer.headers.get("date", ""))
        return min(max(0.0, (until - said).total_seconds()), _BELIEVED)
    except (ValueError, TypeError, OverflowError):
        return None


def _status(answer: Answer) -> str:
    try:
        return f"{answer.status} {HTTPStatus(answer.status).phrase}"
    except ValueError:
        return str(answer.status)
