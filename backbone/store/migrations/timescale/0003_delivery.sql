-- Where changes go, and what came of those that others sent: which database this is, how far each sink has published,
-- what consumers have taken, and what they could not take.

-- Who reads positions elsewhere can tell by it that they are of another database.
CREATE TABLE telemetry.identity (
    generation text COLLATE "C" NOT NULL
) WITH (fillfactor = 10);

INSERT INTO telemetry.identity SELECT replace(gen_random_uuid()::text, '-', '');

-- How far a sink has published the outbox rows of a shard. Who advances with an older epoch than this is fenced out.
CREATE TABLE telemetry.cursors (
    position bigint NOT NULL,
    epoch bigint NOT NULL,
    shard integer NOT NULL,
    sink text COLLATE "C" NOT NULL,
    PRIMARY KEY (sink, shard)
) WITH (fillfactor = 10);

INSERT INTO telemetry.cursors (sink, shard, position, epoch)
SELECT 'stream', 0, coalesce(max(position), 0), 0 FROM telemetry.relay_cursor;

DROP TABLE telemetry.relay_cursor;

-- The shard of the symbol, 0 to 63; of rows that are there already it is filled in after this file.
ALTER TABLE telemetry.outbox ADD COLUMN shard integer;

-- Who may write of a source. What stood beside it, a place to resume from, nobody ever read.
CREATE TABLE telemetry.epochs (
    epoch bigint NOT NULL,
    updated_at timestamptz NOT NULL,
    source text COLLATE "C" NOT NULL,
    dimension text COLLATE "C" NOT NULL,
    PRIMARY KEY (source, dimension)
) WITH (fillfactor = 50);

INSERT INTO telemetry.epochs (source, dimension, epoch, updated_at)
SELECT source, dimension, epoch, updated_at FROM telemetry.checkpoint WHERE epoch > 0;

DROP TABLE telemetry.checkpoint;

-- Events whose effects a consumer has committed.
CREATE TABLE telemetry.seen (
    seen_at timestamptz NOT NULL,
    consumer text COLLATE "C" NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (consumer, event_id)
);

CREATE INDEX seen_oldest ON telemetry.seen (seen_at);

-- The next offset that a group has to take of each partition.
CREATE TABLE telemetry.offsets (
    "offset" bigint NOT NULL,
    partition integer NOT NULL,
    "group" text COLLATE "C" NOT NULL,
    topic text COLLATE "C" NOT NULL,
    PRIMARY KEY ("group", topic, partition)
) WITH (fillfactor = 50);

-- Until now nobody wrote to it.
DROP TABLE telemetry.dead_letters;

-- Messages that a consumer could not make sense of, as bytes.
CREATE TABLE telemetry.dead_letters (
    "offset" bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    partition integer NOT NULL,
    "group" text COLLATE "C" NOT NULL,
    topic text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    payload bytea NOT NULL,
    PRIMARY KEY ("group", topic, partition, "offset")
);

CREATE INDEX dead_letters_newest ON telemetry.dead_letters (recorded_at DESC);
