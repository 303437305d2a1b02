"""What counts as this machine."""

from __future__ import annotations

import pytest

from backbone.settings.loopback import addresses_of, is_loopback

HERE = [
    "localhost",
    "LocalHost",
    "127.0.0.1",
    "127.0.0.2",
    "127.255.255.255",
    "::1",
    "0:0:0:0:0:0:0:1",
    "::ffff:127.0.0.1",
    "::ffff:127.1.2.3",
    "::FFFF:7f00:1",
    "/var/run/postgresql",
    "/",
]

ELSEWHERE = [
    "",
    " ",
    "localhost.",
    "localhost.localdomain",
    "x.localhost",
    "localhost.example",
    "ip6-localhost",
    "locaIhost",
    " localhost",
    "localhost\0.example",
    "127.0.0.1.",
    "127.0.0.1.example",
    "127.example",
    "127.1",
    "127.0.1",
    "127.0.0.01",
    "0127.0.0.1",
    "0177.0.0.1",
    "0x7f.1",
    "0x7f.0.0.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "127.0.0.1 ",
    "127.0.0.1\n",
    "127.0.0.1/8",
    "127.0.0.1:5432",
    "127.0.0.1,10.0.0.1",
    "localhost,10.0.0.1",
    "\uff11\uff12\uff17.0.0.1",
    "\u217cocalhost",
    "0.0.0.0",  # noqa: S104
    "0",
    "::",
    "::127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:0.0.0.0",
    "64:ff9b::127.0.0.1",
    "2002:7f00:1::",
    "::1%eth0",
    "::1%25lo",
    "fe80::1%lo",
    "[::1]",
    "::2",
    "128.0.0.1",
    "126.255.255.255",
    "10.0.0.1",
    "192.168.0.1",
    "169.254.169.254",
    "db.example",
    "@abstract",
    "./socket",
    "~/socket",
]


@pytest.mark.parametrize("host", HERE)
def test_a_socket_the_name_localhost_and_its_addresses_stay_on_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ELSEWHERE)
def test_what_leads_away_or_can_be_read_in_two_ways_is_another_machine(host: str) -> None:
    assert not is_loopback(host)


def test_no_resolver_is_asked_for_localhost() -> None:
    assert addresses_of("LOCALHOST") == ("::1", "127.0.0.1")
    assert all(is_loopback(address) for address in addresses_of("localhost"))
    assert addresses_of("127.0.0.2") == ("127.0.0.2",)
