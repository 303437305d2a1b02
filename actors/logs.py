"""One structured line per lifecycle event, to the standard logger "actors"; structlog is imported at the first line.

With structlog comes rich, where that is installed: 60 ms and 8 MB, for lines that mostly nobody asked for.
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

from actors import events

_LEVELS: dict[type, int] = {
    events.ActorStarted: logging.DEBUG,
    events.ActorStopped: logging.DEBUG,
    events.ActorRestarting: logging.INFO,
    events.ActorRestarted: logging.INFO,
    events.HealthChanged: logging.INFO,
    events.ActorSuspended: logging.WARNING,
    events.ActorResumed: logging.INFO,
    events.DeadLetter: logging.DEBUG,
    events.NameRegistered: logging.DEBUG,
    events.NameLeft: logging.DEBUG,
    events.GroupJoined: logging.DEBUG,
    events.GroupLeft: logging.DEBUG,
    events.ActorCrashed: logging.WARNING,
    events.ActorStalled: logging.WARNING,
    events.OrphanDetected: logging.WARNING,
    events.IntensityExceeded: logging.ERROR,
    events.ZombieDetected: logging.ERROR,
}
_METHODS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "exception": logging.ERROR,
    "critical": logging.CRITICAL,
}
_standard = logging.getLogger("actors")
_logger: Any = None


def _rendered(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> tuple[tuple[str], dict[str, Any]]:
    """The line as text, for any host; and its event and fields beside it, as `record.fields`, for those who can.

    A traceback follows the line as it is, to be read.
    """
    import structlog

    shown = {**line}
    trace = shown.pop("exception", None)
    text = structlog.processors.KeyValueRenderer(key_order=["event", "path", "incarnation"])(None, "", shown)
    return (f"{text}\n{trace}" if trace else text,), {"extra": {"fields": line}}


def logger() -> Any:
    """The structlog logger over the standard logger "actors"; how lines look is up to the host's logging."""
    global _logger
    if _logger is None:
        import structlog

        _logger = structlog.wrap_logger(
            _standard,
            processors=[
                structlog.stdlib.filter_by_level,
                structlog.stdlib.PositionalArgumentsFormatter(),
                structlog.processors.format_exc_info,
                _rendered,
            ],
            wrapper_class=structlog.stdlib.BoundLogger,
        )
    return _logger


class Log:
    """structlog's logger with what it is bound to, made when a line is wanted."""

    __slots__ = ("_bound",)

    def __init__(self, **bound: object) -> None:
        self._bound = bound

    def bind(self, **more: object) -> Log:
        """The same logger, bound to more."""
        return Log(**{**self._bound, **more})

    def __getattr__(self, name: str) -> Any:
        level = _METHODS.get(name)
        if level is not None and not _standard.isEnabledFor(level):
            return _unwanted
        return getattr(logger().bind(**self._bound), name)


def _unwanted(*_args: object, **_fields: object) -> None:
    """A line below the level that the host's logging has."""


def wants(kind: type) -> bool:
    """True where an event of this class would give a line."""
    level = _LEVELS.get(kind)
    return level is not None and _standard.isEnabledFor(level)


def write(event: Any) -> None:
    """Write the line."""
    fields = {name: getattr(event, name) for name in event.__struct_fields__ if name not in ("at", "message", "detail")}
    if isinstance(event, events.DeadLetter):
        fields["message_type"] = type(event.message).__name__  # never the content
    if isinstance(event, events.ActorCrashed):
        fields["exception"] = fields.pop("traceback")  # the name that structlog gives to it
        if not fields["message_type"]:
            del fields["message_type"]
    if "level" in fields:
        fields["health"] = fields.pop("level")  # structlog's own argument has that name
    if "reason" in fields:
        fields["reason"] = str(fields["reason"])
    logger().log(_LEVELS[type(event)], type(event).__name__, **fields)


def attach(stream: events.EventStream) -> None:
    """Log what is published on this stream."""
    stream.sink(wants, write)
