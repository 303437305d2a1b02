-- A bad row that was read is kept whole beside its excerpt, so that it can be judged again; NULL of texts nobody could read.
ALTER TABLE telemetry.quarantine ADD COLUMN payload bytea;
