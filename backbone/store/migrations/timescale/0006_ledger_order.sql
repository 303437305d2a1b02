-- Which entry of the ledger is the newest is said by its revision: a restore may set the sequence of ids back. What was
-- entered before this file has none, and is older than all that comes.
ALTER TABLE telemetry.ledger ADD COLUMN revision bigint NOT NULL DEFAULT 0;
ALTER TABLE telemetry.ledger ALTER COLUMN revision DROP DEFAULT;

-- Entries of about one length together, so that those over a moment are found beside a long history: lengths of up to a
-- moment, a minute, an hour, a day, thirty days, and longer.
CREATE INDEX ledger_lengths ON telemetry.ledger (
    dimension, symbol, "interval",
    width_bucket(end_us - start_us - 1, ARRAY[0, 60000000, 3600000000, 86400000000, 2592000000000]::bigint[]),
    end_us, start_us
);
