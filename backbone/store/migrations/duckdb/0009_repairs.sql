-- Rows that rules have mended: what the source gave, what was made of it, and why. Values are JSON objects by column. Who
-- mends the same again adds nothing.
CREATE TABLE telemetry.repairs (
    dimension VARCHAR NOT NULL,
    symbol VARCHAR NOT NULL,
    "interval" VARCHAR NOT NULL,
    ts TIMESTAMPTZ NOT NULL,
    rules VARCHAR NOT NULL,
    why VARCHAR NOT NULL,
    original VARCHAR NOT NULL,
    repaired VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    ingest_id VARCHAR NOT NULL,
    recorded_at TIMESTAMPTZ NOT NULL
);
