"""What counts as this machine: the one place that says whether what is sent to a host can be seen on a network."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

__all__ = ["addresses_of", "is_loopback"]


def is_loopback(host: str) -> bool:
    """Whether a connection to a host stays on this machine, whatever any name server says.

    It does where the host is the path of a Unix socket, the name `localhost`, or an address of 127.0.0.0/8 or ::1 in
    the usual spelling, IPv4 within IPv6 included. What can be read in more than one way does not count, also where it
    leads here today: `localhost.` and `x.localhost` may be asked of a name server, `127.1` and `0x7f000001` are names
    to some resolvers, `::1%eth0` names an interface, and 0.0.0.0 is any address.
    """
    if host.startswith("/") or host.lower() == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return False
        address = address.ipv4_mapped or address
    return address.is_loopback


def addresses_of(host: str) -> tuple[str, ...]:
    """What to connect to for a host: `localhost` as its addresses, so that no resolver is asked for it."""
    return ("::1", "127.0.0.1") if host.lower() == "localhost" else (host,)
