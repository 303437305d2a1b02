from __future__ import annotations

import copy
import json
import logging
import pickle
from typing import Any
from urllib.parse import quote, quote_plus

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backbone.settings import RedactingFilter, Secret, load_settings, redact, redact_mapping, show
from backbone.settings.values import parse_bool
from tests.campaigns import so_many

CANARY = "c4n4ry7"


# the secret type


@pytest.mark.parametrize(
    "reveal_by_accident",
    [
        repr,
        str,
        format,
        "{}".format,
        "%s".__mod__,
        "".join,
        json.dumps,
        lambda secret: f"{secret!s}{secret!r}{secret}",
        lambda secret: msgspec.json.encode({"a": secret}, enc_hook=str).decode(),
        lambda secret: str(vars(type(secret))),
        lambda secret: str([secret, {secret}]),
        lambda secret: secret.upper() + secret[:] + secret.encode().decode(),
    ],
)
def test_a_secret_shows_stars_only(reveal_by_accident: Any) -> None:
    assert CANARY not in reveal_by_accident(Secret(CANARY)).lower()


def test_only_reveal_reveals() -> None:
    assert Secret(CANARY).reveal() == Secret(Secret(CANARY)).reveal() == CANARY


def test_secrets_are_equal_when_their_values_are_and_never_equal_a_text() -> None:
    assert Secret("é") == Secret("é")
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert Secret("a") != "***"
    assert copy.deepcopy({"a": Secret("a")}) == {"a": Secret("a")} == {"a": copy.copy(Secret("a"))}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_is_not_pickled(protocol: int) -> None:
    with pytest.raises(TypeError, match="can't be pickled"):
        pickle.dumps(Secret(CANARY), protocol)


# the redactor


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://u:p@h:5432/d", "postgresql://u:***@h:5432/d"),
        ("u://u:p@ss@h", "u://u:***@h"),
        ("redis://:p/w:x%40@h:6379/0", "redis://:***@h:6379/0"),
        ("at redis://u:p@h, then again", "at redis://u:***@h, then again"),
        ("https://ghp_token@host/x", "https://***@host/x"),
        ("postgresql://alice@host/x", "postgresql://alice@host/x"),
        ("http://host:9090/metrics and a@b.c", "http://host:9090/metrics and a@b.c"),
        ("postgresql://h/d?user=u&password=x", "postgresql://h/d?user=u&password=***"),
        ("host=h password=x port=1", "host=h password=*** port=1"),
        ("password='a b' x", "password=*** x"),
        ('{"api_key": "a\\"b", "n": 1}', '{"api_key": ***, "n": 1}'),
        ("PGPASSWORD=x REDIS_PASS=y", "PGPASSWORD=*** REDIS_PASS=***"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("Authorization: hunter two", "Authorization: ***"),
        ("sent bearer abc.def twice", "sent bearer *** twice"),
        ("compass=north, status: pass", "compass=north, status: pass"),
        ("at postgresql://u:pw sp@h/d now", "at postgresql://u:***@h/d now"),
        ("at postgresql://u:pw\n\tx@h/d now", "at postgresql://u:***@h/d now"),
        ("unfinished postgresql://u:x1", "unfinished postgresql://u:***"),
        ("https://h/?p%61ssword=x&b=1", "https://h/?p%61ssword=***&b=1"),
        ("brokers user:x@h:9092, none answers", "brokers user:***@h:9092, none answers"),
        ("host=h pw=x port=1", "host=h pw=*** port=1"),
        ("ALTER ROLE u PASSWORD 'a b'; x", "ALTER ROLE u PASSWORD ***; x"),
        ("CREATE USER u IDENTIFIED BY x", "CREATE USER u IDENTIFIED BY ***"),
        ("AUTH u x", "AUTH ***"),
        ("['AUTH', 'u', 'x']", "['AUTH', ***"),
        ("ACL SETUSER u on >x ~*", "ACL SETUSER u on >*** ~*"),
        ("CONFIG SET requirepass x", "CONFIG SET requirepass ***"),
        ("sasl_plain_password=x", "sasl_plain_password=***"),
        ('  password: "a b', "  password: ***"),
        ("nothing here", "nothing here"),
    ],
)
def test_secrets_in_text_are_replaced(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "folder/sl_passwd: first line names no column",
        "store.password (env X): text given",
        "BACKBONE_STORE_PASSWORD_FILE: BACKBONE_STORE_PASSWORD is set as well; unset one of them",
        "token: expected a block end",
        "AUTH failed: WRONGPASS",
        "rows are identified by symbol",
        "redis://host:port/db, or rediss:// for TLS; postgresql://user@host:port/database",
        "see kafka://[::1]:9092/x and http://h:1. Then mail a@b.c or mailto:a@b.c at 12:30",
        "image:tag@sha256:abc",
    ],
)
def test_innocent_words_are_left_alone(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "value",
    [f"{CANARY}x", f"{CANARY} sp/a@ce", f"{CANARY}\nline", f"{CANARY}\"'\\", f"{CANARY}é\t%", "lettersalone" * 2],
)
def test_a_known_secret_is_masked_wherever_it_stands_in_any_spelling(value: str) -> None:
    secret = Secret(value)
    spellings = [value, repr(value), json.dumps(value), quote(value), quote(value, safe=""), quote_plus(value)]
    spellings += [ascii(value), " ".join(value.split()), value.encode("unicode_escape").decode()]
    for spelling in spellings:
        text = redact(f"the server says {spelling} is wrong")
        assert value[:7] not in text, spelling
        assert "the server says" in text
    del secret
    assert redact(f"afterwards {value[:6]} is forgotten") == f"afterwards {value[:6]} is forgotten"


