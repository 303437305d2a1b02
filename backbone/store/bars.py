"""What bars are made of, for the stores that make them by SQL. In Python it is `backbone.quality.resample`."""

from __future__ import annotations

from backbone.domain.dimension import Dimension
from backbone.domain.fates import CANCELLED
from backbone.store.records import Bucket, Query

__all__ = ["BARS", "CROSSED", "asked_for", "counting", "sources"]

BARS = Dimension.INTRADAY_BARS

CROSSED = "a row lies in two of the bars asked for, so that the store can't tell them apart; make them of the rows"


def sources(dimension: Dimension) -> dict[str, str]:
    """The column that each value of a bar is made of."""
    if dimension is Dimension.TRADES:
        return {"open": "price", "high": "price", "low": "price", "close": "price", "volume": "size"}
    return {name: name for name in BARS.values}


def counting(dimension: Dimension) -> str:
    """The condition, in SQL, under which a row is part of a bar: cancelled trades are of none."""
    return f"(conditions IS NULL OR conditions NOT LIKE '%{CANCELLED}')" if dimension is Dimension.TRADES else "true"


def asked_for(query: Query) -> Bucket | None:
    """The bars that a query asks for, None: rows.

    Raises:
        ValueError: no bars can be made of such a query.
    """
    bucket = query.bucket
    if bucket is None:
        return None
    if query.dimension not in (BARS, Dimension.TRADES) or query.limit is not None or query.as_of is not None:
        raise ValueError(
            f"bars of {bucket.interval} asked of {query.dimension} with limit={query.limit}, as_of={query.as_of}; "
            "they are made of intraday_bars or trades, without limit and as_of"
        )
    return bucket
