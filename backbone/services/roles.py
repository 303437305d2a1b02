"""Who may do what: accounts with fewer rights than the owner's, each with an .env of its own.

The owner's settings are in the .env that `up` is told; beside the data lie `writer.env` (rows, but no tables),
`reader.env` (looks, and changes nothing) and `admin.env` (of Kafka, for its tools), each of them the launcher's alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

from backbone.services import envfile
from backbone.services.service import Service, Site

OWNER = "owner"


def file_of(role: str, data: Path, env_file: Path) -> Path:
    """Return where the settings of a role are."""
    return env_file if role == OWNER else data / f"{role}.env"


def passwords(service: Service, data: Path, env_file: Path) -> dict[str, str]:
    """Return the passwords of a service's accounts, as far as they are written down."""
    found = {}
    for role, account in reversed(list(service.accounts.items())):
        if password := service.password(envfile.read(file_of(role, data, env_file))):
            found[account] = password
    return found


def with_new(service: Service, known: Mapping[str, str]) -> dict[str, str]:
    """Return a password for every account: as it was, else made now."""
    return {account: known.get(account) or secrets.token_urlsafe(24) for account in service.accounts.values()}


def write_down(service: Service, site: Site, data: Path, env_file: Path) -> None:
    """Write where the service is, and as whom to log in, into the file of each role."""
    for role, account in service.accounts.items():
        envfile.update(file_of(role, data, env_file), service.settings(site, account))
