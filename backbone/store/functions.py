"""The functions that a statement of SQL may call.

Each is named: what a later version of a database brings may read files, write, or wait. None of them makes a long text
or list of a short one, for no database counts the memory that a value takes while it is made.
"""

from __future__ import annotations

from typing import Final

__all__ = ["BOTH", "GROWING", "JOINING", "REPLACING", "named"]


def named(names: str) -> frozenset[str]:
    """The names of a text, which are parted by blanks."""
    return frozenset(names.split())


BOTH: Final = named("""
    abs acos asin atan atan2 cbrt ceil ceiling cos cot degrees exp floor gcd lcm ln log mod pi power radians random
    round sign sin sqrt tan trunc greatest least coalesce nullif
    avg bit_and bit_or bool_and bool_or corr count covar_pop covar_samp max min mode regr_avgx regr_avgy regr_count
    regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy stddev stddev_pop stddev_samp sum var_pop var_samp
    variance array_agg
    row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value
    age date_part date_trunc extract make_date make_timestamp make_timestamptz now to_timestamp time_bucket
    ascii bit_length btrim char_length character_length chr initcap left length lower ltrim octet_length
    position regexp_matches right rtrim split_part starts_with strpos substr substring translate trim upper md5
    array_length array_position unnest
    """)
"""Those that both databases have."""

JOINING: Final = frozenset({"||", "concat", "concat_ws"})
"""Those that make one text of several."""

GROWING: Final = frozenset({"string_agg", "group_concat", "listagg"})
"""Aggregates whose one text may be as large as the memory allows."""

REPLACING: Final = frozenset({"replace", "regexp_replace"})
"""Those that put a text in the place of others; it may be no longer than what it replaces."""
