"""What a source made of its input, as a report shows it."""

from __future__ import annotations

from typing import Any

from backbone.sources.port import Account, Source

__all__ = ["account_of"]


def account_of(source: Source) -> dict[str, Any]:
    """The fields of a run's report that tell it; empty for sources that keep no account."""
    account = getattr(source, "account", None)
    if not isinstance(account, Account):
        return {}
    return {
        "dialect": account.dialect,
        "columns": dict(account.columns),
        "ignored": dict(account.ignored),
        "notes": tuple(account.notes),
    }
