"""Writes the API reference, docs/reference/api/*.md, from the docstrings of what the packages export."""

from __future__ import annotations

import importlib
import inspect
from enum import Enum
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).parent
PACKAGES = (
    "actors",
    "actors.testing",
    "backbone",
    "backbone.testing",
    "backbone.messages",
    "backbone.store.port",
    "backbone.cache.port",
    "backbone.stream.port",
    "backbone.sources.port",
)


def exported(module: ModuleType) -> list[str]:
    """Names that a module offers."""
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return sorted(listed)
    own = (name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__)
    return sorted(name for name in own if not name.startswith("_"))


def signature(value: object) -> str:
    """The signature as written, or nothing where there is none worth showing."""
    if isinstance(value, type) and issubclass(value, Exception | Enum):
        return ""
    try:
        return str(inspect.signature(value)) if callable(value) else ""
    except (TypeError, ValueError):
        return ""


def members(value: type) -> list[str]:
    """Public methods and properties of a class itself, each with its docstring."""
    parts = []
    for name, member in vars(value).items():
        function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if name.startswith("_") or not callable(function) or not inspect.getdoc(function):
            continue
        shown = "" if isinstance(member, property) else signature(function)
        prefix = "async " if inspect.iscoroutinefunction(function) else ""
        parts.append(f"#### `{prefix}{name}{shown}`\n\n{inspect.getdoc(function)}\n")
    return parts


def page(name: str) -> str:
    """The page of one package."""
    module = importlib.import_module(name)
    parts = [f"# `{name}`\n", f"{inspect.getdoc(module)}\n"]
    for each in exported(module):
        value = getattr(module, each)
        parts.append(f"## `{each}{signature(value)}`\n\n{inspect.getdoc(value) or ''}\n")
        if isinstance(value, type):
            parts.extend(members(value))
    return "\n".join(parts)


def main() -> None:
    """Write all pages and their index."""
    target = HERE / "reference" / "api"
    target.mkdir(parents=True, exist_ok=True)
    for name in PACKAGES:
        (target / f"{name}.md").write_text(page(name))
    links = "\n".join(f"- [`{name}`]({name}.md)" for name in PACKAGES)
    (target / "index.md").write_text(f"# API reference\n\nGenerated from the docstrings.\n\n{links}\n")


if __name__ == "__main__":
    main()
