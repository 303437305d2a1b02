"""The schema as a flat list: one leaf per setting, with its path, its environment name, and how to read it.

For example `store.pool_size: Annotated[int, Meta(ge=1, le=500, …)] = 5` becomes a leaf of that path, the environment
name BACKBONE_STORE_POOL_SIZE, the base type int and the bounds; "0" is refused by `read` with what is allowed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec

from backbone.settings.redaction import redact
from backbone.settings.schema import Settings
from backbone.settings.secrets import Secret
from backbone.settings.sections.base import Section
from backbone.settings.values import NOTHING, parse_bool, parse_float, parse_int

__all__ = ["ENV_PREFIX", "Leaf", "leaves", "sections"]

ENV_PREFIX = "BACKBONE_"


class Leaf(NamedTuple):
    """One setting."""

    path: str
    default: Any
    description: str
    annotation: Any
    base: Any
    """The type without bounds and without None: bool, int, float, str, Secret, Mapping (of texts), dict (of structs),
    tuple (of structs), list (of texts), or a Literal."""
    optional: bool
    metas: tuple[msgspec.Meta, ...]

    @property
    def env(self) -> str:
        """The name of its environment variable."""
        return ENV_PREFIX + self.path.replace(".", "_").upper()

    @property
    def secret(self) -> bool:
        """Whether its value is a secret, or may hold one."""
        return self.base is Secret

    @property
    def section(self) -> str:
        """The section it stands in, the outermost of several; "" at the top."""
        return self.path.partition(".")[0] if "." in self.path else ""

    @property
    def backend(self) -> str | None:
        """The one backend of its section that reads it, by which its description begins; None: any."""
        match = re.match(r"(duckdb|timescale|memory|redis|kafka): ", self.description)
        return match[1] if match else None

    @property
    def allowed(self) -> str:
        """What it may be, in words."""
        words = _WORDS.get(self.base) or " or ".join(map(_literal, get_args(self.base)))
        bounds = [
            f"{symbol} {getattr(meta, name)}" for meta in self.metas for name, symbol in _BOUNDS if _has(meta, name)
        ]
        patterns = [meta.title or f"like {meta.pattern}" for meta in self.metas if meta.pattern is not None]
        return ", ".join([words, *bounds, *patterns, *(["or none"] if self.optional else [])])

    def read(self, raw: object) -> Any:
        """The value that a raw one stands for: text of the environment, or a YAML scalar.

        Raises:
            ValueError: it is not allowed here; the message says what is.
        """
        if _has_nul(raw):
            raise ValueError(f"a NUL character given, which no system takes; remove it; allowed is {self.allowed}")
        if raw is None or (self.optional and _says_nothing(raw, self.base)):
            if self.optional:
                return None
            raise ValueError(f"no value given; allowed is {self.allowed}")
        if self.secret:
            if not isinstance(raw, str) or not (raw.reveal() if isinstance(raw, Secret) else raw):
                raise ValueError(f"{type(raw).__name__} given; allowed is {self.allowed}")
            secret = Secret(raw)
            if not _is_text(secret):
                raise ValueError(f"bytes that are no UTF-8 given; allowed is {self.allowed}")
            return secret
        try:
            value = self._parse(raw)
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError("not finite")  # noqa: TRY301  the one handler words all refusals
            return msgspec.convert(value, self.annotation)
        except (ValueError, msgspec.MsgspecError) as error:
            why = f" ({error})" if self.base in _STRUCTURED else ""
            raise ValueError(f"{_quoted(raw)} given{why}; allowed is {self.allowed}") from error

    def _parse(self, raw: object) -> object:
        literals = get_args(self.base) if get_origin(self.base) is Literal else ()
        if raw is False and "off" in literals:
            return "off"  # YAML reads a bare off as false
        if isinstance(raw, Mapping) and self.base is Mapping:
            return {name: _scalar_text(value) for name, value in raw.items()}
        if not isinstance(raw, str):
            return raw
        text = raw.strip()
        if literals and isinstance(literals[0], bool):
            return parse_bool(text)
        if literals:
            return next((item for item in literals if _literal(item).lower() == text.lower()), text)
        parser = _PARSERS.get(self.base)
        return parser(text) if parser else raw


def _is_text(secret: Secret) -> bool:
    """Lone surrogates are bytes of the environment that are no UTF-8; clients fail at them, and show them."""
    return not any("\ud800" <= char <= "\udfff" for char in secret.reveal())


def _has_nul(raw: object, depth: int = 0) -> bool:
    """Whether a text in it has one; what contains itself is no setting, and refused as such."""
    if isinstance(raw, Mapping | list | tuple):
        inside = (*raw, *raw.values()) if isinstance(raw, Mapping) else raw
        return depth < _DEEPEST and any(_has_nul(each, depth + 1) for each in inside)
    return isinstance(raw, str) and "\0" in (raw.reveal() if isinstance(raw, Secret) else raw)


def _quoted(raw: object) -> str:
    """What was given, short, and without a password that went into the wrong setting."""
    text = redact(repr(raw))
    return text if len(text) <= 100 else f"{text[:100]}…"


def _says_nothing(raw: object, base: object) -> bool:
    if base is bool and not (isinstance(raw, str) and raw.strip().lower() in {"none", "null"}):
        return False  # where false is a value of its own, off and false mean that
    return raw is False or (isinstance(raw, str) and not isinstance(raw, Secret) and raw.strip().lower() in NOTHING)


def _literal(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _has(meta: msgspec.Meta, name: str) -> bool:
    return getattr(meta, name) is not None


_Flat = dict[str, str | int | float | bool]


def _scalar_text(value: object) -> object:
    """What YAML and JSON read as a number or a truth value, as the text it is where texts are asked for."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _pairs(text: str) -> dict[str, object]:
    if text.startswith("{"):
        return {name: _scalar_text(value) for name, value in msgspec.json.decode(text, type=_Flat).items()}
    pairs: dict[str, object] = {}
    for item in filter(None, map(str.strip, text.split(","))):
        name, separator, value = item.partition("=")
        if not separator or not name.strip() or name.strip() in pairs:
            raise ValueError(f"{item!r} is no pair")
        pairs[name.strip()] = value.strip()
    return pairs


