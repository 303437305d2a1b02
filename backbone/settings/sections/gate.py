"""The trade gate: what speaks against trading on data, and how strongly."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from backbone.settings.sections.base import Section

__all__ = ["GateSettings", "Rule"]

Rule = Literal["blocked", "degraded", "ignored"]
"""What follows where it is so: trading is blocked, or is to be done with care, or nothing follows."""

Pause = Annotated[float, Meta(ge=0.05, le=3600)]


class GateSettings(Section, frozen=True, kw_only=True):
    """By which rules `backbone.gate` says whether data may be traded on. The kill switch blocks, whatever they say."""

    interval: Annotated[
        Pause, Meta(description="seconds between two looks at the kill switch, and at how store and stream are")
    ] = 0.25
    refresh: Annotated[
        Pause, Meta(description="seconds between two looks in the store at how far rows go; the stream tells meanwhile")
    ] = 30.0
    silence: Annotated[
        Annotated[float, Meta(ge=0.05, le=60)], Meta(description="seconds without an answer after which a store is cut")
    ] = 0.5
    lag: Annotated[
        Annotated[float, Meta(gt=0, le=86_400)],
        Meta(description="seconds that a committed change may wait to be published, or to be seen on the stream"),
    ] = 5.0
    symbols: Annotated[
        Annotated[int, Meta(ge=1, le=20_000)], Meta(description="symbols that are judged at most, of all dimensions")
    ] = 4096
    stale: Annotated[Rule, Meta(description="data is older than quality.freshness allows")] = "blocked"
    unknown: Annotated[
        Literal["blocked", "degraded"], Meta(description="it can't be told how old data is, or nothing is stored")
    ] = "blocked"
    quality_failed: Annotated[Rule, Meta(description="the newest run of a symbol was judged failed")] = "blocked"
    quality_degraded: Annotated[Rule, Meta(description="the newest run of a symbol was judged degraded")] = "degraded"
    run_failed: Annotated[Rule, Meta(description="the newest run of a symbol was not carried out")] = "degraded"
    store_down: Annotated[Rule, Meta(description="the store says that it is down, or does not answer")] = "blocked"
    stream_down: Annotated[Rule, Meta(description="changes are not published, or not followed, for an error")] = (
        "blocked"
    )
    lagging: Annotated[Rule, Meta(description="a change has waited for longer than gate.lag")] = "blocked"
