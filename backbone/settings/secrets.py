"""Secrets: values that never show up in logs, reports, tracebacks or JSON."""

from __future__ import annotations

import hmac
from itertools import count
from typing import NoReturn, Self, SupportsIndex
from weakref import WeakValueDictionary

__all__ = ["MASK", "Secret", "alive"]

MASK = "***"
_ALIVE: WeakValueDictionary[int, Secret] = WeakValueDictionary()
_NUMBERS = count()


class Secret(str):
    """A text that reads as ``***`` to everything but `reveal`.

    As a text it *is* ``***``: formatting, JSON and msgspec can't do otherwise. Two secrets are equal when their values
    are, which is compared in constant time; a secret never equals a plain text. It can't be pickled. As long as one
    lives, the redactor masks its value wherever it finds it.
    """

    __slots__ = ("__value", "__weakref__")
    __value: str

    def __new__(cls, value: str) -> Self:
        """Wrap a value."""
        self = super().__new__(cls, MASK)
        self.__value = value.__value if isinstance(value, Secret) else str(value)
        _ALIVE[next(_NUMBERS)] = self
        return self

    def reveal(self) -> str:
        """The value itself: hand it to the client that needs it, inside the call, and keep it in no variable."""
        return self.__value

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return False
        return hmac.compare_digest(_bytes(self.__value), _bytes(other.__value))

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((Secret, self.__value))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a Secret can't be pickled: it would leave the process in clear; hand on where it comes from")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def alive() -> dict[int, Secret]:
    """All secrets that somebody holds in this process, by numbers that are never used again."""
    references = _ALIVE.valuerefs()  # a copy: other threads make secrets, too
    return {each.key: secret for each in references if (secret := each()) is not None}
