"""Signatures as a reader wants them: types by their names, one parameter a line where they are long."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

__all__ = ["class_signature", "constant", "function_signature"]

_WIDTH = 80
_LONGEST_DEFAULT = 40


def function_signature(value: Callable[..., Any], name: str, decorator: str = "") -> str:
    """The ``def`` line of a function or method below its decorators; `self` and `cls` are left out."""
    function = inspect.unwrap(value)
    generator = inspect.isasyncgenfunction(function)
    decorators = [decorator, "@asynccontextmanager" if generator and function is not value else ""]
    keyword = "async def" if generator or inspect.iscoroutinefunction(function) else "def"
    signature = inspect.signature(function)
    returns = signature.return_annotation
    end = "" if returns is signature.empty else f" -> {type_text(returns, _scope(function))}"
    line = _call(f"{keyword} {name}", _parameters(signature.parameters.values(), _scope(function)), end)
    return "\n".join([*filter(None, decorators), line])


def class_signature(value: type, name: str, *, constructed: bool) -> str:
    """How a class is made, or its name and kind alone where its readers do not make it themselves."""
    if issubclass(value, Enum):
        return "\n".join([f"class {name}({value.__mro__[1].__name__}):", *(f"    {each.name}" for each in value)])
    if issubclass(value, BaseException):
        return f"class {name}({value.__bases__[0].__name__})"
    if getattr(value, "_is_protocol", False):
        return f"class {name}(Protocol)"
    if not constructed:
        return f"class {name}"
    return _call(name, _parameters(inspect.signature(value).parameters.values(), _scope(value)), "")


def constant(value: object, name: str) -> str:
    """A value that a module offers: a number, a text, or a type under another name."""
    return f"{name} = {type_text(value, {}) if get_origin(value) else _default(value)}"


def type_text(annotation: Any, scope: Mapping[str, object]) -> str:
    """An annotation, whether text or type, by the plain names of its types."""
    if isinstance(annotation, str):
        bare = annotation.lstrip("*")  # a TypeVarTuple unpacked is no expression of its own
        tree = _Public(scope).visit(ast.parse(bare, mode="eval"))
        return annotation[: len(annotation) - len(bare)] + ast.unparse(tree).replace("'", '"')
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_text(arguments[0], scope)
    if origin in {Union, UnionType}:
        return " | ".join(type_text(each, scope) for each in arguments)
    if origin is Literal:
        return f"Literal[{', '.join(map(_default, arguments))}]"
    if isinstance(annotation, list | tuple):
        return f"[{', '.join(type_text(each, scope) for each in annotation)}]"
    if origin is not None:
        return f"{_name(origin)}[{', '.join(type_text(each, scope) for each in arguments)}]"
    return "..." if annotation is Ellipsis else _name(annotation)


class _Public(ast.NodeTransformer):
    """Puts what a private name stands for in its place; a private class that is called stands for a callable."""

    def __init__(self, scope: Mapping[str, object]) -> None:
        self._scope = scope

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if not node.id.startswith("_"):
            return node
        value = self._scope[node.id]
        if isinstance(value, type) and "__call__" in vars(value):
            returns = inspect.signature(vars(value)["__call__"]).return_annotation
            return ast.parse(f"Callable[..., {type_text(returns, self._scope)}]", mode="eval").body
        return ast.parse(type_text(value, self._scope), mode="eval").body


def _name(kind: Any) -> str:
    if kind is NoneType:
        return "None"
    return str(getattr(kind, "__name__", None) or kind).rpartition(".")[2]


def _scope(value: Any) -> Mapping[str, object]:
    return vars(sys.modules[value.__module__])


def _parameters(parameters: Iterable[inspect.Parameter], scope: Mapping[str, object]) -> list[str]:
    texts: list[str] = []
    starred = False
    for each in parameters:
        if each.name in {"self", "cls"}:
            continue
        stars = {each.VAR_POSITIONAL: "*", each.VAR_KEYWORD: "**"}.get(each.kind, "")
        if each.kind is each.KEYWORD_ONLY and not starred:
            texts.append("*")
        starred = starred or each.kind in {each.KEYWORD_ONLY, each.VAR_POSITIONAL}
        kind = "" if each.annotation is each.empty else f": {type_text(each.annotation, scope)}"
        texts.append(f"{stars}{each.name}{kind}{_assigned(each.default)}")
    return texts


def _assigned(default: object) -> str:
    return "" if default is inspect.Parameter.empty else f" = {_default(default)}"


def _default(value: object) -> str:
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, Mapping) and not value:
        return "{}"
    text = repr(value)
    return text if len(text) <= _LONGEST_DEFAULT and "<" not in text else "..."


def _call(before: str, parameters: list[str], end: str) -> str:
    line = f"{before}({', '.join(parameters)}){end}"
    if len(line) <= _WIDTH:
        return line
    return "\n".join([f"{before}(", *(f"    {each}," for each in parameters), f"){end}"])
