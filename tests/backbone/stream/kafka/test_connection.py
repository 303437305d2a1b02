"""How clients of Kafka connect, by the settings; nothing that can be shown holds a secret."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from backbone.settings import Secret
from backbone.settings.sections.stream import StreamSettings
from backbone.stream.errors import StreamUnavailable
from backbone.stream.kafka.connection import Connection
from tests.backbone.store.impostor import authority

CANARY = "canary-of-a-password"


def connection(**more: Any) -> Connection:
    return Connection.of(StreamSettings(backend="kafka", **{"bootstrap": "kafka-1:9092", **more}))


@pytest.mark.parametrize(
    ("bootstrap", "servers"),
    [
        ("kafka-1:9092", ["kafka-1:9092"]),
        ("kafka-1, kafka-2:9093", ["kafka-1:9092", "kafka-2:9093"]),
        ("SASL_SSL://kafka-1:9094", ["kafka-1:9094"]),
        ("[::1]:9092", ["[::1]:9092"]),
        (None, ["localhost:9092"]),
    ],
)
def test_brokers_are_told_to_the_client_as_it_reads_them(bootstrap: str | None, servers: list[str]) -> None:
    assert connection(bootstrap=bootstrap).client()["bootstrap_servers"] == servers


def test_without_an_account_there_is_no_login() -> None:
    given = connection().client()
    assert given["security_protocol"] == "PLAINTEXT"
    assert not {name for name in given if name.startswith(("sasl", "ssl"))}


def test_the_password_goes_to_the_client_and_nowhere_else() -> None:
    made = connection(
        user="backbone", password=Secret(CANARY), sasl_mechanism="SCRAM-SHA-512", security_protocol="SASL_PLAINTEXT"
    )
    given = made.client()
    assert given["sasl_plain_username"] == "backbone"
    assert (given["sasl_mechanism"], given["sasl_plain_password"]) == ("SCRAM-SHA-512", CANARY)
    assert CANARY not in f"{made} {made!r} {vars(made)}"


def test_with_an_account_and_nothing_else_said_a_broker_has_to_prove_itself() -> None:
    given = connection(user="backbone", password=Secret(CANARY)).client()
    context = given["ssl_context"]
    assert given["security_protocol"] == "SASL_SSL"
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_the_authority_given_is_the_only_one_that_is_believed(tmp_path: Path) -> None:
    ours = authority(tmp_path, "ours")
    files = {"ssl_root_cert": str(ours.crt), "ssl_cert": str(ours.crt), "ssl_key": str(ours.key)}
    given = connection(security_protocol="SSL", **files).client()
    assert len(given["ssl_context"].get_ca_certs()) == 1
    assert "sasl_mechanism" not in given


@pytest.mark.parametrize("name", ["ssl_root_cert", "ssl_cert"])
def test_a_file_that_can_not_be_used_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / "no.pem"
    path.write_text("no certificate\n")
    with pytest.raises(StreamUnavailable, match=f"stream.{name} is {path}, which can't be used"):
        connection(security_protocol="SSL", **{name: str(path)}).client()
