-- Rows of each dimension, then where they came from. The schema is made by the migrator, which looks for these names in
-- it alone. Columns of fixed width stand first: no gaps for alignment, and they are found without walking over texts.
-- Texts compare by bytes, which is the canonical order of rows. Moments keep to what a calendar of four digits holds:
-- one 'infinity' would break every reader. Former versions of changed rows stand in <dimension>_revisions.
-- Where TimescaleDB is there, the migrator makes hypertables of the tables of rows.

CREATE TABLE daily_bars (
    "ts" timestamptz NOT NULL,
    "open" double precision,
    "high" double precision,
    "low" double precision,
    "close" double precision,
    "volume" double precision,
    "adj_close" double precision,
    "revision" bigint NOT NULL,
    "ingested_at" timestamptz NOT NULL,
    "symbol" text COLLATE "C" NOT NULL,
    "source" text COLLATE "C" NOT NULL,
    "ingest_id" text COLLATE "C" NOT NULL,
    PRIMARY KEY ("symbol", "ts"),
    CHECK ("ts" >= '0001-01-01 00:00:00+00' AND "ts" < '10000-01-01 00:00:00+00')
);

CREATE TABLE daily_bars_revisions (
    "ts" timestamptz NOT NULL,
    "open" double precision,
    "high" double precision,
    "low" double precision,
    "close" double precision,
    "volume" double precision,
    "adj_close" double precision,
    "revision" bigint NOT NULL,
    "ingested_at" timestamptz NOT NULL,
    "replaced_at" timestamptz NOT NULL,
    "symbol" text COLLATE "C" NOT NULL,
    "source" text COLLATE "C" NOT NULL,
    "ingest_id" text COLLATE "C" NOT NULL,
    PRIMARY KEY ("symbol", "ts", "revision"),
    CHECK ("ts" >= '0001-01-01 00:00:00+00' AND "ts" < '10000-01-01 00:00:00+00')
);

CREATE TABLE intraday_bars (
    "ts" timestamptz NOT NULL,
    "open" double precision,
    "high" double precision,
    "low" double precision,
    "close" double precision,
    "volume" double precision,
    "revision" bigint NOT NULL,
    "ingested_at" timestamptz NOT NULL,
    "symbol" text COLLATE "C" NOT NULL,
    "interval" text COLLATE "C" NOT NULL,
    "source" text COLLATE "C" NOT NULL,
    "ingest_id" text COLLATE "C" NOT NULL,
    PRIMARY KEY ("symbol", "interval", "ts"),
    CHECK ("ts" >= '0001-01-01 00:00:00+00' AND "ts" < '10000-01-01 00:00:00+00')
);

CREATE TABLE intraday_bars_revisions (
    "ts" timestamptz NOT NULL,
    "open" double precision,
    "high" double precision,
    "low" double precision,
    "close" double precision,
    "volume" double precision,
    "revision" bigint NOT NULL,
    "ingested_at" timestamptz NOT NULL,
    "replaced_at" timestamptz NOT NULL,
    "symbol" text COLLATE "C" NOT NULL,
    "interval" text COLLATE "C" NOT NULL,
    "source" text COLLATE "C" NOT NULL,
    "ingest_id" text COLLATE "C" NOT NULL,
    PRIMARY KEY ("symbol", "interval", "ts", "revision"),
    CHECK ("ts" >= '0001-01-01 00:00:00+00' AND "ts" < '10000-01-01 00:00:00+00')
);

CREATE TABLE trades (
    "ts" timestamptz NOT NULL,
    "sequence" bigint NOT NULL,
    "price" double precision,
    "size" double precision,
    "revision" bigint NOT NULL,
    "ingested_at" timestamptz NOT NULL,
    "symbol" text COLLATE "C" NOT NULL,
    "venue" text COLLATE "C",
    "conditions" text COLLATE "C",
    "source" text COLLATE "C" NOT NULL,
    "ingest_id" text COLLATE "C" NOT NULL,
    PRIMARY KEY ("symbol", "ts", "sequence"),
    CHECK ("ts" >= '0001-01-01 00:00:00+00' AND "ts" < '10000-01-01 00:00:00+00')
);

CREATE TABLE trades_revisions (
    "ts" timestamptz NOT NULL,
    "sequence" bigint NOT NULL,
    "price" double precision,
    "size" double precision,
    "revision" bigint NOT NULL,
    "ingested_at" timestamptz NOT NULL,
    "replaced_at" timestamptz NOT NULL,
    "symbol" text COLLATE "C" NOT NULL,
    "venue" text COLLATE "C",
    "conditions" text COLLATE "C",
    "source" text COLLATE "C" NOT NULL,
    "ingest_id" text COLLATE "C" NOT NULL,
    PRIMARY KEY ("symbol", "ts", "sequence", "revision"),
    CHECK ("ts" >= '0001-01-01 00:00:00+00' AND "ts" < '10000-01-01 00:00:00+00')
);

