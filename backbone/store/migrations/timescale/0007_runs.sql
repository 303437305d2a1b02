-- What became of runs: a row for each dimension of each run. The journal beside it has a row for each chunk.
CREATE TABLE telemetry.runs (
    run_id text COLLATE "C" NOT NULL,
    dimension text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL CHECK (status IN ('ok', 'skipped', 'failed')),
    source text COLLATE "C" NOT NULL,
    rows bigint NOT NULL,
    inserted bigint NOT NULL,
    changed bigint NOT NULL,
    unchanged bigint NOT NULL,
    quarantined bigint NOT NULL,
    symbols text[] COLLATE "C" NOT NULL,
    start_ts timestamptz,
    end_ts timestamptz,
    freshness_s double precision,
    duration_s double precision NOT NULL,
    executed_at timestamptz NOT NULL,
    error text,
    metadata jsonb NOT NULL,
    PRIMARY KEY (run_id, dimension)
);

CREATE INDEX runs_newest ON telemetry.runs (executed_at DESC);

CREATE INDEX runs_of_dimension ON telemetry.runs (dimension, executed_at DESC);
