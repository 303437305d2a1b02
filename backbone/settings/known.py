"""Secrets that are known in this process, masked wherever they turn up, in whatever spelling."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache, partial
from urllib.parse import quote, quote_plus, unquote
from weakref import WeakKeyDictionary

from backbone.settings.addresses import passwords_in
from backbone.settings.secrets import MASK, Secret, alive

__all__ = ["mask_known"]

_LONG = 12
_SHORT = 6
_SPELLINGS: WeakKeyDictionary[Secret, tuple[str, ...]] = WeakKeyDictionary()


def mask_known(text: str) -> str:
    """The text with ``***`` for each secret that somebody holds in this process.

    A short secret of letters alone, or of digits alone, is not looked for: it would hide words and numbers that mean
    something else.
    """
    for spelling in _spellings(tuple(alive())):
        text = text.replace(spelling, MASK)
    return text


@lru_cache(maxsize=1)
def _spellings(numbers: tuple[int, ...]) -> list[str]:
    """The longest first, since one secret may be a part of another."""
    secrets = alive()
    found = {each for number in numbers if number in secrets for each in _spellings_of(secrets[number])}
    return sorted(found, key=len, reverse=True)


def _spellings_of(secret: Secret) -> tuple[str, ...]:
    found = _SPELLINGS.get(secret)
    if found is None:
        found = _SPELLINGS[secret] = tuple({each for value in _values(secret.reveal()) for each in _spelt(value)})
    return found


def _values(value: str) -> list[str]:
    whole = passwords_in(value) if "://" in value else [value]
    pieces = [*whole, *map(unquote, whole)]
    pieces += [line.strip() for piece in pieces for line in piece.splitlines()]
    return [piece for piece in pieces if _is_distinct(piece)]


def _is_distinct(value: str) -> bool:
    mixed = any(map(str.isalpha, value)) and not all(char.isalpha() or char in "_-. " for char in value)
    return MASK not in value and len(value.strip()) >= (_SHORT if mixed else _LONG)


def _spelt(value: str) -> Iterator[str]:
    yield value
    yield " ".join(value.split())
    yield repr(value)[1:-1]
    yield value.encode("unicode_escape").decode()
    yield from (json.dumps(value, ensure_ascii=ascii_only)[1:-1] for ascii_only in (False, True))
    for encode in (quote, partial(quote, safe=""), quote_plus):
        yield encode(value.encode("utf-8", "surrogatepass"))