CREATE TABLE quotes (
    "ts" timestamptz NOT NULL,
    "sequence" bigint NOT NULL,
    "bid" double precision,
    "bid_size" double precision,
    "ask" double precision,
    "ask_size" double precision,
    "revision" bigint NOT NULL,
    "ingested_at" timestamptz NOT NULL,
    "symbol" text COLLATE "C" NOT NULL,
    "venue" text COLLATE "C",
    "source" text COLLATE "C" NOT NULL,
    "ingest_id" text COLLATE "C" NOT NULL,
    PRIMARY KEY ("symbol", "ts", "sequence"),
    CHECK ("ts" >= '0001-01-01 00:00:00+00' AND "ts" < '10000-01-01 00:00:00+00')
);

CREATE TABLE quotes_revisions (
    "ts" timestamptz NOT NULL,
    "sequence" bigint NOT NULL,
    "bid" double precision,
    "bid_size" double precision,
    "ask" double precision,
    "ask_size" double precision,
    "revision" bigint NOT NULL,
    "ingested_at" timestamptz NOT NULL,
    "replaced_at" timestamptz NOT NULL,
    "symbol" text COLLATE "C" NOT NULL,
    "venue" text COLLATE "C",
    "source" text COLLATE "C" NOT NULL,
    "ingest_id" text COLLATE "C" NOT NULL,
    PRIMARY KEY ("symbol", "ts", "sequence", "revision"),
    CHECK ("ts" >= '0001-01-01 00:00:00+00' AND "ts" < '10000-01-01 00:00:00+00')
);

CREATE TABLE order_book (
    "ts" timestamptz NOT NULL,
    "sequence" bigint NOT NULL,
    "level" bigint NOT NULL,
    "price" double precision,
    "size" double precision,
    "revision" bigint NOT NULL,
    "ingested_at" timestamptz NOT NULL,
    "symbol" text COLLATE "C" NOT NULL,
    "side" text COLLATE "C" NOT NULL,
    "source" text COLLATE "C" NOT NULL,
    "ingest_id" text COLLATE "C" NOT NULL,
    PRIMARY KEY ("symbol", "ts", "sequence", "side", "level"),
    CHECK ("ts" >= '0001-01-01 00:00:00+00' AND "ts" < '10000-01-01 00:00:00+00')
);

CREATE TABLE order_book_revisions (
    "ts" timestamptz NOT NULL,
    "sequence" bigint NOT NULL,
    "level" bigint NOT NULL,
    "price" double precision,
    "size" double precision,
    "revision" bigint NOT NULL,
    "ingested_at" timestamptz NOT NULL,
    "replaced_at" timestamptz NOT NULL,
    "symbol" text COLLATE "C" NOT NULL,
    "side" text COLLATE "C" NOT NULL,
    "source" text COLLATE "C" NOT NULL,
    "ingest_id" text COLLATE "C" NOT NULL,
    PRIMARY KEY ("symbol", "ts", "sequence", "side", "level", "revision"),
    CHECK ("ts" >= '0001-01-01 00:00:00+00' AND "ts" < '10000-01-01 00:00:00+00')
);

CREATE TABLE macro_events (
    "ts" timestamptz NOT NULL,
    "actual" double precision,
    "forecast" double precision,
    "previous" double precision,
    "revision" bigint NOT NULL,
    "ingested_at" timestamptz NOT NULL,
    "calendar" text COLLATE "C" NOT NULL,
    "event" text COLLATE "C" NOT NULL,
    "currency" text COLLATE "C",
    "importance" text COLLATE "C",
    "category" text COLLATE "C",
    "source" text COLLATE "C" NOT NULL,
    "ingest_id" text COLLATE "C" NOT NULL,
    PRIMARY KEY ("calendar", "event", "ts"),
    CHECK ("ts" >= '0001-01-01 00:00:00+00' AND "ts" < '10000-01-01 00:00:00+00')
);

CREATE TABLE macro_events_revisions (
    "ts" timestamptz NOT NULL,
    "actual" double precision,
    "forecast" double precision,
    "previous" double precision,
    "revision" bigint NOT NULL,
    "ingested_at" timestamptz NOT NULL,
    "replaced_at" timestamptz NOT NULL,
    "calendar" text COLLATE "C" NOT NULL,
    "event" text COLLATE "C" NOT NULL,
    "currency" text COLLATE "C",
    "importance" text COLLATE "C",
    "category" text COLLATE "C",
    "source" text COLLATE "C" NOT NULL,
    "ingest_id" text COLLATE "C" NOT NULL,
    PRIMARY KEY ("calendar", "event", "ts", "revision"),
    CHECK ("ts" >= '0001-01-01 00:00:00+00' AND "ts" < '10000-01-01 00:00:00+00')
);
