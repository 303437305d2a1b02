"""A handler's return annotation and the request that it answers: what surely disagrees is refused with the class."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterator, Mapping, Sequence
from enum import Enum
from types import ModuleType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Generic,
    Literal,
    NewType,
    NoReturn,
    Protocol,
    TypeAlias,
    TypedDict,
    TypeVar,
)

import pytest

from actors import Actor, ChildSpec, Message, Request, handles
from actors.testing import TestSystem

if TYPE_CHECKING:
    Hidden: TypeAlias = int

T = TypeVar("T")
UserId = NewType("UserId", int)


class Bar:
    pass


class FineBar(Bar):
    pass


class Priced(Protocol):
    price: float


class Color(Enum):
    RED = 1


class Wild(Any):  # type: ignore[misc]
    pass


class Proxy:
    def __getattr__(self, name: str) -> Any:
        return getattr([], name)


class Row(TypedDict):
    price: float


class Note(Message):
    pass


class AnyOf(Request[T], Generic[T]):
    pass


def answering(asked: Any, returned: Any, *, later: bool = False) -> type[Actor]:
    """An actor whose one handler answers a Request[asked], and is annotated with what it returns."""

    class Get(Request[asked]):
        pass

    def get(self: Any, message: Get) -> Any: ...

    async def get_later(self: Any, message: Get) -> Any: ...

    handler = get_later if later else get
    handler.__annotations__["return"] = returned
    return type("Answers", (Actor,), {"get": handles(handler)})


OPEN: Any = T
AGREE: list[tuple[Any, Any]] = [
    (int, OPEN),
    (OPEN, str),
    (list[int], list[OPEN]),
    (int, int),
    (int, "int"),
    (int, bool),
    (float, int),
    (complex, float),
    (float, bool),
    (float, Literal[True]),
    (Literal["a"], Wild),
    (Sequence[int], Proxy),
    (Hashable, dict[str, int]),
    (Bar, FineBar),
    (int, None),
    (int, "None"),
    (int, int | None),
    (int, Any),
    (int, object),
    (int, NoReturn),
    (int, Literal[1, 2]),
    (int, Literal[1, None]),
    (int, Annotated[int, "seconds"]),
    (int, UserId),
    (int, "Hidden"),
    (int, "list[Hidden]"),
    (int, "Nobody.knows"),
    (int, Awaitable[int]),
    (int, Coroutine[Any, Any, bool]),
    (int, int | Awaitable[int]),
    (int, Awaitable),
    (int, asyncio.Future[int]),
    (UserId, int),
    ("Bar", str),
    (Any, str),
    (object, str),
    (None, None),
    (int | None, int),
    (int | str, int),
    (int | str, str | int),
    (Literal["a", "b"], Literal["a"]),
    (Literal["a", "b"], str),
    (Literal["a"] | Literal["b"], Literal["a", "b"]),
    (list[int], list[int]),
    (list[int], list[bool]),
    (list[int], list),
    (list, list[int]),
    (list[int], list["Bar"]),
    (tuple[int, ...], tuple[int, int]),
    (tuple[int, ...], tuple[bool, ...]),
    (dict[str, float], dict[str, int]),
    (dict[str, float], Row),
    (Row, dict[str, float]),
    (Mapping[str, int], dict[str, int]),
    (Sequence[int], list[int]),
    (Callable[[int], str], Callable[[int], str]),
    (Callable[..., Any], type),
    (type[Bar], type[FineBar]),
    (Priced, Bar),
    (Bar, Priced),
    (bytes, bytearray),
]


@pytest.mark.parametrize(("asked", "returned"), AGREE, ids=str)
def test_what_fits_or_can_not_be_judged_is_taken(asked: Any, returned: Any) -> None:
    answering(asked, returned)


DISAGREE: list[tuple[Any, Any]] = [
    (int, str),
    (int, "str"),
    (int, float),
    (FineBar, Bar),
    (int, int | str),
    (int, str | None),
    (int, Literal["1"]),
    (int, Annotated[str, "seconds"]),
    (int, Awaitable[str]),
    (int, Coroutine[Any, Any, str]),
    (int, int | Awaitable[str]),
    (None, int),
    (int | None, str),
    (Literal["a", "b"], Literal["a", "c"]),
    (Literal["a"], int),
    (Bar, Color),
    (list[int], list[str]),
    (list[int], int),
    (list[int], tuple[int, ...]),
    (list[int], Sequence[int]),
    (list[int], Iterator[int]),
    (tuple[int, ...], tuple[str, ...]),
    (tuple[int, str], tuple[int, int]),
    (dict[str, int], dict[str, str]),
    (list[list[int]], list[list[str]]),
]


@pytest.mark.parametrize(("asked", "returned"), DISAGREE, ids=str)
def test_what_is_no_reply_is_refused(asked: Any, returned: Any) -> None:
    with pytest.raises(
        TypeError, match=r"get: got the return annotation .*; allowed: .*, which .*Get asks for, or None"
    ):
        answering(asked, returned)


@pytest.mark.parametrize("returned", [Awaitable[int], Coroutine[Any, Any, int]], ids=str)
def test_an_async_handler_is_awaited_once(returned: Any) -> None:
    answering(int, int, later=True)
    with pytest.raises(TypeError, match=r"allowed: int, which"):
        answering(int, returned, later=True)


class Total(Request[int]):
    pass


class Name(Request[str]):
    pass


def test_the_refusal_names_the_handler_what_it_says_and_what_is_asked_for() -> None:
    text = (
        r"Wrong\.total: got the return annotation str; allowed: int, which Total asks for, "
        r"or None where the reply is deferred$"
    )
    with pytest.raises(TypeError, match=text):

        class Wrong(Actor):
            @handles
            async def total(self, message: Total) -> str:
                return ""


def test_a_handler_of_several_requests_returns_what_any_of_them_asks_for() -> None:
    class Fine(Actor):
        @handles
        def both(self, message: Total | Name) -> int | str:
            return 1

    with pytest.raises(TypeError, match=r"allowed: int \| str, which Total, Name asks for"):

        class Wrong(Actor):
            @handles
            def both(self, message: Total | Name) -> int | bytes:
                return 1


def test_what_a_handler_returns_for_a_message_that_asks_nothing_is_nobodys() -> None:
    class Fine(Actor):
        @handles
        def note(self, message: Note) -> int:
            return 1

    class Mixed(Actor):
        @handles
        def both(self, message: Note | Total) -> int | bytes:
            return 1

    with pytest.raises(TypeError, match=r"allowed: int, which Total asks for"):

        class Wrong(Actor):
            @handles
            def both(self, message: Note | Total) -> bytes:
                return b""


def test_a_handler_that_says_nothing_is_not_judged() -> None:
    class Fine(Actor):
        @handles
        def total(self, message: Total):  # type: ignore[no-untyped-def]
            return 1


def test_a_name_that_only_a_type_checker_knows_is_not_judged() -> None:
    class Fine(Actor):
        @handles
        async def total(self, message: Total) -> Hidden:
            return 1


def test_a_reply_that_is_left_open_is_not_judged() -> None:
    class Fine(Actor):
        @handles
        def any_of(self, message: AnyOf) -> str:  # type: ignore[type-arg]
            return ""


def test_a_request_that_derives_from_another_asks_for_the_same() -> None:
    class Sub(Total):
        pass

    with pytest.raises(TypeError, match=r"allowed: int, which Sub asks for"):

        class Wrong(Actor):
            @handles
            def total(self, message: Sub) -> str:
                return ""


def test_an_override_without_the_mark_answers_the_same_requests() -> None:
    class Base(Actor):
        @handles
        def total(self, message: Total) -> int:
            return 1

    class Fine(Base):
        def total(self, message: Total) -> bool:
            return True

    with pytest.raises(TypeError, match=r"Wrong\.total: got the return annotation str"):

        class Wrong(Base):
            def total(self, message: Total) -> str:  # type: ignore[override]
                return ""


def as_text(method: Callable[[Any, Any], Any]) -> Callable[[Any, Any], str]:
    @functools.wraps(method)
    def wrapper(self: Any, message: Any) -> str:
        return str(method(self, message))

    return wrapper


async def test_a_decorator_may_make_a_reply_of_what_the_method_returns(actor_system: TestSystem) -> None:
    class Decorated(Actor):
        @handles
        @as_text
        def name(self, message: Name) -> int:
            return 7

    assert await (await actor_system.start_child(ChildSpec("a", Decorated))).ask(Name()) == "7"


def test_a_name_in_the_class_goes_before_one_around_it() -> None:
    class Aliased(Actor):
        Bar: TypeAlias = int

        @handles
        def total(self, message: Total) -> Bar:
            return 1

    with pytest.raises(TypeError, match=r"Wrong\.total: got the return annotation Bar"):

        class Wrong(Actor):
            @handles
            def total(self, message: Total) -> Bar:
                return Bar()


MIXIN = """
from __future__ import annotations
from actors import Message, Request, handles

class Reply: ...
class Note(Message): ...
class Get(Request[Reply]): ...

class Mixin:
    @handles
    def note(self, message: Note) -> None: ...
    @handles
    def get(self, message: Get) -> Reply: ...
"""


def test_a_mixin_of_another_module_means_the_names_of_its_own() -> None:
    module = ModuleType("mixins")
    exec(MIXIN, vars(module))  # noqa: S102 - a module with names that are taken here, too

    class Note(Message):
        pass

    class Reply:
        pass

    class Mixed(module.Mixin, Actor):  # type: ignore[name-defined, misc]
        pass

    assert set(Mixed.__table__) == {module.Note, module.Get}
