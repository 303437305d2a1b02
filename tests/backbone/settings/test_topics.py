"""Topics of Kafka, by the names of other tools and by our own: each in force, refused, or told."""

from __future__ import annotations

import pytest

from backbone.domain import Dimension
from backbone.settings import SettingsError, load_settings
from backbone.settings.schema import Settings
from backbone.stream.topics import Topics


def institutional(**env: str) -> Settings:
    return load_settings(profile="institutional", env=env)


def names(settings: Settings) -> dict[str, str | None]:
    topics = Topics.of(settings.stream)
    return {dimension.value: topics.name(dimension) for dimension in Dimension}


DEFAULT = {dimension.value: f"backbone.{dimension}" for dimension in Dimension}
MARKET = {dimension.value: f"market.{dimension}" for dimension in Dimension}


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, DEFAULT),
        ({"KAFKA_INGEST_TOPICS": "quotes:md.q"}, DEFAULT | {"quotes": "md.q"}),
        ({"KAFKA_INGEST_TOPICS": "quotes=md.q, ticks : t ,"}, DEFAULT | {"quotes": "md.q", "trades": "t"}),
        ({"KAFKA_INGEST_TOPICS": "daily:d,intraday-bars=i"}, DEFAULT | {"daily_bars": "d", "intraday_bars": "i"}),
        ({"KAFKA_INGEST_TOPICS": "*:market.{dimension}"}, MARKET),
        ({"KAFKA_INGEST_TOPICS": "macro:m,*=market.{dimension}"}, MARKET | {"macro_events": "m"}),
        ({"KAFKA_INGEST_DEFAULT_TOPIC": "market.{dimension}"}, MARKET),
        ({"KAFKA_INGEST_TOPIC_QUOTES": "md.q"}, DEFAULT | {"quotes": "md.q"}),
        ({"KAFKA_INGEST_TOPIC_INTRADAY_TRADES": "t"}, DEFAULT | {"trades": "t"}),
        ({"BACKBONE_STREAM_QUOTES_TOPIC": "own", "KAFKA_INGEST_TOPIC_QUOTES": "q"}, DEFAULT | {"quotes": "own"}),
        ({"KAFKA_INGEST_TOPIC_QUOTES": "q", "KAFKA_INGEST_TOPICS": "quotes:x"}, DEFAULT | {"quotes": "q"}),
        ({"BACKBONE_STREAM_QUOTES_PUBLISH": "no"}, DEFAULT | {"quotes": None}),
    ],
)
def test_each_dimension_has_the_topic_that_the_settings_give_it(
    env: dict[str, str], expected: dict[str, str | None]
) -> None:
    assert names(institutional(**env)) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("quotes", "DIMENSION:TOPIC"),
        ("quotes:", "DIMENSION:TOPIC"),
        (":q", "DIMENSION:TOPIC"),
        ("futures:f", "unknown dimension 'futures'"),
        ("quotes:a,quotes:b", "quotes is given twice, a and b"),
        ("ticks:a,trades:b", "trades is given twice"),
        ("quotes:off", "BACKBONE_STREAM_<DIMENSION>_PUBLISH=false"),
        ("quotes:a b", "letters, digits"),
        ("*:everything", "a topic's name with {dimension} in it"),
        ("quotes:x,trades:x", "trades and quotes have the same topic, x"),
        ("quotes:x.y,trades:x_y", "differ in '.' and '_' alone"),
        ("quotes:backbone.control", "have the same topic"),
        ("quotes:backbone.dlq", "dlq and quotes have the same topic, backbone.dlq"),
        ("quotes:..", "which Kafka takes for no name"),
    ],
)
def test_topics_that_can_not_be_are_refused_with_what_is_allowed(text: str, told: str) -> None:
    with pytest.raises(SettingsError) as refused:
        institutional(KAFKA_INGEST_TOPICS=text)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("env", "partitions", "replication", "retention"),
    [
        ({}, (8, 8), (1, 1), (None, None)),
        ({"KAFKA_INGEST_DEFAULT_PARTITIONS": "16"}, (16, 16), (1, 1), (None, None)),
        ({"KAFKA_INGEST_TOPIC_PARTITIONS": "16"}, (16, 16), (1, 1), (None, None)),
        ({"KAFKA_INGEST_TOPIC_DEFAULT_PARTITIONS": "16"}, (16, 16), (1, 1), (None, None)),
        ({"KAFKA_INGEST_TOPIC_QUOTES_PARTITIONS": "64"}, (64, 8), (1, 1), (None, None)),
        ({"KAFKA_INGEST_DEFAULT_REPLICATION_FACTOR": "3"}, (8, 8), (3, 3), (None, None)),
        ({"KAFKA_INGEST_TOPIC_QUOTES_REPLICATION_FACTOR": "2"}, (8, 8), (2, 1), (None, None)),
        ({"KAFKA_INGEST_DEFAULT_CONFIG": '{"retention.ms": 5000}'}, (8, 8), (1, 1), ("5000", "5000")),
        ({"KAFKA_INGEST_DEFAULT_CONFIG": "retention.ms=5000"}, (8, 8), (1, 1), ("5000", "5000")),
        (
            {"KAFKA_INGEST_DEFAULT_CONFIG": "retention.ms=1", "KAFKA_INGEST_TOPIC_QUOTES_CONFIG": "retention.ms=2"},
            (8, 8),
            (1, 1),
            ("2", "1"),
        ),
    ],
)
def test_partitions_copies_and_configuration_are_of_all_topics_or_of_one(
    env: dict[str, str],
    partitions: tuple[int, int],
    replication: tuple[int, int],
    retention: tuple[str | None, str | None],
) -> None:
    topics = Topics.of(institutional(**env).stream)
    pair = ("backbone.quotes", "backbone.trades")
    assert tuple(map(topics.partitions, pair)) == partitions
    assert tuple(map(topics.replication, pair)) == replication
    assert tuple(topics.config(name).get("retention.ms") for name in pair) == retention


