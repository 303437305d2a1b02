"""What the backbone talks about: dimensions, frames, statuses, reports, and the one columnar codec. No I/O.

A table becomes a Frame in this order: `conversion` (rows of other libraries to Arrow), `cleaning` (one column at a
time: type, texts, numbers), `canonical` (exact schema, sorted by key, one row for each key), `frame` (the wrapper);
`selection` chooses rows of it, and `identity` is what its content is known by. On the wire it is what `codec` makes of
it, an Arrow IPC stream; `ipc` looks at such bytes before Arrow does, and `former` reads what earlier releases wrote.

``Frame``, ``encode`` and ``decode`` are imported when first asked for, so that naming a dimension stays cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from backbone.domain.dimension import Dimension
from backbone.domain.status import Status

if TYPE_CHECKING:
    from backbone.domain.codec import CodecError, decode, encode
    from backbone.domain.frame import Frame

__all__ = ["CodecError", "Dimension", "Frame", "Status", "decode", "encode"]

_ON_USE = {"CodecError": "codec", "Frame": "frame", "decode": "codec", "encode": "codec"}


def __getattr__(name: str) -> object:
    if name not in _ON_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_ON_USE[name]}"), name)
    globals()[name] = value
    return value
