"""The opaque token by which a subscriber goes on where it was, in this process or in another."""

from __future__ import annotations

import base64
import zlib

import msgspec

from backbone.stream.records import Place

__all__ = ["Resume"]

_VERSION = "r1."
_CHECK_BYTES = 4


class Resume(msgspec.Struct, frozen=True, array_like=True):
    """What a token says.

    `Resume.parse(token.text()) == token`. Where the generation of the stream differs from that of now, the mark
    means nothing and reading goes on by the position; where that of the database does, nor does the position.

    Attributes:
        database: generation of the database that the position is of; "": it was not known.
        stream: generation of the stream that the mark is of.
        position: everything that matches up to this outbox position was handed out.
        mark: the adapter's own word for the place, see `Place`.
        event: how the identity of the change at that position begins; "": it is not known.
    """

    database: str
    stream: str
    position: int
    mark: str = ""
    event: str = ""

    @property
    def place(self) -> Place:
        """Where to stand in the stream of this generation."""
        return Place(self.position, self.mark)

    def text(self) -> str:
        """The token: letters, digits, `-`, `_` and one dot."""
        body = msgspec.msgpack.encode(self)
        check = zlib.crc32(body).to_bytes(_CHECK_BYTES)
        return _VERSION + base64.urlsafe_b64encode(check + body).rstrip(b"=").decode()

    @classmethod
    def parse(cls, text: str) -> Resume:
        """Read a token.

        Raises:
            ValueError: it is none, or was cut or changed.
        """
        try:
            body = _checked(text)
            token = msgspec.msgpack.decode(body, type=cls)
        except (ValueError, msgspec.DecodeError) as error:
            raise ValueError("it is no resume token, or was cut or changed; give `update.resume` as it was") from error
        if token.position < 0:
            raise ValueError(f"the position {token.position} in this resume token is below 0; give `update.resume`")
        return token


def _checked(text: str) -> bytes:
    """What a token holds.

    Raises:
        ValueError: it is of another version or no base64, or its sum does not fit.
    """
    version, encoded = text[: len(_VERSION)], text[len(_VERSION) :].encode("ascii")
    raw = base64.b64decode(encoded + b"=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    check, body = raw[:_CHECK_BYTES], raw[_CHECK_BYTES:]
    spelled = base64.urlsafe_b64encode(raw).rstrip(b"=") == encoded  # the last letter may have bits that say nothing
    if version != _VERSION or not spelled or zlib.crc32(body).to_bytes(_CHECK_BYTES) != check:
        raise ValueError(text)
    return body
