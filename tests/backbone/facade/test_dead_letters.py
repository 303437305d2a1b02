"""Dead letters are dealt with however many there are, some at a time; those that come back meanwhile are left."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from backbone.facade.dead_letters import DeadLetters, SomeDone, place_of
from backbone.store.messages import DeleteDeadLetters, FindDeadLetters, ReadDeadLetters
from backbone.store.records import DeadLetter
from backbone.stream.messages import LettersSent, SendBack

AT = datetime(2026, 1, 1, tzinfo=UTC)
MANY = 10_450


def letter(offset: int, at: datetime = AT) -> DeadLetter:
    return DeadLetter("backbone", "backbone.quotes", 3, offset, "no frame", b"{", at)


class Store:
    """Letters, newest first; each that is sent back is as unreadable as before, and comes back at another offset."""

    def __init__(self, count: int) -> None:
        self.letters = [letter(n, AT + timedelta(milliseconds=n)) for n in range(count)]
        self.late: list[DeadLetter] = []
        self.most = 0

    async def ask(self, _path: str, request: Any, _timeout: float = 0.0, /) -> Any:
        found: Callable[[], object] = getattr(self, type(request).__name__)
        return found(request)  # type: ignore[call-arg]

    def ReadDeadLetters(self, request: ReadDeadLetters) -> list[DeadLetter]:  # noqa: N802
        until = request.until or datetime.max.replace(tzinfo=UTC)
        found = sorted((each for each in self.letters if each.at <= until), key=lambda each: each.at, reverse=True)
        self.most = max(self.most, request.limit)
        if request.until is not None and self.late:
            self.letters.append(self.late.pop())
        return found[request.skip :][: request.limit]

    def FindDeadLetters(self, request: FindDeadLetters) -> list[DeadLetter]:  # noqa: N802
        return [each for each in self.letters if (each.topic, each.partition, each.offset) in request.places]

    def DeleteDeadLetters(self, request: DeleteDeadLetters) -> int:  # noqa: N802
        gone = {place_of(each) for each in request.letters}
        self.letters = [each for each in self.letters if place_of(each) not in gone]
        return len(gone)

    def SendBack(self, request: SendBack) -> LettersSent:  # noqa: N802
        self.DeleteDeadLetters(DeleteDeadLetters(request.letters))
        self.letters += [letter(each.offset + 100_000, AT + timedelta(days=1)) for each in request.letters]
        return LettersSent(len(request.letters), len(request.letters))


async def test_all_are_sent_back_once_and_few_are_held_at_a_time() -> None:
    store = Store(MANY)
    assert await DeadLetters(store.ask).replay() == LettersSent(MANY, MANY)
    assert sorted(each.offset for each in store.letters) == [*range(100_000, 100_000 + MANY)]
    assert store.most <= 1000


async def test_all_are_dropped() -> None:
    store = Store(MANY)
    assert await DeadLetters(store.ask).drop() == MANY
    assert store.letters == []


async def test_what_another_process_kept_before_but_stored_only_meanwhile_is_dealt_with_too() -> None:
    store = Store(1000)
    store.late = [letter(2000, store.letters[-1].at)]  # as late as the newest of them when it was asked for
    assert await DeadLetters(store.ask).replay() == LettersSent(1001, 1001)
    assert len(store.letters) == 1001


@pytest.mark.parametrize("command", ["replay_dead_letters", "drop_dead_letters"])
async def test_who_asks_through_the_socket_gets_an_answer_after_some_and_asks_again(command: str) -> None:
    store = Store(MANY)
    answer = DeadLetters(store.ask).answers()[command]
    arguments: dict[str, Any] = {}
    done = 0
    while True:
        some = msgspec.json.decode(await answer(arguments), type=SomeDone)
        done += some.letters
        assert some.letters <= 1000
        if some.until is None:
            break
        arguments = {"until": some.until.isoformat()}
    assert done == MANY


async def test_some_are_named_wherever_they_stand_in_the_list() -> None:
    store = Store(MANY)
    letters = DeadLetters(store.ask)
    assert await letters.drop(["backbone.quotes/3/0", "backbone.quotes/3/10449"]) == 2
    with pytest.raises(ValueError, match="there is no dead letter at 'backbone"):
        await letters.replay(["backbone.quotes/3/0", "backbone.quotes/3/1"])
    assert len(store.letters) == MANY - 2
    assert await letters.replay([]) == LettersSent(0, 0)
