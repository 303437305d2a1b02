"""What of its sender a message carries where a system traces: the sender's path, and values of context variables.

A message's origin is a tuple: the path of who sent it (None: no actor), then a value for each variable. It is read
where the message is sent, and the variables are set to it while the message is handled, and no longer.
"""

from __future__ import annotations

import contextvars
from collections.abc import Iterable
from typing import Any, Protocol

from actors._core.tasks import OWNER
from actors.errors import SpecError

Origin = tuple[Any, ...]
Tokens = list[tuple[Any, Any]]
SENDER: contextvars.ContextVar[str | None] = contextvars.ContextVar("actors_sender", default=None)
_UNSET: Any = object()  # the value of a variable that has none, and no default either


class Variable(Protocol):
    """A context variable, or what can be used as one."""

    def get(self, default: Any, /) -> Any:
        """The value here, or `default`."""

    def set(self, value: Any, /) -> Any:
        """Change the value here; returns a token for `reset`."""

    def reset(self, token: Any, /) -> None:
        """Go back to what was before."""


class Spans(Protocol):
    """Is told where the handling of a message begins and ends."""

    def begin(self, run: Any, message: Any, handler: Any, sender: str | None) -> Any:
        """It begins; what is returned is handed to `end`."""

    def end(self, span: Any, error: BaseException | None) -> None:
        """It has ended, by `error` if there is one."""


class Tracing:
    """The variables of one system, and who is told of handled messages.

    Raises:
        SpecError: something is no ContextVar.
    """

    def __init__(self, name: str, propagate: Iterable[contextvars.ContextVar[Any]]) -> None:
        named = tuple(propagate) if isinstance(propagate, Iterable) else (None,)
        if not all(isinstance(each, contextvars.ContextVar) for each in named):
            raise SpecError(f"{name}: propagate: got {propagate!r}; allowed: ContextVars in a tuple: (request_id,)")
        self._own = tuple(dict.fromkeys(each for each in named if each is not None))
        empty = contextvars.Context()
        self.variables: list[tuple[Variable, Any]] = [(each, empty.run(_default, each)) for each in self._own]
        self.spans: Spans | None = None
        self._base = empty

    def carry(self, variable: Variable, default: Any) -> None:
        """Propagate something else as well; before the system is opened."""
        self.variables.append((variable, default))

    @property
    def nobody(self) -> Origin:
        """The origin of what no message has caused: nobody's path, and defaults."""
        return None, *[default for _, default in self.variables]

    def here(self) -> Origin:
        """The origin of a message that is sent here."""
        owner = OWNER.get()
        return None if owner is None else owner.path, *[each.get(default) for each, default in self.variables]

    def work(self) -> Origin:
        """The origin of a task that is begun here: it goes on for the sender of the message in hand."""
        return SENDER.get(), *[each.get(default) for each, default in self.variables]

    def enter(self, origin: Origin) -> Tokens:
        """Set the variables; returns what `leave` needs."""
        tokens: Tokens = [(SENDER, SENDER.set(origin[0]))]
        for (variable, _), value in zip(self.variables, origin[1:], strict=True):
            if value is not _UNSET:
                tokens.append((variable, variable.set(value)))
        return tokens

    def leave(self, tokens: Tokens) -> None:
        """Set the variables back, and with them what a handler has made of them."""
        for variable, token in tokens:
            variable.reset(token)

    def open(self) -> contextvars.Context:
        """The context of the system's tasks: that in which it is opened, without the values of whoever opens it."""
        self._base = base = contextvars.Context()
        for variable, value in contextvars.copy_context().items():
            if variable is not SENDER and variable not in self._own:
                base.run(variable.set, value)
        base.run(self.enter, self.nobody)
        return base

    def context(self, origin: Origin) -> contextvars.Context:
        """The context of a task with this origin."""
        context = self._base.copy()
        context.run(self.enter, origin)
        return context


def _default(variable: contextvars.ContextVar[Any]) -> Any:
    try:
        return variable.get()
    except LookupError:
        return _UNSET
