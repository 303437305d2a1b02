"""Why a backbone with these settings would not start: found before any connection is made."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from backbone.settings.backends import SERVERS, TIERS
from backbone.settings.connections import url_problem
from backbone.settings.errors import SettingsError
from backbone.settings.exchanges import EXCHANGES, PACKAGE
from backbone.settings.session_hours import canonical_name
from backbone.settings.transport import exposures, unproven

if TYPE_CHECKING:
    from backbone.settings.schema import Settings
    from backbone.settings.sections.market import MarketSettings
    from backbone.settings.sections.stream import StreamSettings

__all__ = ["Obstacle", "obstacles", "refuse_what_cannot_start"]


class Obstacle(NamedTuple):
    """A setting because of which a backbone would not start, and what to do."""

    path: str
    text: str


class _Part(NamedTuple):
    section: str
    backend: str
    required: bool | None
    addressed: bool
    address: str


def refuse_what_cannot_start(settings: Settings, section: str = "") -> None:
    """Refuse settings with which a backbone, or one section of it, would not start.

    Raises:
        SettingsError: it tells all obstacles, one a line.
    """
    found = [each.text for each in obstacles(settings) if each.path.startswith(section)]
    if found:
        raise SettingsError(*found)


def obstacles(settings: Settings) -> tuple[Obstacle, ...]:
    """All that keeps a backbone with these settings from starting."""
    return (
        *_about_the_mode(settings),
        *_about_services(settings),
        *_about_clients(settings.stream),
        *_about_calendars(settings),
        *_about_market(settings.market),
        *_about_addresses(settings),
    )


def _about_the_mode(settings: Settings) -> Iterator[Obstacle]:
    if settings.run_mode == "live" and not settings.confirm_live:
        text = "run_mode is live, but confirm_live is false; set BACKBONE_CONFIRM_LIVE=true where real money is meant"
        yield Obstacle("confirm_live", text)
    if settings.run_mode == "mock" and settings.environment == "production":
        text = "run_mode is mock, which production does not take; set BACKBONE_RUN_MODE=paper or another environment"
        yield Obstacle("run_mode", text)


def _about_services(settings: Settings) -> Iterator[Obstacle]:
    store, cache, stream = settings.store, settings.cache, settings.stream
    for part in (
        _Part("store", store.backend, store.required, store.dsn() is not None, "URL"),
        _Part("cache", cache.backend, cache.required, cache.dsn() is not None, "URL"),
        _Part("stream", stream.backend, stream.required, stream.bootstrap is not None, "BOOTSTRAP"),
    ):
        text = _missing(part, _why_required(settings, part))
        if text:
            yield Obstacle(f"{part.section}.backend", text)


def _why_required(settings: Settings, part: _Part) -> str:
    """Who asks for the server of a part; "" where nobody does. A stream that nobody consumes asks for none."""
    if part.required is not None:
        return _by(settings, f"{part.section}.required is true") if part.required else ""
    if part.section == "stream" and not settings.stream.consume:
        return ""
    if settings.run_mode == "live":
        return _by(settings, "run_mode is live")
    return _by(settings, f"tier is {settings.tier}") if part.section in TIERS.get(settings.tier or "", ()) else ""


def _by(settings: Settings, statement: str) -> str:
    """A statement about a setting, and where that was set."""
    origin = settings.origins.get(statement.partition(" ")[0], "")
    return f"{statement}, {origin.removesuffix(' (alias)')}" if origin else statement


def _missing(part: _Part, why: str) -> str:
    server, name = SERVERS[part.section], f"BACKBONE_{part.section.upper()}"
    if part.backend == server:
        lost = f"{part.section}.backend is {server}, but its address is missing; set {name}_{part.address}"
        return "" if part.addressed else lost
    if not why:
        return ""
    return f"{server} is required ({why}), but {part.section}.backend is {part.backend}; set {name}_BACKEND={server}"


def _about_clients(stream: StreamSettings) -> Iterator[Obstacle]:
    """What has to be installed for Kafka; its client alone can compress with gzip, which is slow."""
    if stream.backend != "kafka":
        return
    if find_spec("aiokafka") is None:
        text = "stream.backend is kafka, which needs its client: pip install 'aiokafka>=0.14' cramjam"
        yield Obstacle("stream.backend", text)
    if stream.compression in {"snappy", "lz4", "zstd"} and find_spec("cramjam") is None:
        text = (
            f"stream.compression is {stream.compression}, which needs cramjam: pip install cramjam, "
            "or set BACKBONE_STREAM_COMPRESSION to gzip or none"
        )
        yield Obstacle("stream.compression", text)


def _about_calendars(settings: Settings) -> Iterator[Obstacle]:
    """What has to be installed for the calendars of exchanges."""
    own = settings.instruments.sessions
    given: dict[str, list[str | None]] = {
        "quality.session": [settings.quality.session],
        "quality.sessions": [*settings.quality.sessions.values()],
        "instruments.rules": [rule.calendar for rule in settings.instruments.rules],
    }
    for path, names in given.items():
        exchanges = sorted(EXCHANGES.intersection(canonical_name(name, own) or "" for name in names if name))
        if exchanges and find_spec(PACKAGE) is None:
            text = f"{path} names {', '.join(exchanges)}, which needs {PACKAGE}: pip install '{PACKAGE}>=4.13'"
            yield Obstacle(path, text)


def _about_market(market: MarketSettings) -> Iterator[Obstacle]:
    """What is to be fetched has to be said so that it can be asked for."""
    from backbone.domain.clock import parse_interval, parse_time

    try:
        parse_interval(market.intraday_interval)
    except ValueError as error:
        yield Obstacle("market.intraday_interval", f"market.intraday_interval: {error}")
    given = {name: getattr(market, name) for name in ("macro_start", "macro_end")}
    if len(missing := [name for name, text in given.items() if text is None]) == 1:
        text = f"market.{missing[0]} is not set, the other end of the window is; set both, or leave both out"
        yield Obstacle(f"market.{missing[0]}", text)
    moments = {}
    for name, text in given.items():
        try:
            moments[name] = None if text is None else parse_time(text, "UTC" if len(text.strip()) == _DATE else None)
        except ValueError as error:
            yield Obstacle(f"market.{name}", f"market.{name}: {error}")
    start, end = moments.get("macro_start"), moments.get("macro_end")
    if start is not None and end is not None and start > end:
        yield Obstacle(
            "market.macro_start", f"market.macro_start={given['macro_start']} is after macro_end; exchange them"
        )


_DATE = len("2018-12-31")


def _about_addresses(settings: Settings) -> Iterator[Obstacle]:
    for path, url in (("store.url", settings.store.url), ("cache.url", settings.cache.url)):
        problem = None if url is None else url_problem(path, url.reveal())
        if problem:
            yield Obstacle(path, f"{path}: {problem}")
    for path, text in unproven(settings):
        yield Obstacle(path, text)
    for each in exposures(settings):
        if not each.meant:
            yield Obstacle(each.path, each.refusal)
        elif settings.environment == "production":
            text = f"{each.text}, which {each.section}.insecure does not allow in production; {each.remedy}"
            yield Obstacle(f"{each.section}.insecure", text)
