-- How rows got here and where they go. The schema telemetry is made by the migrator, for its own table. All of these are
-- plain tables, wherever they are. Bounds of the ledger are microseconds since 1970.

-- Which content was last known to stand over a range, both ends inclusive. An empty ingest_id voids the range.
CREATE TABLE telemetry.ledger (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    start_us bigint NOT NULL,
    end_us bigint NOT NULL,
    rows bigint NOT NULL,
    dimension text COLLATE "C" NOT NULL,
    symbol text COLLATE "C" NOT NULL,
    "interval" text COLLATE "C" NOT NULL,
    ingest_id text COLLATE "C" NOT NULL
);

CREATE INDEX ledger_ranges ON telemetry.ledger (dimension, symbol, "interval", end_us, start_us);

CREATE TABLE telemetry.ingest_runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id text COLLATE "C" NOT NULL,
    ingest_id text COLLATE "C" NOT NULL,
    dimension text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL CHECK (status IN ('ok', 'skipped', 'failed')),
    rows bigint NOT NULL,
    inserted bigint NOT NULL,
    changed bigint NOT NULL,
    unchanged bigint NOT NULL,
    position bigint NOT NULL,
    outbox_rows bigint NOT NULL,
    symbols text[] COLLATE "C" NOT NULL,
    start_ts timestamptz,
    end_ts timestamptz,
    duration_s double precision NOT NULL,
    executed_at timestamptz NOT NULL,
    error text,
    metadata jsonb NOT NULL
);

-- A chunk is committed once in a run, whatever its writers do.
CREATE UNIQUE INDEX ingest_runs_chunks ON telemetry.ingest_runs (run_id, ingest_id) WHERE status <> 'failed';

CREATE INDEX ingest_runs_newest ON telemetry.ingest_runs (dimension, executed_at DESC);

CREATE TABLE telemetry.checkpoint (
    source text COLLATE "C" NOT NULL,
    dimension text COLLATE "C" NOT NULL,
    token text,
    epoch bigint NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (source, dimension)
) WITH (fillfactor = 50);

-- Positions are made of the number of the transaction and of the number of the row in it: see the function below.
-- Payloads are compact already: they are kept outside of the rows, and not compressed.
CREATE TABLE telemetry.outbox (
    position bigint PRIMARY KEY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    revision bigint NOT NULL,
    rows bigint NOT NULL,
    bytes bigint NOT NULL,
    created_at timestamptz NOT NULL,
    event_id text COLLATE "C" NOT NULL UNIQUE,
    ingest_id text COLLATE "C" NOT NULL,
    dimension text COLLATE "C" NOT NULL,
    symbol text COLLATE "C" NOT NULL,
    payload bytea NOT NULL
);

ALTER TABLE telemetry.outbox ALTER COLUMN payload SET STORAGE EXTERNAL;

-- What is added to transaction numbers. Not 0 only where the tables were restored into a server that counts from lower.
CREATE TABLE telemetry.xid_shift (
    shift bigint NOT NULL CHECK (shift >= 0)
);

INSERT INTO telemetry.xid_shift VALUES (0);

-- The revision that a transaction gives to its rows. Its first outbox position is this, shifted by 17 bits: room for
-- 131,072 outbox rows in a transaction, and for 70 trillion transactions.
CREATE FUNCTION telemetry.revision_of(xid xid8) RETURNS bigint
LANGUAGE sql STABLE
RETURN xid::text::bigint + (SELECT shift FROM telemetry.xid_shift);

-- Newest outbox position by symbol: it outlives the outbox rows, for readers have to know how new their data is.
CREATE TABLE telemetry.positions (
    dimension text COLLATE "C" NOT NULL,
    symbol text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (dimension, symbol)
) WITH (fillfactor = 70);

CREATE TABLE telemetry.relay_cursor (
    position bigint NOT NULL
) WITH (fillfactor = 10);

INSERT INTO telemetry.relay_cursor VALUES (0);

-- The identity is a hash of source, dimension, location and reason: these may be too long for an index.
CREATE TABLE telemetry.quarantine (
    identity bytea PRIMARY KEY,
    source text COLLATE "C" NOT NULL,
    location text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    excerpt text COLLATE "C" NOT NULL,
    dimension text COLLATE "C" NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    recorded_at timestamptz NOT NULL
);

CREATE INDEX quarantine_newest ON telemetry.quarantine (recorded_at DESC);

-- Messages that a consumer could not make sense of, as bytes.
CREATE TABLE telemetry.dead_letters (
    topic text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    error text NOT NULL,
    payload bytea NOT NULL,
    recorded_at timestamptz NOT NULL
);
