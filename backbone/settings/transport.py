"""What leaves this machine without verified TLS: refused, unless the settings say that this is meant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from backbone.settings.connections import url_problem
from backbone.settings.servers import elsewhere, kafka_servers, options, postgres_servers, redis_servers, verified

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backbone.settings.schema import Settings

__all__ = ["Exposure", "exposures", "insecure_parts", "refusal_of_store", "unproven", "unsafe_store", "unusable"]

_REMEDIES = {
    "store": "set BACKBONE_STORE_SSL_MODE=verify-full and BACKBONE_STORE_SSL_ROOT_CERT to the file of its authority",
    "cache": "set BACKBONE_CACHE_SSL=true, or give a rediss:// URL that verifies",
    "stream": "set BACKBONE_STREAM_SECURITY_PROTOCOL to SASL_SSL or SSL",
}
_FILES = {"sslrootcert": "store.ssl_root_cert", "sslcert": "store.ssl_cert", "sslkey": "store.ssl_key"}
_FILES_OF_REDIS = {"ssl_ca_certs": "cache.ssl_root_cert", "ssl_certfile": "cache.url", "ssl_keyfile": "cache.url"}


class Exposure(NamedTuple):
    """A connection that others could listen to, or answer in the server's place."""

    section: str
    path: str
    text: str
    meant: bool
    """The settings say so."""

    @property
    def remedy(self) -> str:
        """What to set instead."""
        wins = ", without an sslmode in the URL, which would win" if self.path == "store.url" else ""
        return f"{_REMEDIES[self.section]}{wins}"

    @property
    def refusal(self) -> str:
        """What to say where it is not meant."""
        return f"{self.text}; {self.remedy}, or BACKBONE_{self.section.upper()}_INSECURE=true if that is meant"


def exposures(settings: Settings) -> Iterator[Exposure]:
    """Each part whose chosen server is on another machine, and asked without verified TLS."""
    store, cache, stream = settings.store, settings.cache, settings.stream
    url = store.dsn() if store.backend == "timescale" else None
    if url is not None and _readable("store.url", url.reveal()):
        text = unsafe_store(url.reveal())
        yield from _exposure("store", "url" if store.url is not None else "host", text, meant=store.insecure)
    url = cache.dsn() if cache.backend == "redis" else None
    if url is not None and _readable("cache.url", url.reveal()):
        text = "" if verified(url.reveal()) else elsewhere(redis_servers(url.reveal()))
        yield from _exposure("cache", "url" if cache.url is not None else "host", text, meant=cache.insecure)
    if stream.backend == "kafka" and stream.bootstrap is not None:
        plain = stream.effective_security_protocol in {"PLAINTEXT", "SASL_PLAINTEXT"}
        text = _brokers(stream.bootstrap) if plain else ""
        yield from _exposure("stream", "bootstrap", text, meant=stream.insecure)


def unsafe_store(url: str) -> str:
    """The servers of a PostgreSQL URL on other machines that would be asked without verified TLS; "" for none.

    Raises:
        ValueError: the URL can't be read.
    """
    return "" if verified(url) else elsewhere(postgres_servers(url))


def insecure_parts(settings: Settings) -> dict[str, str]:
    """By part, what `insecure` lets happen; for every status as long as it does."""
    return {each.section: f"insecure: {each.text}" for each in exposures(settings) if each.meant}


def unproven(settings: Settings) -> Iterator[tuple[str, str]]:
    """Settings of TLS that can't be carried out, and why."""
    url = settings.store.dsn() if settings.store.backend == "timescale" else None
    if url is not None and _readable("store.url", url.reveal()):
        yield from unusable(url.reveal())
    url = settings.cache.dsn() if settings.cache.backend == "redis" else None
    if url is not None and _readable("cache.url", url.reveal()):
        given = options(url.reveal())
        yield from _unusable_files(_given(_FILES_OF_REDIS, given), given.get("ssl_password", ""))
    stream = settings.stream
    if stream.backend == "kafka" and stream.effective_security_protocol in {"SSL", "SASL_SSL"}:
        password = "" if stream.ssl_key_password is None else stream.ssl_key_password.reveal()
        files = {"ssl_root_cert": stream.ssl_root_cert, "ssl_cert": stream.ssl_cert, "ssl_key": stream.ssl_key}
        named = {name: (f"stream.{name}", file) for name, file in files.items() if file}
        yield from _unusable_files(named, password)


def unusable(url: str) -> Iterator[tuple[str, str]]:
    """What a PostgreSQL URL says of TLS and can't be carried out: no authority to verify by, or of no use a file."""
    given = options(url)
    if given.get("sslmode") in {"verify-ca", "verify-full"} and "sslrootcert" not in given:
        text = (
            f"store.ssl_mode is {given['sslmode']}, but there is no authority to verify by; set "
            "BACKBONE_STORE_SSL_ROOT_CERT to the file of its certificate, for a public one to that of this machine, "
            "such as /etc/ssl/certs/ca-certificates.crt"
        )
        yield "store.ssl_root_cert", text
    yield from _unusable_files(_given(_FILES, given), given.get("sslpassword", ""))


def _given(files: Mapping[str, str], given: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """The files that the options of a URL name: of the authority, of the certificate, of its key; with the setting."""
    roles = zip(("ssl_root_cert", "ssl_cert", "ssl_key"), files.items(), strict=True)
    return {role: (path, given[option]) for role, (option, path) in roles if option in given}


def _unusable_files(files: Mapping[str, tuple[str, str]], password: str) -> Iterator[tuple[str, str]]:
    """The settings whose files are not there, or hold nothing that a client could take.

    Args:
        files: by what they are for (ssl_root_cert, ssl_cert, ssl_key), the setting and the file.
        password: of the key.
    """
    missing = [(path, file) for path, file in files.values() if not Path(file).is_file()]
    for path, file in missing:
        yield path, f"{path} is {file}, but there is no such file; correct it"
    if not missing and (problem := _unloadable(files, password)) is not None:
        path, why = problem
        yield path, f"{path} can't be used: {why}; give a readable file in PEM format"


def _unloadable(files: Mapping[str, tuple[str, str]], password: str) -> tuple[str, str] | None:
    """The setting whose file the client would not take, and why."""
    import ssl

    context, path = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ""
    try:
        if "ssl_root_cert" in files:
            path, file = files["ssl_root_cert"]
            context.load_verify_locations(cafile=file)
        if "ssl_cert" in files:
            path, file = files["ssl_cert"]
            key = files["ssl_key"][1] if "ssl_key" in files else None
            context.load_cert_chain(file, key, lambda: password)
    except OSError as error:
        return path, str(error)
    return None


def refusal_of_store(servers: str) -> str:
    """What to say where the store's servers on other machines would be asked without verified TLS."""
    [exposure] = _exposure("store", "url", servers, meant=False)
    return exposure.refusal


def _exposure(section: str, name: str, servers: str, *, meant: bool) -> Iterator[Exposure]:
    if servers:
        path = f"{section}.{name}"
        text = f"{path} leads to {servers}, another machine, without verified TLS"
        yield Exposure(section, path, text, meant)


def _readable(path: str, url: str) -> bool:
    return url_problem(path, url) is None


def _brokers(bootstrap: str) -> str:
    """Those on other machines; all of them where one can't be read."""
    try:
        return elsewhere(kafka_servers(bootstrap))
    except ValueError:
        return bootstrap
