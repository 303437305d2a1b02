"""Passwords as servers keep and check them: SCRAM (RFC 5802, RFC 7677), so that no server is ever told one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass

ROUNDS = 4096
_MOST_ROUNDS = 1_000_000  # about a second: who answers decides how often we hash, and may be anybody


@dataclass(frozen=True, slots=True)
class Salted:
    """A password as it is stored: who has it can log in, as with the password itself."""

    salt: bytes
    key: bytes


def salted(password: str, digest: str, salt: bytes | None = None, rounds: int = ROUNDS) -> Salted:
    """Salt an ASCII password.

    Args:
        password: the password.
        digest: sha256 or sha512.
        salt: a random one if None.
        rounds: how often it is hashed.
    """
    salt = secrets.token_bytes(16) if salt is None else salt
    return Salted(salt, hashlib.pbkdf2_hmac(digest, password.encode("ascii"), salt, rounds))


def postgresql_verifier(password: str) -> str:
    """Return what PostgreSQL stores of a password (RFC 5803), so that the server and its log never see the password."""
    known = salted(password, "sha256")
    stored = hashlib.sha256(hmac.digest(known.key, b"Client Key", "sha256")).digest()
    server = hmac.digest(known.key, b"Server Key", "sha256")
    coded = [_text(part) for part in (known.salt, stored, server)]
    return f"SCRAM-SHA-256${ROUNDS}:{coded[0]}${coded[1]}:{coded[2]}"


class Login:
    """One login with SCRAM-SHA-512: two messages of the client, then the proof that the server knows the password."""

    def __init__(self, user: str, password: str) -> None:
        self._password = password
        self._bare = f"n={user},r={secrets.token_urlsafe(18)}"
        self._server_key = b""
        self._said = b""

    def first(self) -> bytes:
        """The client's first message."""
        return f"n,,{self._bare}".encode()

    def final(self, challenge: bytes) -> bytes:
        """The client's answer to the server's first message.

        Raises:
            ValueError: it is none, answers somebody else's message, or wants the password hashed without end.
        """
        fields = _fields(challenge)
        if not fields.get("r", "").startswith(self._bare.rpartition("r=")[2]):
            raise ValueError("the server answered another client's login")
        rounds = int(fields["i"])
        if not ROUNDS <= rounds <= _MOST_ROUNDS:
            raise ValueError(f"the server wants the password hashed {rounds:,} times; it is somebody else's")
        known = salted(self._password, "sha512", base64.b64decode(fields["s"]), rounds)
        without_proof = f"c=biws,r={fields['r']}"
        self._said = b",".join((self._bare.encode(), challenge, without_proof.encode()))
        self._server_key = hmac.digest(known.key, b"Server Key", "sha512")
        client = hmac.digest(known.key, b"Client Key", "sha512")
        signature = hmac.digest(hashlib.sha512(client).digest(), self._said, "sha512")
        proof = bytes(one ^ other for one, other in zip(client, signature, strict=True))
        return f"{without_proof},p={_text(proof)}".encode()

    def check(self, answer: bytes) -> None:
        """Take the server's last message.

        Raises:
            ValueError: it does not know the password: it is somebody else's server.
        """
        given = base64.b64decode(_fields(answer).get("v", ""))
        if not hmac.compare_digest(given, hmac.digest(self._server_key, self._said, "sha512")):
            raise ValueError("the server does not know the password")


def _fields(message: bytes) -> dict[str, str]:
    pairs = (part.partition("=") for part in message.decode("ascii").split(","))
    return {name: value for name, _, value in pairs}


def _text(part: bytes) -> str:
    return base64.b64encode(part).decode("ascii")
