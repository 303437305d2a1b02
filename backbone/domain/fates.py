"""What became of a trade after it was made: cancelled trades stay in the store and are marked, bars leave them out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow.compute as pc

from backbone.domain.values import numpy_of

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

__all__ = ["CANCELLED", "CORRECTED", "counting"]

CANCELLED: Final = "cancelled"
"""With this word the conditions of a trade end that does not count any more."""
CORRECTED: Final = "corrected"
"""With this word those of a trade end that stands in the place of a wrong one."""


def counting(conditions: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    """Which trades count, by their conditions."""
    if conditions.null_count == len(conditions):
        return np.ones(len(conditions), dtype=np.bool_)
    return ~np.asarray(numpy_of(pc.ends_with(conditions, CANCELLED), False), dtype=np.bool_)
