"""What one child is registered under. `Registry` stands above and keeps the names themselves; the roster reads this."""

from __future__ import annotations

from collections.abc import Callable

import msgspec


class Registrations(msgspec.Struct, eq=False):
    """The names and groups of one child, in the order in which it got them; a child that has none has none of these."""

    forget: Callable[[], None]  # ends the watch for its end
    names: dict[str, None] = {}
    groups: dict[str, None] = {}
