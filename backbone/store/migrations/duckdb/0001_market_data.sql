-- Rows of each dimension in the order of its columns, then where they came from. No primary keys: their index would
-- have to fit in memory; rows are merged by key instead. Former versions of changed rows stand in <dimension>_revisions.

CREATE SCHEMA market_data;

CREATE TABLE market_data.daily_bars (
    "symbol" VARCHAR NOT NULL,
    "ts" TIMESTAMPTZ NOT NULL,
    "open" DOUBLE,
    "high" DOUBLE,
    "low" DOUBLE,
    "close" DOUBLE,
    "volume" DOUBLE,
    "adj_close" DOUBLE,
    "source" VARCHAR NOT NULL,
    "ingest_id" VARCHAR NOT NULL,
    "revision" BIGINT NOT NULL,
    "ingested_at" TIMESTAMPTZ NOT NULL
);

CREATE TABLE market_data.daily_bars_revisions (
    "symbol" VARCHAR NOT NULL,
    "ts" TIMESTAMPTZ NOT NULL,
    "open" DOUBLE,
    "high" DOUBLE,
    "low" DOUBLE,
    "close" DOUBLE,
    "volume" DOUBLE,
    "adj_close" DOUBLE,
    "source" VARCHAR NOT NULL,
    "ingest_id" VARCHAR NOT NULL,
    "revision" BIGINT NOT NULL,
    "ingested_at" TIMESTAMPTZ NOT NULL,
    "replaced_at" TIMESTAMPTZ NOT NULL
);

CREATE TABLE market_data.intraday_bars (
    "symbol" VARCHAR NOT NULL,
    "interval" VARCHAR NOT NULL,
    "ts" TIMESTAMPTZ NOT NULL,
    "open" DOUBLE,
    "high" DOUBLE,
    "low" DOUBLE,
    "close" DOUBLE,
    "volume" DOUBLE,
    "source" VARCHAR NOT NULL,
    "ingest_id" VARCHAR NOT NULL,
    "revision" BIGINT NOT NULL,
    "ingested_at" TIMESTAMPTZ NOT NULL
);

CREATE TABLE market_data.intraday_bars_revisions (
    "symbol" VARCHAR NOT NULL,
    "interval" VARCHAR NOT NULL,
    "ts" TIMESTAMPTZ NOT NULL,
    "open" DOUBLE,
    "high" DOUBLE,
    "low" DOUBLE,
    "close" DOUBLE,
    "volume" DOUBLE,
    "source" VARCHAR NOT NULL,
    "ingest_id" VARCHAR NOT NULL,
    "revision" BIGINT NOT NULL,
    "ingested_at" TIMESTAMPTZ NOT NULL,
    "replaced_at" TIMESTAMPTZ NOT NULL
);

CREATE TABLE market_data.trades (
    "symbol" VARCHAR NOT NULL,
    "ts" TIMESTAMPTZ NOT NULL,
    "sequence" BIGINT NOT NULL,
    "price" DOUBLE,
    "size" DOUBLE,
    "venue" VARCHAR,
    "conditions" VARCHAR,
    "source" VARCHAR NOT NULL,
    "ingest_id" VARCHAR NOT NULL,
    "revision" BIGINT NOT NULL,
    "ingested_at" TIMESTAMPTZ NOT NULL
);

CREATE TABLE market_data.trades_revisions (
    "symbol" VARCHAR NOT NULL,
    "ts" TIMESTAMPTZ NOT NULL,
    "sequence" BIGINT NOT NULL,
    "price" DOUBLE,
    "size" DOUBLE,
    "venue" VARCHAR,
    "conditions" VARCHAR,
    "source" VARCHAR NOT NULL,
    "ingest_id" VARCHAR NOT NULL,
    "revision" BIGINT NOT NULL,
    "ingested_at" TIMESTAMPTZ NOT NULL,
    "replaced_at" TIMESTAMPTZ NOT NULL
);

CREATE TABLE market_data.quotes (
    "symbol" VARCHAR NOT NULL,
    "ts" TIMESTAMPTZ NOT NULL,
    "sequence" BIGINT NOT NULL,
    "bid" DOUBLE,
    "bid_size" DOUBLE,
    "ask" DOUBLE,
    "ask_size" DOUBLE,
    "venue" VARCHAR,
    "source" VARCHAR NOT NULL,
    "ingest_id" VARCHAR NOT NULL,
    "revision" BIGINT NOT NULL,
    "ingested_at" TIMESTAMPTZ NOT NULL
);

CREATE TABLE market_data.quotes_revisions (
    "symbol" VARCHAR NOT NULL,
    "ts" TIMESTAMPTZ NOT NULL,
    "sequence" BIGINT NOT NULL,
    "bid" DOUBLE,
    "bid_size" DOUBLE,
    "ask" DOUBLE,
    "ask_size" DOUBLE,
    "venue" VARCHAR,
    "source" VARCHAR NOT NULL,
    "ingest_id" VARCHAR NOT NULL,
    "revision" BIGINT NOT NULL,
    "ingested_at" TIMESTAMPTZ NOT NULL,
    "replaced_at" TIMESTAMPTZ NOT NULL
);

CREATE TABLE market_data.order_book (
    "symbol" VARCHAR NOT NULL,
    "ts" TIMESTAMPTZ NOT NULL,
    "sequence" BIGINT NOT NULL,
    "side" VARCHAR NOT NULL,
    "level" BIGINT NOT NULL,
    "price" DOUBLE,
    "size" DOUBLE,
    "source" VARCHAR NOT NULL,
    "ingest_id" VARCHAR NOT NULL,
    "revision" BIGINT NOT NULL,
    "ingested_at" TIMESTAMPTZ NOT NULL
);

CREATE TABLE market_data.order_book_revisions (
    "symbol" VARCHAR NOT NULL,
    "ts" TIMESTAMPTZ NOT NULL,
    "sequence" BIGINT NOT NULL,
    "side" VARCHAR NOT NULL,
    "level" BIGINT NOT NULL,
    "price" DOUBLE,
    "size" DOUBLE,
    "source" VARCHAR NOT NULL,
    "ingest_id" VARCHAR NOT NULL,
    "revision" BIGINT NOT NULL,
    "ingested_at" TIMESTAMPTZ NOT NULL,
    "replaced_at" TIMESTAMPTZ NOT NULL
);

CREATE TABLE market_data.macro_events (
    "calendar" VARCHAR NOT NULL,
    "event" VARCHAR NOT NULL,
    "ts" TIMESTAMPTZ NOT NULL,
    "currency" VARCHAR,
    "actual" DOUBLE,
    "forecast" DOUBLE,
    "previous" DOUBLE,
    "importance" VARCHAR,
    "category" VARCHAR,
    "source" VARCHAR NOT NULL,
    "ingest_id" VARCHAR NOT NULL,
    "revision" BIGINT NOT NULL,
    "ingested_at" TIMESTAMPTZ NOT NULL
);

CREATE TABLE market_data.macro_events_revisions (
    "calendar" VARCHAR NOT NULL,
    "event" VARCHAR NOT NULL,
    "ts" TIMESTAMPTZ NOT NULL,
    "currency" VARCHAR,
    "actual" DOUBLE,
    "forecast" DOUBLE,
    "previous" DOUBLE,
    "importance" VARCHAR,
    "category" VARCHAR,
    "source" VARCHAR NOT NULL,
    "ingest_id" VARCHAR NOT NULL,
    "revision" BIGINT NOT NULL,
    "ingested_at" TIMESTAMPTZ NOT NULL,
    "replaced_at" TIMESTAMPTZ NOT NULL
);
