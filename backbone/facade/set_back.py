"""Whether the database was set back under a running backbone: what was written before may be gone then."""

from __future__ import annotations

from actors import ActorSystem
from backbone.stream.messages import DatabaseSetBack

__all__ = ["SetBack"]

_KEPT = 64  # events; one would do, but there may be other backbones in the system


class SetBack:
    """Called, it says whether the relay of the backbone at `base` has found that since it was called last."""

    def __init__(self, system: ActorSystem, base: str) -> None:
        self._events = system.events.subscribe(DatabaseSetBack, capacity=_KEPT)
        self._prefix = f"{base}/"

    def __call__(self) -> bool:
        """Take note of what was said."""
        said = False
        while (event := self._events.get_nowait()) is not None:
            said = said or event.path.startswith(self._prefix)
        return said

    def close(self) -> None:
        """Listen no more."""
        self._events.close()
