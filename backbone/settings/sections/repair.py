"""Repairs: what is done about bars that a source gives wrongly."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from backbone.settings.sections.base import Section, Text

__all__ = ["Remedy", "RepairSettings"]

Remedy = Literal["off", "repair", "quarantine"]
"""Rows are left as they are, mended with a mark, or kept aside."""


class RepairSettings(Section, frozen=True, kw_only=True):
    """Rules that look at the bars of a run, each off until it is asked for."""

    unit: Annotated[Remedy, Meta(description="bars a hundred times too large or small: pence for pounds")] = "off"
    split: Annotated[Remedy, Meta(description="bars that a split of quality.repair.actions is not in")] = "off"
    dividend: Annotated[
        Remedy, Meta(description="adjusted closes that a dividend of quality.repair.actions is not in, or wrongly")
    ] = "off"
    missing: Annotated[Remedy, Meta(description="bars of which some prices are zero or missing")] = "off"
    actions: Annotated[Text | None, Meta(description="a file of splits and dividends: symbol,date,split,dividend")] = (
        None
    )
    minor_units: Annotated[
        Text, Meta(description="symbols that are quoted in pence or cents: patterns with commas between them")
    ] = "*.L,*.JO,*.TA"