def _texts(text: str) -> object:
    """Texts, comma-separated or as a JSON array; each once, whatever its case."""
    given = msgspec.json.decode(text, type=list[str]) if text.startswith("[") else text.split(",")
    found: dict[str, str] = {}
    for each in filter(None, map(str.strip, given)):
        found.setdefault(each.casefold(), each)
    return list(found.values())


def _json(text: str) -> object:
    return msgspec.json.decode(text) if text else None


_DEEPEST = 5
_STRUCTURED = (tuple, dict)
_PARSERS: Mapping[Any, Any] = {
    bool: parse_bool,
    int: parse_int,
    float: parse_float,
    Mapping: _pairs,
    tuple: _json,
    dict: _json,
    list: _texts,
}
_WORDS: Mapping[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Secret: "text (a secret)",
    Mapping: "pairs NAME=VALUE, comma-separated, or a JSON object",
    tuple: "a list of mappings, or a JSON array of objects",
    list: "texts, comma-separated, or a list",
    dict: "a mapping of mappings, or a JSON object of objects",
}
_BOUNDS = (
    ("ge", ">="),
    ("gt", ">"),
    ("le", "<="),
    ("lt", "<"),
    ("min_length", "length >="),
    ("max_length", "length <="),
)


@cache
def leaves() -> Mapping[str, Leaf]:
    """All settings by path, in the order of the schema."""
    return {leaf.path: leaf for leaf in _walk(Settings, Settings(), "")}


@cache
def sections() -> frozenset[str]:
    """The paths of all groups of settings."""
    parts = [path.split(".") for path in leaves()]
    return frozenset(".".join(part[:depth]) for part in parts for depth in range(1, len(part)))


def _walk(kind: type[Section], defaults: Section, prefix: str) -> list[Leaf]:
    found: list[Leaf] = []
    for name, annotation in get_type_hints(kind, include_extras=True).items():
        if name in {"origins", "ignored"}:
            continue
        default, path = getattr(defaults, name), f"{prefix}{name}"
        if isinstance(default, Section):
            found += _walk(type(default), default, f"{path}.")
            continue
        base, optional, metas = _taken_apart(annotation)
        description = next((meta.description for meta in metas if meta.description), "")
        found.append(Leaf(path, default, description, annotation, base, optional, metas))
    return found


def _taken_apart(annotation: Any) -> tuple[Any, bool, tuple[msgspec.Meta, ...]]:
    """The bare type, whether None is allowed, and all constraints."""
    if get_origin(annotation) is Annotated:
        inner, *extras = get_args(annotation)
        base, optional, metas = _taken_apart(inner)
        return base, optional, (*metas, *(extra for extra in extras if isinstance(extra, msgspec.Meta)))
    if get_origin(annotation) in {Union, UnionType}:
        (inner,) = (part for part in get_args(annotation) if part is not NoneType)
        base, _, metas = _taken_apart(inner)
        return base, True, metas
    if get_origin(annotation) is Mapping:
        values = get_args(annotation)[1]
        return (dict if isinstance(values, type) and issubclass(values, msgspec.Struct) else Mapping), False, ()
    if get_origin(annotation) is tuple:
        _, _, of_items = _taken_apart(get_args(annotation)[0])
        return (list if get_args(annotation)[0] is str or of_items else tuple), False, ()
    return annotation, False, ()
