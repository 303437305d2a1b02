"""Why client and server do not trust each other, in words: waiting does not help there."""

from __future__ import annotations

import ssl
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg

from backbone.settings import Secret, redact
from backbone.store.errors import StoreUnavailable

__all__ = ["distrust", "require_files"]

_FILES = {"sslrootcert": "store.ssl_root_cert", "sslcert": "store.ssl_cert", "sslkey": "store.ssl_key"}


def require_files(dsn: Secret) -> None:
    """Look whether the files that a connection URL names are there; the client does not say which one is not.

    Raises:
        StoreUnavailable: one of them is not.
    """
    for option, given in parse_qs(urlsplit(dsn.reveal()).query).items():
        if option in _FILES and given[-1] != "system" and not Path(given[-1]).is_file():
            raise StoreUnavailable(f"{option}={given[-1]} given, but there is no such file; correct {_FILES[option]}")


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
