"""Bad rows, as they are kept aside."""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b

import msgspec

from backbone.domain.text import excerpt

__all__ = ["QuarantineRow"]


class QuarantineRow(msgspec.Struct, frozen=True):
    """One bad row.

    Attributes:
        source: source that gave it.
        location: where it was, such as `file:line`.
        reason: what is wrong with it.
        excerpt: the row as it was given, shortened.
        dimension: dimension it should have had.
        run_id: run that met it.
        at: when.
        payload: the row whole, as a frame of one row in the columnar codec, so that it can be judged again; empty of
            what could not be read as a row.
    """

    source: str
    location: str
    reason: str
    excerpt: str
    dimension: str
    run_id: str
    at: datetime
    payload: bytes = b""

    @property
    def id(self) -> str:
        """What names it: 16 hex digits of its source, dimension, location and reason."""
        return self.identity.hex()[:16]

    @property
    def identity(self) -> bytes:
        """16 bytes that tell bad rows apart, of the texts as they are kept."""
        texts = (self.source, self.dimension, self.location, self.reason)
        return blake2b("\0".join(map(excerpt, texts)).encode(), digest_size=16).digest()
