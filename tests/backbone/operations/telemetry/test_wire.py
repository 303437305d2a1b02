"""How an event looks outside: one line of sorted JSON, without secrets and without numbers that JSON has not."""

from __future__ import annotations

import msgspec

from backbone import Dimension, Status
from backbone.operations.telemetry.events import IngestMetrics, IngestTold, Telemetry
from backbone.operations.telemetry.wire import encoded
from tests.backbone.operations.telemetry.kit import NOW


def test_an_event_is_compact_sorted_json_with_its_time_in_utc() -> None:
    payload = IngestMetrics(
        run_id="r",
        dimension=Dimension.QUOTES,
        rows_read=1,
        rows_taken=1,
        quarantined=0,
        chunks=1,
        duration_s=float("inf"),
        rows_per_s=None,
    )
    line = encoded(Telemetry(path="/b/ingest", at=NOW, type="telemetry.ingest.metrics", payload=payload))
    assert line == (
        b'{"emitted_at":"2026-01-05T12:00:00Z","metadata":{"source":"/b/ingest","type":"telemetry.ingest.metrics"},'
        b'"result":{"chunks":1,"dimension":"quotes","duration_s":null,"quarantined":0,"rows_per_s":null,"rows_read":1,'
        b'"rows_taken":1,"run_id":"r"}}'
    )


def test_no_secret_that_an_error_quotes_leaves_the_process() -> None:
    payload = IngestTold(
        run_id="r",
        status=Status.FAILED,
        dimension=Dimension.QUOTES,
        source="feed",
        error="can't connect to postgresql://feed:hunter2@db/x",
    )
    event = Telemetry(path="/b/ingest", at=NOW, type="telemetry.ingest", payload=payload, metadata={"password": "h"})
    line = encoded(event)
    assert b"hunter2" not in line
    assert msgspec.json.decode(line)["metadata"] == {"password": "***", "source": "/b/ingest", "type": event.type}
