"""Damage: bits flipped, bytes lost, doubled, exchanged, numbers made extreme, two texts joined."""

from __future__ import annotations

from random import Random
from typing import Final

__all__ = ["mutated"]

_EXTREME: Final = [
    value.to_bytes(size, "little", signed=True)
    for size in (1, 2, 4, 8)
    for value in (0, 1, -1, 2 ** (8 * size - 1) - 1, -(2 ** (8 * size - 1)))
]
_TEXTS: Final = [
    b"\0",
    b"\xff\xfe",
    b"\x1b[31m",
    "\u202e".encode(),
    b'"',
    b"\n",
    b",",
    b"9" * 400,
    b"1e999",
    b"-",
    b"\r",
]


def mutated(rng: Random, data: bytes, other: bytes) -> bytes:
    """The bytes with one to four things wrong; `other` is what pieces are taken from."""
    body = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        _damage(rng, body, other)
    return bytes(body)


def _damage(rng: Random, body: bytearray, other: bytes) -> None:
    at = rng.randrange(len(body) + 1) if rng.random() < 0.7 else rng.randrange(max(1, len(body) - 400), len(body) + 2)
    length = rng.choice([1, 4, 8, 64, 1024])
    kind = rng.randrange(7)
    if kind == 0 and body:
        body[min(at, len(body) - 1)] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del body[at : at + length]
    elif kind == 2:
        body[at:at] = body[at : at + length] * rng.choice([1, 2, 50])
    elif kind == 3:
        value = rng.choice(_EXTREME)
        body[at : at + len(value)] = value
    elif kind == 4:
        start = rng.randrange(len(other) + 1)
        body[at : at + rng.choice([0, length])] = other[start : start + length]
    elif kind == 5:
        body[at:at] = rng.choice(_TEXTS)
    else:
        del body[at:]
