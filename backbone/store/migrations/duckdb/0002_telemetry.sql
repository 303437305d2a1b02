-- How rows got here and where they go. The schema telemetry is made by the migrator, for its own table.

CREATE SEQUENCE telemetry.revision START 1;

CREATE SEQUENCE telemetry.ledger_id START 1;

CREATE SEQUENCE telemetry.journal_id START 1;

CREATE SEQUENCE telemetry.outbox_position START 1;

-- Which content was last known to stand over a range. An empty ingest_id voids the range.
CREATE TABLE telemetry.ledger (
    id BIGINT NOT NULL,
    ingest_id VARCHAR NOT NULL,
    dimension VARCHAR NOT NULL,
    symbol VARCHAR NOT NULL,
    "interval" VARCHAR NOT NULL,
    start_ts TIMESTAMPTZ NOT NULL,
    end_ts TIMESTAMPTZ NOT NULL,
    rows BIGINT NOT NULL
);

CREATE TABLE telemetry.ingest_runs (
    id BIGINT NOT NULL,
    run_id VARCHAR NOT NULL,
    ingest_id VARCHAR NOT NULL,
    dimension VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    status VARCHAR NOT NULL CHECK (status IN ('ok', 'skipped', 'failed')),
    rows BIGINT NOT NULL,
    inserted BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    unchanged BIGINT NOT NULL,
    position BIGINT NOT NULL,
    outbox_rows BIGINT NOT NULL,
    symbols VARCHAR[] NOT NULL,
    start_ts TIMESTAMPTZ,
    end_ts TIMESTAMPTZ,
    duration_s DOUBLE NOT NULL,
    executed_at TIMESTAMPTZ NOT NULL,
    error VARCHAR,
    metadata VARCHAR NOT NULL
);

CREATE TABLE telemetry.checkpoint (
    source VARCHAR NOT NULL,
    dimension VARCHAR NOT NULL,
    token VARCHAR,
    epoch BIGINT NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (source, dimension)
);

CREATE TABLE telemetry.outbox (
    position BIGINT NOT NULL,
    event_id VARCHAR NOT NULL,
    ingest_id VARCHAR NOT NULL,
    dimension VARCHAR NOT NULL,
    symbol VARCHAR NOT NULL,
    rows BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    payload BLOB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);

-- Newest outbox position by symbol: it outlives the outbox rows, for readers have to know how new their data is.
CREATE TABLE telemetry.positions (
    dimension VARCHAR NOT NULL,
    symbol VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (dimension, symbol)
);

CREATE TABLE telemetry.relay_cursor (
    position BIGINT NOT NULL
);

INSERT INTO telemetry.relay_cursor VALUES (0);

CREATE TABLE telemetry.quarantine (
    source VARCHAR NOT NULL,
    location VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    excerpt VARCHAR NOT NULL,
    dimension VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    recorded_at TIMESTAMPTZ NOT NULL
);

-- Messages that a consumer could not make sense of, as bytes.
CREATE TABLE telemetry.dead_letters (
    topic VARCHAR NOT NULL,
    partition INTEGER NOT NULL,
    "offset" BIGINT NOT NULL,
    error VARCHAR NOT NULL,
    payload BLOB NOT NULL,
    recorded_at TIMESTAMPTZ NOT NULL
);
