"""backbone: an institutional market-data backbone that a Python trading process embeds.

```python
from backbone import Backbone, Dimension, IngestPlan, load_settings

async with Backbone.open(load_settings(profile="embedded")) as backbone:
    bars = await backbone.fetch(Dimension.INTRADAY_BARS, symbols=["EURUSD"], interval="1h", limit=500)
```

Names are imported when first used, so that `import backbone` stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backbone import samples
    from backbone.domain.dimension import Dimension
    from backbone.domain.errors import BackboneClosed, BackboneError
    from backbone.domain.frame import Frame
    from backbone.domain.status import Status
    from backbone.facade.backbone import Backbone
    from backbone.ingest.messages import RecordResult
    from backbone.ingest.plan import IngestPlan, IngestRun
    from backbone.operations.freshness import FreshnessReport
    from backbone.operations.gate.verdict import Gate, GateLevel
    from backbone.operations.gate.watching import GateWatch
    from backbone.operations.rehearsal.cycle import RehearsalReport, RehearsalRequest
    from backbone.settings import Settings, SettingsError, load_settings
    from backbone.sources.errors import InputInvalid, InputMissing, SourceError
    from backbone.store.errors import NotBuilt, PositionLost, StoreBusy, StoreError, StoreUnavailable, Unsupported
    from backbone.stream.messages import Update

__all__ = [
    "Backbone",
    "BackboneClosed",
    "BackboneError",
    "Dimension",
    "Frame",
    "FreshnessReport",
    "Gate",
    "GateLevel",
    "GateWatch",
    "IngestPlan",
    "IngestRun",
    "InputInvalid",
    "InputMissing",
    "NotBuilt",
    "PositionLost",
    "RecordResult",
    "RehearsalReport",
    "RehearsalRequest",
    "Settings",
    "SettingsError",
    "SourceError",
    "Status",
    "StoreBusy",
    "StoreError",
    "StoreUnavailable",
    "Unsupported",
    "Update",
    "load_settings",
    "samples",
]

_HOME = {
    "Backbone": "facade.backbone",
    "Dimension": "domain.dimension",
    "Frame": "domain.frame",
    "Status": "domain.status",
    "IngestPlan": "ingest.plan",
    "IngestRun": "ingest.plan",
    "RecordResult": "ingest.messages",
    "Update": "stream.messages",
    "FreshnessReport": "operations.freshness",
    "Gate": "operations.gate.verdict",
    "GateLevel": "operations.gate.verdict",
    "GateWatch": "operations.gate.watching",
    "RehearsalReport": "operations.rehearsal.cycle",
    "RehearsalRequest": "operations.rehearsal.cycle",
    "BackboneClosed": "domain.errors",
    "BackboneError": "domain.errors",
    "NotBuilt": "store.errors",
    "PositionLost": "store.errors",
    "Settings": "settings",
    "SettingsError": "settings",
    "load_settings": "settings",
    "InputInvalid": "sources.errors",
    "InputMissing": "sources.errors",
    "SourceError": "sources.errors",
    "StoreBusy": "store.errors",
    "StoreError": "store.errors",
    "StoreUnavailable": "store.errors",
    "Unsupported": "store.errors",
    "samples": "samples",
}


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{home}")
    value = module if name == home else getattr(module, name)
    globals()[name] = value
    return value
