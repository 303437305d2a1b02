"""Tables that come from the code itself: every setting and every alias, every dimension and its columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import groupby

import msgspec

from backbone.domain.dimension import Dimension
from backbone.operations.telemetry.topics import TOPICS, kafka_name
from backbone.settings.aliases import ALIASES, ALWAYS, NEEDED_BACKEND
from backbone.settings.leaves import Leaf, leaves
from backbone.settings.schema import Settings
from backbone.sources.text.dialects import Dialect
from backbone.sources.text.vendors import BUILT_IN

__all__ = ["aliases", "dialects", "dimensions", "settings", "telemetry"]


def settings() -> str:
    """Every setting by section: its names, default, what is allowed, and what it is for."""
    parts = []
    shown = (leaf for leaf in leaves().values() if leaf.path != "profile")
    for section, group in groupby(shown, key=lambda leaf: leaf.path.partition(".")[0]):
        about = (type(getattr(Settings(), section)).__doc__ or "").strip()
        rows = [_setting(leaf) for leaf in group]
        parts.append(f"### {section}\n\n{about}\n\n| setting | default | what for |\n|---|---|---|\n" + "\n".join(rows))
    return "\n\n".join(parts) + "\n"


def _setting(leaf: Leaf) -> str:
    about = f"{leaf.description}<br><small>{_cell(leaf.allowed)}</small>"
    return f"| `{leaf.path}`<br>`{leaf.env}` | {_default(leaf)} | {about} |"


def _default(leaf: Leaf) -> str:
    if leaf.default is None:
        return "not set"
    if isinstance(leaf.default, bool):
        return f"`{str(leaf.default).lower()}`"
    if isinstance(leaf.default, tuple):
        return "none" if not leaf.default else f"`{leaf.default}`"
    if isinstance(leaf.default, Mapping):
        return ", ".join(f"`{name}={value}`" for name, value in leaf.default.items()) or "none"
    return f"`{leaf.default}`"


def _cell(text: str) -> str:
    return re.sub(r"[\\|*_\[\]{}]", r"\\\g<0>", text).replace("&", "&amp;").replace("<", "&lt;")


def aliases() -> str:
    """The names of other tools that are read, by the setting they stand for."""
    lines = ["| setting | also read from | where |", "|---|---|---|"]
    for path, group in groupby(ALIASES, key=lambda alias: alias.path):
        switch, backend = NEEDED_BACKEND.get(path.partition(".")[0], ("", ""))
        where = f"`{switch}={backend}`" if switch and path not in ALWAYS else "always"
        names = ", ".join(f"`{alias.name}`" + (" (ms)" if alias.factor == 0.001 else "") for alias in group)
        lines.append(f"| `{path}` | {names} | {where} |")
    return "\n".join(lines) + "\n"


def dialects() -> str:
    """Every dialect: how it is known, what is read, what is left out and why, what has to be told."""
    lines = ["| dialect | known by | read as | ignored | has to be told |", "|---|---|---|---|---|"]
    return "\n".join([*lines, *map(_dialect, BUILT_IN)]) + "\n"


def _dialect(each: Dialect) -> str:
    rows = " ".join(f"`{dimension}`" for dimension in each.dimensions)
    order = {"any": "", "first": "<br>first and in this order", "exact": "<br>exactly these"}[each.order]
    names = _names(each.header) + order if each.header else f"no header; fields: {', '.join(each.shapes)}"
    names += f"<br>and a header line that begins with {_names(each.labels)}" if each.labels else ""
    told = "<br>".join(f"`--{name.replace('_', '-')}`: {_cell(why)}" for name, why in each.asks.items())
    taken = "<br>".join(f"{_names([theirs])}: `{ours}`" for theirs, ours in each.columns.items())
    left = "<br>".join(f"{_names([theirs])}: {_cell(why)}" for theirs, why in each.ignored.items())
    left += "".join(f"<br>refused where {_names([theirs])} {_cell(why)}" for theirs, (_, why) in each.refused.items())
    return f"| `{each.name}`<br>{_cell(each.title)}<br><small>{rows}</small> | {names} | {taken} | {left} | {told} |"


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def dimensions() -> str:
    """Every dimension with its key, its further columns and its chunk, then every column with its type."""
    lines = ["| dimension | key | further columns | a chunk holds |", "|---|---|---|---|"]
    types: dict[str, dict[str, None]] = {}
    for each in Dimension:
        days = f"{each.chunk.days} day{'s' if each.chunk.days > 1 else ''}"
        lines.append(f"| `{each}` | {_listed(each.key)} | {_listed(each.values)} | {days} |")
        for column, kind in each.kinds.items():
            types.setdefault(kind, {})[column] = None
    lines += ["", "| type | columns |", "|---|---|"]
    lines += [f"| {kind} | {_listed(names)} |" for kind, names in types.items()]
    return "\n".join(lines) + "\n"


def _listed(names: Iterable[str]) -> str:
    return " ".join(f"`{name}`" for name in names)


def telemetry() -> str:
    """Every kind of telemetry: its topic of Kafka, what it tells, the setting that turns it off, what it carries."""
    lines = ["| type | topic of Kafka | what it tells | setting |", "|---|---|---|---|"]
    parts = []
    for topic in TOPICS.values():
        if topic.payload is None:
            lines.append(f"| `{topic.name}` | not yet | {topic.about}: nothing publishes it yet | |")
            continue
        name = kafka_name(topic, Settings().telemetry)
        lines.append(f"| `{topic.name}` | `{name}` | {topic.about} | `telemetry.{topic.switch}` |")
        about = (topic.payload.__doc__ or "").strip().partition("\n")[0]
        fields = ", ".join(f"`{field.name}`" for field in msgspec.structs.fields(topic.payload))
        parts.append(f"**`{topic.name}`**: {_cell(about)}\n\n{fields}")
    return "\n".join(lines) + "\n\n" + "\n\n".join(parts) + "\n"
