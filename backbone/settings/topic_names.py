"""Topics of Kafka as settings give them: several at once in one text, and what can't be true of them together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backbone.domain.dimension import Dimension
from backbone.settings.sections.stream import message_bytes
from backbone.settings.values import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["topic_problems", "topics_by_dimension"]


def topics_by_dimension(text: str) -> dict[str, str]:
    """The settings that a text such as `quotes:md.quotes,*=market.{dimension}` stands for, by path.

    A dimension may be called by an alias; `*` is what the others are called.

    Raises:
        ValueError: a part is no pair, names no dimension or no topic, or a dimension comes twice.
    """
    found: dict[str, str] = {}
    for item in filter(None, map(str.strip, text.split(","))):
        name, topic = _pair(item)
        path = "stream.topic" if name == "*" else f"stream.{Dimension.parse(name)}.topic"
        if path in found:
            raise ValueError(f"{name} is given twice, {found[path]} and {topic}; keep one of the two")
        found[path] = topic
    return found


def _pair(item: str) -> tuple[str, str]:
    separator = "=" if "=" in item else ":"
    name, found, topic = (part.strip() for part in item.partition(separator))
    if not (name and found and topic):
        raise ValueError(f"{item!r} given; allowed is DIMENSION:TOPIC or DIMENSION=TOPIC, comma-separated")
    if topic.lower() in NOTHING:
        raise ValueError(f"{item!r} given, which names no topic; set BACKBONE_STREAM_<DIMENSION>_PUBLISH=false instead")
    return name, topic


def topic_problems(values: Mapping[str, Any], origins: Mapping[str, str]) -> Iterator[str]:
    """What can't be true of the topics together; values and origins are by path of the setting."""
    if values["stream.backend"] == "kafka" and values["stream.ssl_key"] and not values["stream.ssl_cert"]:
        yield f"stream.ssl_key ({origins['stream.ssl_key']}) has no stream.ssl_cert beside it; give both, or none"
    yield from _about_config("stream.topic_config", values, origins)
    control = values["stream.topic"].format(dimension="control")
    taken: dict[str, tuple[str, str]] = {control.replace(".", "_"): ("control", control)}
    for dimension in ("dlq", *map(str, Dimension)):
        own = f"stream.{dimension}"
        if not values[f"{own}.publish"]:
            continue
        name = values[f"{own}.topic"] or values["stream.topic"].format(dimension=dimension)
        if name in {".", ".."}:
            yield f"{own}.topic is {name!r}, which Kafka takes for no name; give another one"
        other, theirs = taken.setdefault(name.replace(".", "_"), (dimension, name))
        if other != dimension:
            yield _shared(dimension, name, other, theirs)
        yield from _about_config(f"{own}.config", values, origins)


def _shared(dimension: str, name: str, other: str, theirs: str) -> str:
    if name == theirs:
        return (
            f"{other} and {dimension} have the same topic, {name}; give each one of its own (stream.{dimension}.topic)"
        )
    return (
        f"the topics {theirs} of {other} and {name} of {dimension} differ in '.' and '_' alone, which Kafka refuses; "
        f"set another stream.{dimension}.topic"
    )


def _about_config(path: str, values: Mapping[str, Any], origins: Mapping[str, str]) -> Iterator[str]:
    config, said = values[path], f"{path} ({origins[path]})"
    if config.get("cleanup.policy", "delete") != "delete":
        yield f"{said}: cleanup.policy={config['cleanup.policy']} keeps one record of a symbol; allowed is delete"
    needed = message_bytes(values["stream.max_payload_bytes"], values["stream.batch_bytes"])
    largest = config.get("max.message.bytes", str(needed))
    if not largest.isdecimal() or int(largest) < needed:
        yield (
            f"{said}: max.message.bytes={largest} is less than stream.max_payload_bytes and stream.batch_bytes need; "
            f"give at least {needed}, or leave it out"
        )
