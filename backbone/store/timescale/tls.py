"""To whom the client speaks, and why they do not trust each other, in words: waiting does not help there."""

from __future__ import annotations

import ssl
from typing import Any

import asyncpg

from backbone.settings import Secret, redact
from backbone.settings.loopback import addresses_of
from backbone.settings.servers import options, postgres_servers, verified
from backbone.settings.transport import unusable
from backbone.store.errors import StoreUnavailable

__all__ = ["distrust", "reached", "require_files"]


def reached(dsn: str) -> dict[str, Any]:
    """Where the client connects and how, in words that neither its environment nor its files can bend.

    `localhost` is its addresses, so that no resolver is asked, unless it has to show a certificate of that name.
    """
    mode = options(dsn).get("sslmode", "prefer")
    named = verified(dsn)
    servers = [
        (host, server.port)
        for server in postgres_servers(dsn)
        for host in ((server.host,) if named else addresses_of(server.host))
    ]
    return {"host": [host for host, _ in servers], "port": [port for _, port in servers], "ssl": mode}


def require_files(dsn: Secret) -> None:
    """Look whether what a connection URL names for TLS can be used; the client does not say which file it is.

    Raises:
        StoreUnavailable: something can't, or there is no authority to verify by.
    """
    for _, text in unusable(dsn.reveal()):
        raise StoreUnavailable(text)


def distrust(error: BaseException, place: str) -> StoreUnavailable | None:
    """The error to raise where TLS is why there is no connection, else None.

    Args:
        error: what the client raised; some of its errors are a ValueError, too.
        place: host, port and database.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return StoreUnavailable(
            f"{place}: its certificate does not show that it is this server: {error.verify_message}; give store.url "
            "the host that the certificate names, and store.ssl_root_cert the file of its authority"
        )
    if isinstance(error, ConnectionError) and "rejected SSL" in str(error):
        return StoreUnavailable(f"{place} speaks no TLS, which store.ssl_mode requires: switch it on in the server")
    if isinstance(error, asyncpg.ClientConfigurationError):
        return StoreUnavailable(f"{place}: {redact(str(error))}; correct store.url or the store.ssl_... settings")
    return None
