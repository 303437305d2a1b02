-- Up to where the outbox was pruned. Who reads on from before that misses changes, and has to be told.
CREATE TABLE telemetry.pruned (
    position bigint NOT NULL
) WITH (fillfactor = 10);

-- Nothing was, where the first change of the journal still waits; else at most what lies before the oldest one.
INSERT INTO telemetry.pruned (position)
SELECT CASE
    WHEN min(position) <= (SELECT min(position) FROM telemetry.ingest_runs WHERE outbox_rows > 0) THEN 0
    ELSE coalesce(min(position) - 1, (SELECT min(position) FROM telemetry.cursors), 0)
END
FROM telemetry.outbox;
