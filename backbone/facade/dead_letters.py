"""Messages of the stream that nobody could read: to be looked at, sent back, or dropped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Protocol, TypeVar

import msgspec

from actors import Request
from backbone.domain.arguments import LONGEST_PAGE
from backbone.domain.text import excerpt
from backbone.settings.redaction import redact_mapping
from backbone.store.messages import DeleteDeadLetters, ReadDeadLetters
from backbone.store.records import DeadLetter
from backbone.stream.letters import Message
from backbone.stream.messages import LettersSent, SendBack

__all__ = ["DeadLetters", "ShownLetter", "ShownLetters", "place_of", "shown"]

R = TypeVar("R")

_LETTERS = "stream/last"  # who sends them back
_SEND_TIMEOUT = 60.0
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


class DeadLetters:
    """The dead letters of one backbone. A letter is named by topic, partition and offset: `backbone.quotes/3/1042`.

    Args:
        ask: asks an actor.
    """

    def __init__(self, ask: _Ask) -> None:
        self._ask = ask

    async def list(self, limit: int = 100) -> list[DeadLetter]:
        """The newest, at most 10,000."""
        return await self._ask("store", ReadDeadLetters(limit))

    async def shown(self, limit: int = 100, places: Sequence[str] | None = None) -> ShownLetters:
        """The newest letters, or those at these places, fit to be looked at.

        Raises:
            ValueError: there is no letter at one of the places.
        """
        letters = await (self.list(limit) if places is None else self._named(places))
        return ShownLetters(tuple(shown(each, whole=places is not None) for each in letters))

    async def replay(self, places: Sequence[str] | None = None) -> LettersSent:
        """Send letters back to their topics, whole, and forget them; who can read them now, takes them.

        Args:
            places: which; None: all.

        Raises:
            ValueError: there is no letter at one of the places; none was sent.
            StreamUnavailable: the stream does not take them; they stay dead letters.
        """
        letters = await self._named(places)
        if not letters:
            return LettersSent(0, 0)
        return await self._ask(_LETTERS, SendBack(tuple(letters)), _SEND_TIMEOUT)

    async def drop(self, places: Sequence[str] | None = None) -> int:
        """Forget letters (None: all); returns how many there were.

        Raises:
            ValueError: there is no letter at one of the places; none was forgotten.
        """
        letters = await self._named(places)
        return await self._ask("store", DeleteDeadLetters(letters)) if letters else 0

    async def _named(self, places: Sequence[str] | None) -> Sequence[DeadLetter]:
        letters = await self.list(LONGEST_PAGE)
        if places is None:
            return letters
        if missing := sorted(set(places) - {place_of(each) for each in letters}):
            raise ValueError(f"there is no dead letter at {', '.join(map(repr, missing))}; backbone dlq list shows all")
        return [each for each in letters if place_of(each) in places]

    def answers(self) -> dict[str, Callable[[Mapping[str, Any]], Awaitable[bytes]]]:
        """What the control socket answers of them, by command."""
        return {"dead_letters": self._list, "drop_dead_letters": self._drop, "replay_dead_letters": self._replay}

    async def _list(self, arguments: Mapping[str, Any]) -> bytes:
        wanted = msgspec.convert(dict(arguments), _Listed)
        answer = await self.shown(wanted.limit, wanted.places)
        return msgspec.json.encode(redact_mapping(msgspec.to_builtins(answer, enc_hook=str)))

    async def _drop(self, arguments: Mapping[str, Any]) -> bytes:
        places = msgspec.convert(dict(arguments), _Places).places
        return msgspec.json.encode({"dropped": await self.drop(places)})

    async def _replay(self, arguments: Mapping[str, Any]) -> bytes:
        return msgspec.json.encode(await self.replay(msgspec.convert(dict(arguments), _Places).places))


class _Listed(msgspec.Struct, forbid_unknown_fields=True):
    limit: Annotated[int, msgspec.Meta(ge=1, le=LONGEST_PAGE)] = 100
    places: tuple[str, ...] | None = None


class _Places(msgspec.Struct, forbid_unknown_fields=True):
    places: tuple[str, ...] | None = None


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
