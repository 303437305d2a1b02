-- Large payloads, in parts of some kilobytes; `payload` in the outbox is empty then. DuckDB packs 2,048 values of a column
-- together and unpacks all of them to read one: of large payloads that is more than fits into memory.
CREATE TABLE telemetry.outbox_parts (
    position BIGINT NOT NULL,
    number INTEGER NOT NULL,
    bytes BLOB NOT NULL
);

-- Payloads in one piece, for who reads the file without us.
CREATE VIEW telemetry.payloads AS
SELECT o.position, o.event_id, o.dimension, o.symbol, o.checksum, coalesce(p.payload, o.payload) AS payload
FROM telemetry.outbox AS o
LEFT JOIN (
    SELECT position, list_reduce(list(bytes ORDER BY number), lambda joined, part: joined || part) AS payload
    FROM telemetry.outbox_parts
    GROUP BY position
) AS p ON p.position = o.position;
