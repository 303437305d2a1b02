-- Where changes go, and what came of those that others sent: which database this is, how far each sink has published,
-- what consumers have taken, and what they could not take.

-- Who reads positions elsewhere can tell by it that they are of another database.
CREATE TABLE telemetry.identity (
    generation VARCHAR NOT NULL
);

INSERT INTO telemetry.identity SELECT replace(uuid()::VARCHAR, '-', '');

-- How far a sink has published the outbox rows of a shard. Who advances with an older epoch than this is fenced out.
CREATE TABLE telemetry.cursors (
    sink VARCHAR NOT NULL,
    shard INTEGER NOT NULL,
    position BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    PRIMARY KEY (sink, shard)
);

INSERT INTO telemetry.cursors SELECT 'stream', 0, coalesce(max(position), 0), 0 FROM telemetry.relay_cursor;

DROP TABLE telemetry.relay_cursor;

-- The shard of the symbol, 0 to 63; of rows that are there already it is filled in after this file.
ALTER TABLE telemetry.outbox ADD COLUMN shard INTEGER;

-- Who may write of a source. What stood beside it, a place to resume from, nobody ever read.
CREATE TABLE telemetry.epochs (
    source VARCHAR NOT NULL,
    dimension VARCHAR NOT NULL,
    epoch BIGINT NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (source, dimension)
);

INSERT INTO telemetry.epochs SELECT source, dimension, epoch, updated_at FROM telemetry.checkpoint WHERE epoch > 0;

DROP TABLE telemetry.checkpoint;

-- Events whose effects a consumer has committed. No primary key, whose index would have to fit in memory.
CREATE TABLE telemetry.seen (
    consumer VARCHAR NOT NULL,
    event_id VARCHAR NOT NULL,
    seen_at TIMESTAMPTZ NOT NULL
);

-- The next offset that a group has to take of each partition.
CREATE TABLE telemetry.offsets (
    "group" VARCHAR NOT NULL,
    topic VARCHAR NOT NULL,
    partition INTEGER NOT NULL,
    "offset" BIGINT NOT NULL,
    PRIMARY KEY ("group", topic, partition)
);

-- Until now nobody wrote to it.
DROP TABLE telemetry.dead_letters;

-- Messages that a consumer could not make sense of, as bytes.
CREATE TABLE telemetry.dead_letters (
    "group" VARCHAR NOT NULL,
    topic VARCHAR NOT NULL,
    partition INTEGER NOT NULL,
    "offset" BIGINT NOT NULL,
    reason VARCHAR NOT NULL,
    payload BLOB NOT NULL,
    recorded_at TIMESTAMPTZ NOT NULL
);
