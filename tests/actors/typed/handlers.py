"""Which methods may be handlers. A line with `ignore` must be refused by the checker it names; no other may."""

from __future__ import annotations

from typing import Generic, TypeVar, assert_type

from actors import Actor, ActorCrashed, ActorRef, Message, Request, Terminated, handles

T = TypeVar("T")


class Note(Message):
    text: str = ""


class Number(Request[int]):
    pass


class Sound(Actor):
    @handles
    def note(self, message: Note) -> None: ...

    @handles
    async def number(self, message: Number) -> int:
        return 1

    @handles
    def either(self, message: Terminated | Note) -> None: ...

    async def call(self) -> None:
        self.note(Note("direct"))
        assert_type(await self.number(Number()), int)
        self.note(Number())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


class Further(Sound):
    @handles
    def note(self, message: Note) -> None:
        super().note(message)

    async def number(self, message: Number) -> int:
        return await super().number(message) + 1


class Keeper(Actor, Generic[T]):
    @handles
    def note(self, message: Note) -> None: ...


class Wrong(Actor):
    @handles  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
    def number(self, message: int) -> None: ...

    @handles  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
    async def later(self, message: int) -> None: ...

    @handles  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
    def event(self, message: ActorCrashed) -> None: ...

    @handles  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
    def message_class(self, message: type[Note]) -> None: ...

    @handles  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    def nothing(self) -> None: ...

    @handles  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    def two(self, message: Note, other: Note) -> None: ...

    @handles  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    def named(self, *, message: Note) -> None: ...

    # pyright takes a parameter that any message could be given to; the class is refused when it is made
    @handles  # type: ignore[type-var]
    def note_or_number(self, message: Note | int) -> None: ...

    @handles  # type: ignore[type-var]
    def anything(self, message: object) -> None: ...


class Worse(Sound):
    def note(self, message: Note) -> int:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return 1


async def ask(ref: ActorRef) -> None:
    assert_type(await ref.ask(Number()), int)
    await ref.ask(Note())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await ref.tell(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
