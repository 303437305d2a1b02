"""The one schema of all settings: a section for each room, with names, types, bounds, defaults and what each is for.

The environment name of a setting is ``BACKBONE_`` and its path in capitals: ``store.pool_size`` is read from
``BACKBONE_STORE_POOL_SIZE``. Durations are seconds unless the name says otherwise; None means "no limit" or "not set".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta

from backbone.settings.fingerprint import fingerprint, redacted_sections
from backbone.settings.sections.backfill import BackfillSettings
from backbone.settings.sections.base import Section, Text
from backbone.settings.sections.cache import CacheSettings
from backbone.settings.sections.control import ControlSettings
from backbone.settings.sections.export import ExportSettings
from backbone.settings.sections.gate import GateSettings
from backbone.settings.sections.ingest import IngestSettings
from backbone.settings.sections.instruments import InstrumentsSettings
from backbone.settings.sections.logging import LoggingSettings
from backbone.settings.sections.market import MarketSettings
from backbone.settings.sections.providers import ProvidersSettings
from backbone.settings.sections.quality import QualitySettings
from backbone.settings.sections.recovery import RecoverySettings
from backbone.settings.sections.retention import RetentionSettings
from backbone.settings.sections.schedule import ScheduleSettings
from backbone.settings.sections.sources import SourcesSettings
from backbone.settings.sections.sql import SqlSettings
from backbone.settings.sections.store import StoreSettings
from backbone.settings.sections.stream import StreamSettings
from backbone.settings.sections.supervision import SupervisionSettings
from backbone.settings.sections.telemetry import TelemetrySettings

__all__ = ["Settings"]


class Settings(Section, frozen=True, kw_only=True):
    """All settings, and where each came from. Made by `load_settings`; a test may also construct it directly."""

    profile: Annotated[Text, Meta(description="the name of the profile these settings began with")] = "custom"
    tier: Annotated[
        Literal["tier_0", "tier_1", "tier_2"] | None,
        Meta(description="servers asked for: none, TimescaleDB, Redis and Kafka too; the profile where none is named"),
    ] = None
    run_mode: Annotated[
        Literal["mock", "paper", "live"],
        Meta(description="live needs confirm_live and every server; mock is refused in production"),
    ] = "paper"
    environment: Annotated[
        Literal["demo", "staging", "production"],
        Meta(description="production refuses mock data, and insecure connections whatever else is set"),
    ] = "demo"
    confirm_live: Annotated[bool, Meta(description="says that run_mode live is meant")] = False
    kill_switch: Annotated[
        Text | None, Meta(description="a file: while it exists, nothing is done by schedule, and status says so")
    ] = "data/backbone.kill"
    store: StoreSettings = StoreSettings()
    cache: CacheSettings = CacheSettings()
    stream: StreamSettings = StreamSettings()
    sources: SourcesSettings = SourcesSettings()
    providers: ProvidersSettings = ProvidersSettings()
    ingest: IngestSettings = IngestSettings()
    backfill: BackfillSettings = BackfillSettings()
    market: MarketSettings = MarketSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    recovery: RecoverySettings = RecoverySettings()
    retention: RetentionSettings = RetentionSettings()
    export: ExportSettings = ExportSettings()
    sql: SqlSettings = SqlSettings()
    quality: QualitySettings = QualitySettings()
    instruments: InstrumentsSettings = InstrumentsSettings()
    gate: GateSettings = GateSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    control: ControlSettings = ControlSettings()
    supervision: SupervisionSettings = SupervisionSettings()
    logging: LoggingSettings = LoggingSettings()

    origins: Mapping[str, str] = {}
    """Where each value came from, by path: "default", a file, "env NAME", "env NAME (alias)", "--set path", "code"."""
    ignored: tuple[str, ...] = ()
    """What was set but changes nothing, each with the reason and what to do."""

    def redacted(self) -> dict[str, Any]:
        """The sections as plain nested values, secrets masked."""
        return redacted_sections(self)

    @property
    def hash(self) -> str:
        """16 hex digits that depend on the values only; secrets don't enter it."""
        return fingerprint(self)
