"""The dialects that come with the package, by where the files are from."""

from __future__ import annotations

from backbone.sources.text.vendors.exchanges import EXCHANGES
from backbone.sources.text.vendors.providers import PROVIDERS
from backbone.sources.text.vendors.terminals import TERMINALS

__all__ = ["BUILT_IN"]

BUILT_IN = (*EXCHANGES, *TERMINALS, *PROVIDERS)
"""All of them; names are unique."""
