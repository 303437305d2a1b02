"""Environment names of other tools that are known here but change nothing, each with the reason."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from backbone.settings.aliases import ALIASES, MODE, TOPICS
from backbone.settings.errors import suggestion
from backbone.settings.leaves import leaves

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["without_a_setting"]

_KNOWN = (
    ("CONNECTION_PROTOCOL", "the backbone trades nowhere, so it has no connection of that kind; leave it out"),
    ("TIMESCALE(DB)?_DRIVER", "asyncpg is the only driver; leave it out"),
    ("TIMESCALE_APPLICATION_NAME", "set TIMESCALEDB_APP instead"),
    ("REDIS_TTL_SECONDS", "set BACKBONE_CACHE_TTL instead"),
    ("REDIS_MAX_KEYS", "set BACKBONE_CACHE_CAPACITY instead"),
    ("REDIS_(CACHE_)?INVALIDATE_PREFIXES", "a change invalidates the windows that it touches; leave it out"),
    ("TIMESCALE_BACKUP(_.*)?", "backups are not watched yet; leave it out"),
    ("TIMESCALE_FAILOVER(_.*)?", "failover drills are not built yet; leave it out"),
    ("TIMESCALE(DB)?_(CROSS_REGION|SECONDARY|REPLICA)(_.*)?", "a second region is not built yet; leave it out"),
    (
        "TIMESCALE_SPARK_(EXPORT|STRESS)(_.*)?",
        "set that of `export` instead, such as BACKBONE_EXPORT_PATH",
    ),
    ("KAFKA_INGEST_CONSUMER_.*", "where a reader stands is kept in the store, and it waits for records; leave it out"),
    ("KAFKA_READINESS_.*", "readiness is not judged yet; `backbone connectors` probes Kafka"),
    ("KAFKA_SENSORY_.*", "sensory is not built yet; leave it out"),
    ("KAFKA_INGEST_.*", "no setting is read from it; `backbone config show` has those that are"),
    ("FRED_KEY(_FILE)?", "set FRED_API_KEY instead"),
    ("(NEWS|NEWS_API|ALPHA_VANTAGE)_(API_)?KEY(_FILE)?", "no source that needs this key is built yet"),
)
_REASONS = tuple((re.compile(pattern), reason) for pattern, reason in _KNOWN)
_OURS = ("TIMESCALE_", "TIMESCALEDB_", "DATA_BACKBONE_", "EMP_")


def without_a_setting(env: Mapping[str, str]) -> Iterator[str]:
    """What to say of each variable that looks as if it were meant for the backbone and is not read."""
    names = {alias.name for alias in ALIASES} | {MODE, TOPICS}
    names |= {f"{alias.name}_FILE" for alias in ALIASES if leaves()[alias.path].secret}
    for name in sorted(set(env) - names):
        reason = next((reason for pattern, reason in _REASONS if pattern.fullmatch(name)), None)
        if reason is None and name.startswith(_OURS):
            reason = f"no setting is read from it; `backbone config show` has those that are{suggestion(name, names)}"
        if reason is not None:
            yield f"{name}: {reason}"
