-- What became of runs: a row for each dimension of each run. The journal beside it has a row for each chunk.
CREATE TABLE telemetry.runs (
    run_id VARCHAR NOT NULL,
    dimension VARCHAR NOT NULL,
    status VARCHAR NOT NULL CHECK (status IN ('ok', 'skipped', 'failed')),
    source VARCHAR NOT NULL,
    rows BIGINT NOT NULL,
    inserted BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    unchanged BIGINT NOT NULL,
    quarantined BIGINT NOT NULL,
    symbols VARCHAR[] NOT NULL,
    start_ts TIMESTAMPTZ,
    end_ts TIMESTAMPTZ,
    freshness_s DOUBLE,
    duration_s DOUBLE NOT NULL,
    executed_at TIMESTAMPTZ NOT NULL,
    error VARCHAR,
    metadata VARCHAR NOT NULL
);
