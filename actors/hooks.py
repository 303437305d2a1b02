"""What a class of actors may override, and the table of its handlers."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from actors.handlers import Table, build_table
from actors.specs import Children, check_children
from actors.stop_reason import StopReason


class Ignore:
    """The type of IGNORE."""

    def __repr__(self) -> str:
        return "IGNORE"


IGNORE: Final = Ignore()


class Hooks:
    """The hooks of an actor, all of which do nothing here. Derive from Actor, which has a context as well."""

    children: ClassVar[Children] = Children()
    __table__: ClassVar[Table] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.children is not Hooks.children:  # also a mixin's: it may mean something else by that name
            check_children(cls.__qualname__, cls.children)
        cls.__table__ = build_table(cls)

    async def on_start(self) -> Ignore | None:
        """Acquire what is needed; start_child() returns when this has returned. `return IGNORE` declines to start."""
        return None

    async def after_start(self) -> None:
        """Runs after the start was reported; a failure here is a crash."""

    async def on_stop(self, reason: StopReason) -> None:
        """Release what on_start acquired. Not called after a kill, nor where on_start failed."""

    def inspect(self) -> dict[str, Any]:
        """What the roster's detail and crash reports may show. Leave secrets out here."""
        return {}

    def __bind__(self, run: Any) -> None:
        """The life that this instance is of, before on_start."""
