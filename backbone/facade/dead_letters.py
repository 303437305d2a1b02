"""Messages of the stream that nobody could read: to be looked at, sent back, or dropped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Protocol, TypeVar

import msgspec

from actors import Request
from backbone.domain.arguments import LARGEST, LONGEST_PAGE
from backbone.domain.text import excerpt
from backbone.settings.redaction import redact_mapping
from backbone.store.messages import DeleteDeadLetters, FindDeadLetters, ReadDeadLetters
from backbone.store.records import DeadLetter
from backbone.stream.letters import Message
from backbone.stream.messages import LettersSent, SendBack

__all__ = ["DeadLetters", "ShownLetter", "ShownLetters", "SomeDone", "place_of", "shown"]

R = TypeVar("R")

_LETTERS = "stream/last"  # who sends them back
_SEND_TIMEOUT = 60.0
_AT_ONCE = 200  # letters in memory, each of up to a megabyte
_DIGITS = 19
_SHOWN = 4000  # characters of a value
_BRIEF = 200


class _Ask(Protocol):
    def __call__(self, path: str, request: Request[R], timeout: float = ..., /) -> Awaitable[R]: ...


class ShownLetter(msgspec.Struct, frozen=True):
    """A dead letter as people look at it: whatever can't be printed is written out.

    Attributes:
        place: topic, partition and offset, by which it is named.
        group: whose letter it is.
        reason: what is wrong with it.
        at: when it came.
        bytes: of its value.
        key: None: it has none.
        headers: in the order in which they came.
        value: how it begins.
    """

    place: str
    group: str
    reason: str
    at: datetime
    bytes: int
    key: str | None
    headers: tuple[tuple[str, str], ...]
    value: str


class ShownLetters(msgspec.Struct, frozen=True):
    """Several of them."""

    letters: tuple[ShownLetter, ...]


class SomeDone(msgspec.Struct, frozen=True):
    """What was done with some of the letters that are meant; a running backbone answers within seconds.

    Attributes:
        letters: how many were sent back, or dropped.
        unreadable: of those that were sent back, how many can't be read today either.
        until: ask again, with this; None: that was all.
    """

    letters: int
    unreadable: int = 0
    until: datetime | None = None


class DeadLetters:
    """The dead letters of one backbone. A letter is named by topic, partition and offset: `backbone.quotes/3/1042`.

    Args:
        ask: asks an actor.
    """

    def __init__(self, ask: _Ask) -> None:
        self._ask = ask

    async def list(self, limit: int = 100, *, skip: int = 0) -> list[DeadLetter]:
        """The newest, at most 10,000, of which `skip` more are newer."""
        return await self._ask("store", ReadDeadLetters(limit, skip))

    async def shown(self, limit: int = 100, places: Sequence[str] | None = None, skip: int = 0) -> ShownLetters:
        """The newest letters, or those at these places, fit to be looked at.

        Raises:
            ValueError: there is no letter at one of the places.
        """
        letters = await (self.list(limit, skip=skip) if places is None else self._named(places))
        return ShownLetters(tuple(shown(each, whole=places is not None) for each in letters))

    async def replay(self, places: Sequence[str] | None = None) -> LettersSent:
        """Send letters back to their topics, whole, and forget them; who can read them now, takes them.

        Args:
            places: which; None: all.

        Raises:
            ValueError: there is no letter at one of the places; none was sent.
            StreamUnavailable: the stream does not take them; they stay dead letters.
        """
        sent = unreadable = 0
        until: datetime | None = None
        while letters := await self._some(places, until):
            done = await self._send_back(letters)
            sent, unreadable = sent + done.sent, unreadable + done.unreadable
            if (until := _rest(places, letters, until)) is None:
                break
        return LettersSent(sent, unreadable)

    async def _send_back(self, letters: Sequence[DeadLetter]) -> LettersSent:
        return await self._ask(_LETTERS, SendBack(tuple(letters)), _SEND_TIMEOUT)

    async def drop(self, places: Sequence[str] | None = None) -> int:
        """Forget letters (None: all); returns how many there were.

        Raises:
            ValueError: there is no letter at one of the places; none was forgotten.
        """
        dropped = 0
        until: datetime | None = None
        while letters := await self._some(places, until):
            dropped += await self._ask("store", DeleteDeadLetters(letters))
            if (until := _rest(places, letters, until)) is None:
                break
        return dropped

    async def _some(self, places: Sequence[str] | None, until: datetime | None) -> Sequence[DeadLetter]:
        """Of all that are meant the first; those that are done with are gone when the next are asked for."""
        if places is not None:
            return await self._named(places)
        return await self._ask("store", ReadDeadLetters(_AT_ONCE, until=until))

    async def _named(self, places: Sequence[str]) -> Sequence[DeadLetter]:
        known = [place for each in places if (place := _read(each)) is not None]
        letters = await self._ask("store", FindDeadLetters(tuple(known)))
        if missing := sorted(set(places) - {place_of(each) for each in letters}):
            raise ValueError(f"there is no dead letter at {', '.join(map(repr, missing))}; backbone dlq list shows all")
        return letters

    def answers(self) -> dict[str, Callable[[Mapping[str, Any]], Awaitable[bytes]]]:
        """What the control socket answers of them, by command."""
        return {"dead_letters": self._list, "drop_dead_letters": self._drop, "replay_dead_letters": self._replay}

    async def _list(self, arguments: Mapping[str, Any]) -> bytes:
        wanted = msgspec.convert(dict(arguments), _Listed)
        answer = await self.shown(wanted.limit, wanted.places, wanted.skip)
        return msgspec.json.encode(redact_mapping(msgspec.to_builtins(answer, enc_hook=str)))

    async def _drop(self, arguments: Mapping[str, Any]) -> bytes:
        wanted = msgspec.convert(dict(arguments), _Places)
        letters = await self._some(wanted.places, wanted.until)
        dropped = await self._ask("store", DeleteDeadLetters(letters)) if letters else 0
        return msgspec.json.encode(SomeDone(dropped, until=_rest(wanted.places, letters, wanted.until)))

    async def _replay(self, arguments: Mapping[str, Any]) -> bytes:
        wanted = msgspec.convert(dict(arguments), _Places)
        letters = await self._some(wanted.places, wanted.until)
        done = await self._send_back(letters) if letters else LettersSent(0, 0)
        return msgspec.json.encode(SomeDone(done.sent, done.unreadable, _rest(wanted.places, letters, wanted.until)))


class _Listed(msgspec.Struct, forbid_unknown_fields=True):
    limit: Annotated[int, msgspec.Meta(ge=1, le=LONGEST_PAGE)] = 100
    skip: Annotated[int, msgspec.Meta(ge=0, le=LARGEST)] = 0
    places: tuple[str, ...] | None = None


class _Places(msgspec.Struct, forbid_unknown_fields=True):
    places: tuple[str, ...] | None = None
    until: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


def _rest(places: Sequence[str] | None, letters: Sequence[DeadLetter], until: datetime | None) -> datetime | None:
    """Up to when the others came that are meant; None: there are no others. What comes meanwhile is not meant."""
    return None if places is not None or not letters else until or letters[0].at


def _read(place: str) -> tuple[str, int, int] | None:
    """Topic, partition and offset; None: it is no place."""
    topic, *numbers = place.rsplit("/", 2)
    if len(numbers) != 2 or not all(each.isascii() and each.isdecimal() and len(each) < _DIGITS for each in numbers):
        return None
    return topic, int(numbers[0]), int(numbers[1])


def place_of(letter: DeadLetter) -> str:
    """What names a letter."""
    return f"{letter.topic}/{letter.partition}/{letter.offset}"


def shown(letter: DeadLetter, *, whole: bool = False) -> ShownLetter:
    """A letter fit to be looked at; `whole`: with more of its value."""
    message = Message.unpacked(letter.payload)
    value = message.value or b""
    return ShownLetter(
        place=place_of(letter),
        group=letter.group,
        reason=letter.reason,
        at=letter.at,
        bytes=len(value),
        key=None if message.key is None else excerpt(message.key, _BRIEF),
        headers=tuple((excerpt(name, _BRIEF), excerpt(text or b"", _BRIEF)) for name, text in message.headers),
        value=excerpt(value, _SHOWN if whole else _BRIEF),
    )