def test_the_password_of_a_known_url_is_masked_by_itself() -> None:
    kept = [Secret(f"postgresql://u:{CANARY}%40x@h/d"), Secret(f"redis://h/0?p%61ssword={CANARY}y")]
    assert redact(f"wrong: {CANARY}@x, {CANARY}%40x, {CANARY}y") == "wrong: ***, ***, ***"
    assert len(kept) == 2


def test_a_known_word_is_not_looked_for() -> None:
    kept = [Secret("backbone"), Secret("12345"), Secret("market_data"), Secret("")]
    assert redact("backbone took 12345 rows of market_data") == "backbone took 12345 rows of market_data"
    assert len(kept) == 4


WILD = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=["Cs", "Zs", "Cc"]), max_size=8)
PROSE = st.text(st.characters(min_codepoint=32, max_codepoint=0x17F), max_size=15)


@pytest.mark.campaign
@settings(max_examples=so_many(400, part=100), deadline=None, derandomize=True)
@given(WILD, WILD, WILD.filter(lambda user: ":" not in user), PROSE, PROSE)
def test_a_password_in_a_url_never_survives(before: str, after: str, user: str, left: str, right: str) -> None:
    text = f"{left} postgresql://{user}:{before}{CANARY}{after}@host:5432/db {right}"
    assert CANARY not in redact(text)


@pytest.mark.campaign
@settings(max_examples=so_many(400, part=100), deadline=None, derandomize=True)
@given(
    st.sampled_from(
        ["password", "PGPASSWORD", "db_passwd", "api-key", "API_KEY", "access_token", "client.secret", "pass"]
    ),
    st.sampled_from(["=", ": ", " = ", '": "', "':'", ":"]),
    WILD,
    WILD,
    PROSE,
)
def test_an_assigned_secret_never_survives(name: str, separator: str, before: str, after: str, prose: str) -> None:
    assert CANARY not in redact(f"{prose} {name}{separator}{before}{CANARY}{after} {prose}")


@pytest.mark.campaign
@settings(max_examples=so_many(100, part=30), deadline=None, derandomize=True)
@given(st.sampled_from(["Bearer", "Basic", "Digest", "Token", ""]), WILD, PROSE)
def test_an_authorization_header_never_survives(scheme: str, before: str, prose: str) -> None:
    assert CANARY not in redact(f"{prose}\nAuthorization: {scheme} {before}{CANARY}\n{prose}")


