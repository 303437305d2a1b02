"""The API reference: one page for each package, from the signatures and docstrings of what it exports."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from itertools import pairwise
from types import ModuleType

from docstrings import markdown
from signatures import class_signature, constant, function_signature

__all__ = ["PACKAGES", "index", "page"]

PACKAGES = (
    "backbone",
    "backbone.samples",
    "backbone.testing",
    "backbone.store.port",
    "backbone.cache.port",
    "backbone.stream.port",
    "backbone.stream.records",
    "backbone.sources.port",
    "actors",
    "actors.testing",
    "actors.otel",
)
_OURS = ("actors", "backbone")
_HANDED_OUT = {"ActorRef", "Backbone", "Context", "EventStream", "Frame", "Reply", "Subscription", "SupervisorRef"}
"""Classes whose instances readers get from a method, and never construct."""


def index() -> str:
    """The list of the pages, each with the first sentence of its package."""
    lines = [f"- [`{name}`]({name}.md): {_summary(importlib.import_module(name))}" for name in PACKAGES]
    return "# API reference\n\nGenerated from signatures and docstrings.\n\n" + "\n".join(lines) + "\n"


def page(name: str) -> str:
    """The page of one package."""
    module = importlib.import_module(name)
    parts = [f"# {name}\n\n{markdown(inspect.getdoc(module) or '')}\n"]
    for each in _exported(module):
        value = getattr(module, each)
        if isinstance(value, type):
            code = class_signature(value, each, constructed=each not in _HANDED_OUT)
            parts.append(_entry(2, each, each, code, markdown(inspect.getdoc(value) or "")))
            parts.extend(_members(value, each))
        elif inspect.isfunction(value):
            parts.append(_entry(2, each, each, function_signature(value, each), markdown(inspect.getdoc(value) or "")))
        elif inspect.ismodule(value):
            text = f"{_summary(value)} See [`{value.__name__}`]({value.__name__}.md)."
            parts.append(_entry(2, each, each, f"{each}: ModuleType", text))
        else:
            parts.append(_entry(2, each, each, constant(value, each), markdown(_text_below(module, each))))
    return "\n".join(parts)


def _summary(module: ModuleType) -> str:
    return markdown((inspect.getdoc(module) or "").split("\n", 1)[0])


def _exported(module: ModuleType) -> list[str]:
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return sorted(listed)
    own = (name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__)
    return sorted(name for name in own if not name.startswith("_"))


def _entry(level: int, name: str, anchor: str, code: str, text: str) -> str:
    """A heading that is a name, the signature in a block under it, and what it is."""
    return f"{'#' * level} {name} {{ #{anchor} }}\n\n```python\n{code}\n```\n\n{text}\n"


def _members(value: type, owner: str) -> Iterator[str]:
    """Public methods and properties with a docstring, those of our own bases included."""
    seen: set[str] = set()
    for kind in value.__mro__:
        if kind.__module__.partition(".")[0] not in _OURS or (kind is not value and _has_a_heading(kind)):
            continue
        for name, member in vars(kind).items():
            text = inspect.getdoc(member)
            if name.startswith("_") or name in seen or not text or not _documentable(member):
                continue
            seen.add(name)
            yield _entry(3, name, f"{owner}.{name}", _member(name, member), markdown(text))


def _has_a_heading(kind: type) -> bool:
    return any(kind.__name__ in _exported(importlib.import_module(package)) for package in PACKAGES)


def _documentable(member: object) -> bool:
    return isinstance(member, property | classmethod | staticmethod) or inspect.isfunction(member)


def _member(name: str, member: object) -> str:
    if isinstance(member, property):
        return function_signature(member.fget, name, "@property")  # type: ignore[arg-type]
    if isinstance(member, classmethod | staticmethod):
        return function_signature(member.__func__, name, f"@{type(member).__name__}")
    return function_signature(member, name)  # type: ignore[arg-type]


def _text_below(module: ModuleType, name: str) -> str:
    """The text that stands below an assignment in a module's source."""
    body = ast.parse(inspect.getsource(module)).body
    for node, after in pairwise(body):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(getattr(target, "id", "") == name for target in targets) and isinstance(after, ast.Expr):
            return str(getattr(after.value, "value", ""))
    return ""