def test_a_yaml_file_gives_numbers_and_truth_values_of_a_topic_as_they_are(tmp_path: object) -> None:
    from pathlib import Path

    file = Path(str(tmp_path)) / "own.yaml"
    file.write_text("stream: {backend: kafka, topic_config: {retention.ms: 5, preallocate: true}}", encoding="utf-8")
    assert load_settings(file).stream.topic_config == {"retention.ms": "5", "preallocate": "true"}


@pytest.mark.parametrize("number", ["0", "3", "6", "12", "65", "128", "-1", "many"])
def test_partitions_that_do_not_divide_the_shards_are_refused(number: str) -> None:
    for name in ("KAFKA_INGEST_DEFAULT_PARTITIONS", "KAFKA_INGEST_TOPIC_QUOTES_PARTITIONS"):
        with pytest.raises(SettingsError, match="1 or 2 or 4 or 8 or 16 or 32 or 64"):
            institutional(**{name: number})


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("cleanup.policy=compact", "keeps one record of a symbol; allowed is delete"),
        ("max.message.bytes=1000", "give at least 1114112"),
        ('{"a": {"b": 1}}', "or a JSON object"),
        ('{"a": ', "or a JSON object"),
        ("nonsense", "pairs NAME=VALUE"),
    ],
)
def test_a_configuration_with_which_records_would_be_lost_or_stuck_is_refused(config: str, told: str) -> None:
    for name in ("KAFKA_INGEST_DEFAULT_CONFIG", "KAFKA_INGEST_TOPIC_QUOTES_CONFIG"):
        with pytest.raises(SettingsError) as refused:
            institutional(**{name: config})
        assert told in str(refused.value)


def test_k17_what_topics_take_grows_with_what_may_be_sent() -> None:
    env = {"BACKBONE_STREAM_MAX_PAYLOAD_BYTES": "900000", "BACKBONE_STREAM_BATCH_BYTES": "4000000"}
    topics = Topics.of(institutional(**env).stream)
    assert topics.message_bytes > 4_000_000
    assert {topics.config(name)["max.message.bytes"] for name in topics.names} == {str(topics.message_bytes)}


