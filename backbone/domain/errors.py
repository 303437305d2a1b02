"""The root of what backbone raises on purpose, and the codes by which an error travels between actors and processes."""

from __future__ import annotations

from typing import ClassVar

from backbone.domain.text import written_out

__all__ = ["BackboneClosed", "BackboneError", "of_code"]


class BackboneError(Exception):
    """What is the world's or the caller's fault, told with what to do. `except BackboneError` catches all of them.

    Its text may name what came from elsewhere, such as a file or a symbol: what can't be printed is written out.

    Attributes:
        code: names the kind where the class itself can't travel. A class that defines one of its own can be refused by
            an actor and is raised again, as itself, where it was asked for; others travel as their base class.
    """

    code: ClassVar[str] = "error"

    def __str__(self) -> str:
        return written_out(super().__str__(), keep="\n")

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "code" in vars(cls):
            known = _KINDS.setdefault(cls.code, cls)
            if known is not cls and known.__qualname__ != cls.__qualname__:
                text = f"the code {cls.code!r} is that of {known.__qualname__}; choose another"
                raise TypeError(f"{cls.__qualname__}: {text}")


_KINDS: dict[str, type[BackboneError]] = {BackboneError.code: BackboneError}


def of_code(code: str) -> type[BackboneError] | None:
    """The class that has this code; None: there is none, or its module has not been loaded."""
    return _KINDS.get(code)


class BackboneClosed(BackboneError, RuntimeError):
    """This backbone was left: open another one with `Backbone.open`, and use it inside its `async with`."""

    code = "closed"
