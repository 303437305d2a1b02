"""What a client raises that was called with a secret."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from typing import NoReturn

import anyio
import pytest

from backbone.settings import Secret
from backbone.settings.discretion import discreetly
from tests.backbone.secrecy.reporter import recorded

CANARY = "CANARY-d15cr33t"
SECRET = Secret(CANARY)


def fail(password: str) -> NoReturn:
    raise ConnectionError(f"{password} is wrong")


async def from_cause(password: str) -> None:
    try:
        fail(password)
    except ConnectionError as error:
        raise LookupError(password) from error


async def from_nowhere(password: str) -> None:
    fail(password)


async def in_passing(password: str) -> None:
    try:
        fail(password)
    except ConnectionError:
        raise LookupError(password)  # noqa: B904 - the context is what is looked at


async def in_a_group(password: str) -> None:
    try:
        fail(password)
    except ConnectionError as error:
        error.add_note(f"at {password}")
        raise ExceptionGroup("all", [error, ExceptionGroup("more", [ValueError(password)])]) from None


class Stubborn(Exception):
    """It can't be changed in the usual way."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.__dict__["text"] = text

    def __setattr__(self, name: str, value: object) -> None:
        raise RuntimeError(f"{name} can't be set")


async def of_the_system(password: str) -> None:
    raise FileNotFoundError(2, f"nothing for {password}", f"/run/{password}")


async def of_an_encoding(password: str) -> None:
    raise UnicodeEncodeError("idna", password, 0, 1, f"{password} is no host")


async def stubborn(password: str) -> None:
    raise Stubborn(password)


CLIENTS = [from_cause, in_passing, in_a_group, of_the_system, of_an_encoding, stubborn]


@pytest.mark.parametrize("client", CLIENTS)
async def test_neither_frames_nor_texts_of_an_error_hold_it(client: Callable[[str], Awaitable[None]]) -> None:
    with pytest.raises((LookupError, ExceptionGroup, OSError, UnicodeError, Stubborn)) as raised:
        await discreetly(lambda: client(SECRET.reveal()))
    assert CANARY not in recorded(raised.value, but="")
    assert "***" in "".join(traceback.format_exception(raised.value))


async def test_what_the_caller_was_handling_before_keeps_its_frames() -> None:
    before = LookupError("the last try")

    async def try_again() -> None:
        try:
            raise before
        except LookupError:
            await discreetly(lambda: from_nowhere(SECRET.reveal()))

    with pytest.raises(ConnectionError) as raised:
        await try_again()
    assert raised.value.__context__ is before
    assert before.__traceback__ is not None
    assert CANARY not in recorded(raised.value, but="")


async def test_a_cancelled_call_leaves_no_frames_either() -> None:
    async def client(password: str) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            assert password

    with pytest.raises(TimeoutError) as raised, anyio.fail_after(0.01):
        await discreetly(lambda: client(SECRET.reveal()))
    assert CANARY not in recorded(raised.value, but="")


async def test_what_it_returns_is_handed_on() -> None:
    async def client(password: str) -> int:
        return len(password)

    assert await discreetly(lambda: client(SECRET.reveal())) == len(CANARY)
