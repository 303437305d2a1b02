"""The years that a file may speak of where nobody says otherwise: a moment outside of them is a misread number."""

from __future__ import annotations

from typing import Final

__all__ = ["EARLIEST", "LATEST"]

EARLIEST: Final = 1800
"""The first year; no market data is older."""
LATEST: Final = 2100
"""The last year."""
