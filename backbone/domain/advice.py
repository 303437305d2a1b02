"""What an operator can do about a part, where several places have to say it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["INSTEAD"]

INSTEAD: Mapping[str, str] = MappingProxyType(
    {
        "store": "backbone services up timescale starts a server, and says how to use it",
        "cache": "backbone services up redis starts a server, and says how to use it",
        "stream": "backbone services up kafka starts a server, and says how to use it",
    }
)
"""By part: what to use instead of the embedded stand-in. Whatever is named here exists and works as typed."""
