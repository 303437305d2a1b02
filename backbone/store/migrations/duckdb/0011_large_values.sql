-- Large messages, and long lists of symbols as JSON, in parts of some kilobytes: for the same reason as those of the outbox.
-- What they belong to has a number.
CREATE SEQUENCE telemetry.large_value START 1;

-- NULL: the payload lies here; else it is empty, and this is the number of its parts' owner.
ALTER TABLE telemetry.dead_letters ADD COLUMN large BIGINT;

CREATE TABLE telemetry.dead_letter_parts (
    owner BIGINT NOT NULL,
    number INTEGER NOT NULL,
    bytes BLOB NOT NULL
);

-- NULL: they lie in parts, whose owner is the id.
ALTER TABLE telemetry.ingest_runs ALTER COLUMN symbols DROP NOT NULL;

CREATE TABLE telemetry.ingest_run_parts (
    owner BIGINT NOT NULL,
    number INTEGER NOT NULL,
    bytes BLOB NOT NULL
);

-- NULL: the symbols lie here; else they are none, and this is the number of their parts' owner.
ALTER TABLE telemetry.runs ADD COLUMN large BIGINT;

CREATE TABLE telemetry.run_parts (
    owner BIGINT NOT NULL,
    number INTEGER NOT NULL,
    bytes BLOB NOT NULL
);