def test_where_there_are_three_copies_what_is_acknowledged_is_on_two_brokers() -> None:
    assert "min.insync.replicas" not in Topics.of(institutional().stream).config("backbone.quotes")
    three = Topics.of(institutional(KAFKA_INGEST_DEFAULT_REPLICATION_FACTOR="3").stream)
    assert three.config("backbone.quotes")["min.insync.replicas"] == "2"


def test_topics_know_their_dimensions_and_no_others() -> None:
    topics = Topics.of(institutional(BACKBONE_STREAM_QUOTES_PUBLISH="false").stream)
    assert topics.dimension_of("backbone.trades") is Dimension.TRADES
    assert topics.dimension_of("backbone.quotes") is None
    assert topics.dimension_of("others") is None
    assert topics.name(Dimension.QUOTES) is None
    assert "backbone.quotes" not in topics.names


def test_dead_letters_have_a_topic_of_their_own_unless_somebody_switches_it_off() -> None:
    topics = Topics.of(institutional().stream)
    assert topics.dead_letters == "backbone.dlq"
    assert {*topics.all} - {*topics.needed} == {"backbone.dlq"}
    assert "backbone.dlq" not in topics.names
    assert (topics.dimension_of("backbone.dlq"), topics.partitions("backbone.dlq")) == (None, 8)
    largest = int(topics.config("backbone.dlq")["max.message.bytes"])
    assert largest > topics.message_bytes  # the message, and what is told of it
    own = {"TOPIC": "poison", "PARTITIONS": "2", "REPLICATION_FACTOR": "3", "CONFIG": "retention.ms=5000"}
    mine = Topics.of(institutional(**{f"BACKBONE_STREAM_DLQ_{name}": text for name, text in own.items()}).stream)
    assert (mine.dead_letters, mine.partitions("poison"), mine.replication("poison")) == ("poison", 2, 3)
    assert mine.config("poison")["retention.ms"] == "5000"
    off = Topics.of(institutional(BACKBONE_STREAM_DLQ_PUBLISH="no").stream)
    assert (off.dead_letters, off.all) == (None, off.needed)


@pytest.mark.parametrize(
    ("name", "told"),
    [("backbone.control", "control and dlq have the same topic"), ("backbone_trades", "differ in '.' and '_' alone")],
)
def test_the_topic_of_dead_letters_is_nobody_elses(name: str, told: str) -> None:
    with pytest.raises(SettingsError) as refused:
        institutional(BACKBONE_STREAM_DLQ_TOPIC=name)
    assert told in str(refused.value)


def test_the_names_are_told_where_the_stream_is_in_this_process() -> None:
    settings = load_settings(profile="embedded", env={"KAFKA_INGEST_TOPICS": "quotes:q,trades:t,*:m.{dimension}"})
    (line,) = settings.ignored
    assert line.startswith("KAFKA_INGEST_TOPICS: stream.backend is memory; ")


def test_topics_are_created_by_themselves_in_the_institutional_profile_alone() -> None:
    assert institutional().stream.create_topics
    assert not load_settings(profile="embedded").stream.create_topics
    assert not institutional(BACKBONE_STREAM_CREATE_TOPICS="off").stream.create_topics
    for name in ("KAFKA_INGEST_AUTO_CREATE_TOPICS", "KAFKA_AUTO_CREATE_TOPICS"):
        told = institutional(**{name: "false"})
        assert told.stream.create_topics
        assert told.ignored[0].startswith(f"{name}: stream.create_topics is given by config/institutional.yaml")


def test_a_client_key_without_its_certificate_is_refused() -> None:
    with pytest.raises(SettingsError, match="has no stream\\.ssl_cert beside it"):
        institutional(KAFKA_SSL_KEYFILE="key.pem")
