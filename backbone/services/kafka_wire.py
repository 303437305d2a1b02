"""As much of Kafka's protocol as lets accounts in and asks for the brokers (kafka.apache.org/protocol).

A connection logs in with SASL (PLAIN for the launcher itself, SCRAM-SHA-512 for accounts), then asks.
"""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
from anyio.abc import ByteStream
from anyio.streams.buffered import BufferedByteReceiveStream

from backbone.services import scram
from backbone.services.service import NotReady

_METADATA, _HANDSHAKE, _AUTHENTICATE, _CREATE_ACLS, _ALTER_USERS = 3, 17, 36, 30, 51
_CLIENT = b"launcher"
_MOST_BYTES = 1 << 20
_SCRAM_SHA_512 = 2
_PREFIXED, _ALLOW = 4, 3
TOPIC, GROUP, TRANSACTION = 2, 3, 5
READ, WRITE, CREATE, DELETE, DESCRIBE, DESCRIBE_CONFIGS = 3, 4, 5, 6, 8, 10


@dataclass(frozen=True, slots=True)
class Grant:
    """What one account may do to resources whose names begin with a prefix."""

    account: str
    resource: int
    prefix: str
    operation: int


class Conversation:
    """One connection to a broker, asked one thing after another."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream, self._received, self._asked = stream, BufferedByteReceiveStream(stream), 0

    async def log_in_plain(self, user: str, password: str) -> None:
        """Log in with the password itself; raise NotReady where it is refused."""
        await self._handshake("PLAIN")
        await self._authenticate(f"\0{user}\0{password}".encode())

    async def log_in(self, user: str, password: str) -> None:
        """Log in with SCRAM-SHA-512; raise NotReady where it is refused, or the server does not know the password."""
        await self._handshake("SCRAM-SHA-512")
        login = scram.Login(user, password)
        try:
            challenge = await self._authenticate(login.first())
            login.check(await self._authenticate(login.final(challenge)))
        except (ValueError, KeyError) as error:
            raise NotReady(f"login as {user}: {error}") from None

    async def brokers(self) -> int:
        """Return how many brokers the metadata names, no topics asked for."""
        answer = await self._ask(_METADATA, 4, struct.pack(">i?", 0, False))
        _throttle, brokers = struct.unpack_from(">ii", answer)
        return int(brokers)

    async def set_passwords(self, passwords: Mapping[str, str]) -> None:
        """Make accounts, or give those that there are a password."""
        rows = b""
        for account, password in passwords.items():
            known = scram.salted(password, "sha512")
            rows += _compact(account.encode()) + struct.pack(">bi", _SCRAM_SHA_512, scram.ROUNDS)
            rows += _compact(known.salt) + _compact(known.key) + _NO_TAGS
        body = _varint(1) + _varint(len(passwords) + 1) + rows + _NO_TAGS
        answer = await self._ask(_ALTER_USERS, 0, body, flexible=True)
        _count, position = _read_varint(answer, struct.calcsize(">i"))
        for _ in passwords:
            account, position = _read_compact(answer, position)
            code = struct.unpack_from(">h", answer, position)[0]
            reason, position = _read_compact(answer, position + 2)
            _refuse(code, f"the password of {account}: {reason}")
            position += len(_NO_TAGS)

    async def allow(self, grants: Sequence[Grant]) -> None:
        """Allow what is granted; what was allowed before stays."""
        rows = b"".join(
            struct.pack(">b", each.resource)
            + _text(each.prefix)
            + struct.pack(">b", _PREFIXED)
            + _text(f"User:{each.account}")
            + _text("*")
            + struct.pack(">bb", each.operation, _ALLOW)
            for each in grants
        )
        answer = await self._ask(_CREATE_ACLS, 1, struct.pack(">i", len(grants)) + rows)
        position = 8
        for each in grants:
            code, length = struct.unpack_from(">hh", answer, position)
            position += 4 + max(length, 0)
            _refuse(code, f"rights of {each.account}")

    async def _handshake(self, mechanism: str) -> None:
        answer = await self._ask(_HANDSHAKE, 1, _text(mechanism))
        _refuse(struct.unpack_from(">h", answer)[0], f"login by {mechanism}")

    async def _authenticate(self, words: bytes) -> bytes:
        answer = await self._ask(_AUTHENTICATE, 0, struct.pack(">i", len(words)) + words)
        code, length = struct.unpack_from(">hh", answer)
        length = max(length, 0)
        _refuse(code, answer[4 : 4 + length].decode(errors="replace"))
        size = struct.unpack_from(">i", answer, 4 + length)[0]
        return answer[8 + length : 8 + length + size]

    async def _ask(self, what: int, version: int, body: bytes, *, flexible: bool = False) -> bytes:
        self._asked += 1
        header = struct.pack(f">hhih{len(_CLIENT)}s", what, version, self._asked, len(_CLIENT), _CLIENT)
        request = header + (_NO_TAGS if flexible else b"") + body
        await self._stream.send(struct.pack(">i", len(request)) + request)
        size = struct.unpack(">i", await self._received.receive_exactly(4))[0]
        if not 4 < size <= _MOST_BYTES:
            raise NotReady(f"an answer of {size} bytes is none of Kafka's")
        answer = await self._received.receive_exactly(size)
        return answer[5 if flexible else 4 :]


@asynccontextmanager
async def conversation(port: int, timeout: float) -> AsyncIterator[Conversation]:
    """Connect to a broker of this machine; everything in the block has to be done within `timeout` seconds.

    Raises:
        NotReady: nobody listens, the answer is none, or it takes too long.
    """
    try:
        with anyio.fail_after(timeout):
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                yield Conversation(stream)
    except (
        OSError,
        anyio.IncompleteRead,
        anyio.EndOfStream,
        anyio.BrokenResourceError,
        struct.error,
        IndexError,
    ) as error:
        raise NotReady(f"no answer of Kafka's on port {port}: {type(error).__name__}") from None


_NO_TAGS = b"\0"


def _text(words: str) -> bytes:
    return struct.pack(">h", len(words.encode())) + words.encode()


def _compact(words: bytes) -> bytes:
    return _varint(len(words) + 1) + words


def _read_compact(answer: bytes, position: int) -> tuple[str, int]:
    """A text, and where the next thing begins."""
    size, begin = _read_varint(answer, position)
    end = begin + max(size - 1, 0)
    return answer[begin:end].decode(errors="replace"), end


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    coded = bytearray()
    while number > 0x7F:
        coded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*coded, number])


def _read_varint(answer: bytes, position: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = answer[position]
        number |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte <= 0x7F:
            return number, position


def _refuse(code: int, what: str) -> None:
    if code:
        raise NotReady(f"Kafka refused: {what} (error {code})")
