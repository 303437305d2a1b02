"""How an event looks outside this process: as JSON, compact, its names sorted, without secrets.

`{"emitted_at": "2026-11-27T01:02:03Z", "metadata": {"source": …, "type": …}, "result": {…}}` on each topic.
"""

from __future__ import annotations

import msgspec

from backbone.operations.telemetry.events import Telemetry
from backbone.settings.redaction import redact_mapping

__all__ = ["encoded"]


def encoded(event: Telemetry) -> bytes:
    """The event as a line; what is no finite number is null, texts of sources and servers may quote anything."""
    whole = {
        "emitted_at": event.at,
        "metadata": {**event.metadata, "source": event.path, "type": event.type},
        "result": event.payload,
    }
    return msgspec.json.encode(redact_mapping(msgspec.to_builtins(whole, enc_hook=str)), order="sorted")
