-- The checksum of the payload, which travels beside it. Rows of before have none: they are looked at value by value.
ALTER TABLE telemetry.outbox ADD COLUMN checksum bigint;
