"""Connection URLs: composed of their pieces, and taken apart as little as possible."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

from backbone.settings.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["compose_url", "has_password", "strip_driver", "why_no_postgres"]


def compose_url(
    scheme: str,
    user: str | None,
    password: Secret | None,
    host: str,
    port: int,
    path: str,
    options: Mapping[str, str | None],
) -> Secret:
    """A URL of its pieces; user, password and path are percent-encoded, options without a value left out."""
    secret = "" if password is None else f":{quote(password.reveal(), safe='')}"
    userinfo = f"{quote(user or '', safe='')}{secret}"
    name = f"[{host}]" if ":" in host and not host.startswith("[") else host
    given = {key: value for key, value in options.items() if value is not None}
    query = f"?{urlencode(given, safe='/')}" if given else ""
    return Secret(f"{scheme}://{userinfo}{'@' if userinfo else ''}{name}:{port}/{quote(path, safe='')}{query}")


def strip_driver(url: str) -> str:
    """The URL without the driver that some tools put into its scheme: ``postgresql+psycopg2://`` → ``postgresql://``."""
    return re.sub(r"^(postgres(?:ql)?)\+[a-z0-9]+://", r"\1://", url)


def why_no_postgres(url: str) -> str:
    """Why a URL can't lead to a PostgreSQL server, without any of its secrets; "" where it can."""
    scheme, colon, _ = url.partition("://")
    if colon and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme) and scheme not in {"postgres", "postgresql"}:
        return f"it begins with {scheme}://; give postgresql://user:password@host:port/database"
    try:
        parts = urlsplit(url)
        clear = parts.port != 0 and "@" not in parts.path + parts.query + parts.fragment
    except ValueError:
        clear = False
    if colon and clear:
        return ""
    return (
        "it can't be read; give postgresql://user:password@host:port/database, "
        "with everything but letters and digits in user and password percent-encoded"
    )


def has_password(url: str) -> bool:
    """Whether a URL carries a password, before the host or among its options."""
    rest = url.partition("://")[2]
    return ":" in rest[: max(rest.rfind("@"), 0)] or bool(re.search(r"[?&]pass(word)?=", rest, re.IGNORECASE))
