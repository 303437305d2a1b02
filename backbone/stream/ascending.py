"""The one thing that every publisher refuses: rows in another order than that of the outbox."""

from __future__ import annotations

from collections.abc import Sequence

from backbone.stream.records import Envelope

__all__ = ["require_ascending"]


def require_ascending(envelopes: Sequence[Envelope]) -> None:
    """Look whether positions ascend from 1.

    Raises:
        ValueError: they don't.
    """
    previous = 0
    for envelope in envelopes:
        if envelope.position <= previous:
            raise ValueError(
                f"position {envelope.position} after {previous} given; positions start at 1 and ascend within a batch: "
                "publish outbox rows in the order in which they were read"
            )
        previous = envelope.position
