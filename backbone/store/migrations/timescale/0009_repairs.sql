-- Rows that rules have mended: what the source gave, what was made of it, and why. Values are JSON objects by column. The
-- identity is a hash of all but the run that mended: who mends the same again adds nothing.
CREATE TABLE telemetry.repairs (
    identity bytea PRIMARY KEY,
    ts timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    dimension text COLLATE "C" NOT NULL,
    symbol text COLLATE "C" NOT NULL,
    "interval" text COLLATE "C" NOT NULL,
    rules text COLLATE "C" NOT NULL,
    why text COLLATE "C" NOT NULL,
    original text COLLATE "C" NOT NULL,
    repaired text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    ingest_id text COLLATE "C" NOT NULL
);

CREATE INDEX repairs_rows ON telemetry.repairs (dimension, symbol, ts);