def test_a_long_text_is_redacted_in_linear_time() -> None:
    pieces = ["a://", "a://b:", "a://b:c ", "password", "x" * 8, "a:@", "a:b@", "a.b:", "bearer ", "pass=", "pw", "?a="]
    pieces += [
        'token="',
        'password="\\',
        "password='",
        "password 'x",
        "password: a",
        "password \n",
        "AUTH a ",
        "IDENTIFIED BY ",
    ]
    pieces += [
        "SETUSER a b ",
        "authorization: ",
        "authorization:\n",
        "a://?a=&",
        "a://[",
        "%41",
        " ",
        "\t",
        f"SETUSER {'x' * 64} ",
    ]
    for piece in pieces:
        assert redact(piece * (160_000 // len(piece))) is not None


def test_mappings_are_redacted_at_any_depth() -> None:
    given = {
        "url": "redis://u:p@h",
        "n": 1,
        "deep": {"password": "p", "list": ["token=t", {"api_key": "k"}]},
        "pwd": None,
    }
    assert redact_mapping(given) == {
        "url": "redis://u:***@h",
        "n": 1,
        "deep": {"password": "***", "list": ["token=***", {"api_key": "***"}]},
        "pwd": None,
    }


def test_log_records_are_redacted_with_their_tracebacks() -> None:
    logger = logging.getLogger("tests.redaction")
    lines: list[str] = []

    class Sink(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler = Sink()
    handler.addFilter(RedactingFilter())
    logger.addHandler(handler)
    logger.propagate = False
    try:
        try:
            error = ConnectionError(f"no answer from redis://u:{CANARY}@h\x1b[31m")
            error.add_note(f"at redis://u:{CANARY} x@h")
            raise error
        except ConnectionError:
            logger.exception("can't reach %s", f"redis://u:{CANARY}@h", stack_info=True)
    finally:
        logger.removeHandler(handler)
        logger.propagate = True
    assert "redis://u:***@h" in lines[0]
    assert "\x1b" not in lines[0]
    assert "ConnectionError" in lines[0]
    assert CANARY not in lines[0]


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError(CANARY)


@pytest.mark.parametrize(
    ("text", "value"), [("%d rows of it", CANARY), ("no place for it", CANARY), ("%s is it", Unprintable())]
)
def test_whoever_logs_what_can_not_be_said_does_not_fail_over_it(text: str, value: object) -> None:
    record = logging.makeLogRecord({"msg": text, "args": (value,)})
    assert RedactingFilter().filter(record)
    assert text in record.getMessage()
    assert "values that do not go into it" in record.getMessage()
    assert CANARY not in record.getMessage()


# settings as a whole


def test_no_secret_leaves_the_settings_unless_revealed() -> None:
    env = {
        "BACKBONE_STORE_URL": f"postgresql://u:{CANARY}@h/d",
        "BACKBONE_STORE_PASSWORD": CANARY,
        "REDIS_URL": f"redis://:{CANARY}@h",
        "KAFKA_PASSWORD": CANARY,
    }
    loaded = load_settings(profile="institutional", env=env)
    shown = [repr(loaded), str(loaded.redacted()), str(show(loaded)), str(loaded.origins), str(loaded.ignored)]
    shown += [str(loaded.store.dsn()), msgspec.json.encode(loaded, enc_hook=str).decode()]
    assert CANARY not in "".join(shown)
    assert loaded.redacted()["store"]["url"] == "postgresql://u:***@h/d"
    assert loaded.redacted()["stream"]["password"] == str(Secret("masked"))


def test_a_secret_in_the_wrong_place_is_not_shown_by_the_error() -> None:
    with pytest.raises(ValueError, match="allowed is") as refused:
        load_settings(profile="embedded", env={"BACKBONE_STORE_BACKEND": f"postgresql://u:{CANARY}@h/d"})
    assert CANARY not in str(refused.value)


# booleans


@pytest.mark.parametrize(("words", "expected"), [("1 true Yes y ON", True), ("0 false No n OFF", False)])
def test_truth_has_one_parser(words: str, expected: bool) -> None:
    assert {parse_bool(f" {word} ") for word in words.split()} == {expected}


@pytest.mark.parametrize("word", ["", "2", "ja", "truee", "none"])
def test_what_is_neither_true_nor_false_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="allowed are true, 1, yes"):
        parse_bool(word)
