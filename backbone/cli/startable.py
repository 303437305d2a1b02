"""Whether a backbone could start with some settings, before anything is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backbone.settings.explain import missing

if TYPE_CHECKING:
    from backbone.settings import Settings

__all__ = ["hindrances"]


def hindrances(settings: Settings) -> tuple[str, ...]:
    """What would refuse a start, one line each: what this version does not have, then what the settings lack.

    An address that is missing for a service that is not built yet is no advice.
    """
    from backbone.adapters import cache_factory, log
    from backbone.refusals import NotBuilt

    unbuilt = {}
    for section, make in (("cache", cache_factory), ("stream", log)):
        try:
            make(settings)
        except NotBuilt as error:
            unbuilt[section] = str(error)
    lacking = [line for line in missing(settings) if not line.startswith(tuple(f"{section}." for section in unbuilt))]
    return (*lacking, *unbuilt.values())
