"""Who reads which setting: the source text of the package, followed from section to section.

What counts is an attribute read from something that is known to be a section: a parameter annotated with its class,
`settings.store`, a name bound to that, the answer of a function annotated to give one. Methods of a section count for
what they read where they are called; so do functions of `backbone.settings`. What only shows settings is no reader.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from backbone.settings.leaves import leaves, sections
from backbone.settings.schema import Settings
from backbone.settings.sections.base import Section

ROOT = Path(__file__).parents[3]
HOME = "backbone/settings/"
SECTIONS = f"{HOME}sections/"
SHOWS_ONLY = "backbone/cli/commands/config.py"

Kinds = frozenset[str]
"""The sections that a value may be, by path; "" is the whole of the settings."""
NONE: Kinds = frozenset()
Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources() -> dict[str, str]:
    """The text of every module of the package, by its path in the project."""
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in ROOT.glob("backbone/**/*.py")}


def _sections() -> Iterator[tuple[str, Section]]:
    for path in ("", *sections()):
        value: object = Settings()
        for name in filter(None, path.split(".")):
            value = getattr(value, name)
        assert isinstance(value, Section)
        yield path, value


def _classes() -> dict[str, Kinds]:
    """The paths of the sections of each class."""
    found: dict[str, set[str]] = defaultdict(set)
    for path, section in _sections():
        found[type(section).__name__].add(path)
    return {name: frozenset(paths) for name, paths in found.items()}


def _families() -> dict[str, Kinds]:
    """The paths of the sections that have the methods of each class: its own, and those of what derives from it."""
    found: dict[str, set[str]] = defaultdict(set)
    for path, section in _sections():
        for kind in type(section).__mro__:
            if issubclass(kind, Section):
                found[kind.__name__].add(path)
    return {name: frozenset(paths) for name, paths in found.items()}


class Readers:
    """All readers of all settings, found in source texts: `places` has "module:line" by the path of a setting."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.places: dict[str, set[str]] = defaultdict(set)
        self._classes, self._families = _classes(), _families()
        self._trees = {path: parsed(text) for path, text in texts.items() if _concerned(text, self._families)}
        self._homes = {path: _imported_functions(tree) for path, tree in self._trees.items()}
        self._answers = dict(self._annotated_answers())
        self._followed: set[tuple[str, str, Kinds]] = set()
        for path, tree in self._trees.items():
            if not path.startswith(HOME) and path != SHOWS_ONLY:
                self._read(path, tree, {})

    def unread(self) -> set[str]:
        """The settings that nobody reads."""
        return set(leaves()) - set(self.places)

    def _annotated_answers(self) -> Iterator[tuple[str, Kinds]]:
        for tree in self._trees.values():
            for function in _functions(tree):
                if kinds := self._annotation(function.returns):
                    yield function.name, kinds

    def _annotation(self, annotation: ast.expr | None) -> Kinds:
        return frozenset().union(*(self._classes.get(word, NONE) for word in _words(annotation)))

    def _read(self, path: str, scope: ast.AST, names: Mapping[str, Kinds]) -> None:
        """Note what a module or a function reads, the functions inside it with names of their own."""
        own, inner = _own_nodes(scope)
        known = dict(names)
        for _ in range(3):  # a name may be bound to another one that is bound further down
            for node in own:
                self._bind(node, known)
        for node in own:
            if isinstance(node, ast.Attribute):
                self._attribute(path, node, known)
            elif isinstance(node, ast.Call):
                self._follow(path, node, known)
        for function in inner:
            arguments = function.args
            given = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            annotated = {each.arg: self._annotation(each.annotation) for each in given}
            fresh = {name: kinds for name, kinds in known.items() if name not in annotated}
            self._read(path, function, {**fresh, **annotated})

    def _bind(self, node: ast.AST, known: dict[str, Kinds]) -> None:
        pairs: list[tuple[ast.expr, ast.expr]] = []
        if isinstance(node, ast.Assign):
            pairs = [(target, node.value) for target in node.targets]
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            pairs = [(node.target, node.value)]
        elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            pairs = [(node.target, node.iter)]
        for target, value in pairs:
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                matched = list(zip(target.elts, value.elts, strict=False))
            else:
                matched = [(each, value) for each in (target.elts if isinstance(target, ast.Tuple) else [target])]
            for each, given in matched:
                if isinstance(each, ast.Name) and (kinds := self._kinds(given, known)):
                    known[each.id] = known.get(each.id, NONE) | kinds

    def _kinds(self, node: ast.expr, known: Mapping[str, Kinds]) -> Kinds:
        """Which sections an expression may give, or hold."""
        match node:
            case ast.Name(id=name):
                return known.get(name, NONE)
            case ast.Attribute(value=value, attr=name):
                inside = frozenset(_below(path, name) for path in self._kinds(value, known)) & sections()
                return inside or (frozenset({""}) if name in ("settings", "_settings") else NONE)
            case ast.Call(func=ast.Attribute(value=value, attr="items" | "values" | "get")):
                return self._kinds(value, known)
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
                return self._answers.get(name, NONE)
            case ast.DictComp(value=value) | ast.Subscript(value=value) | ast.Await(value=value):
                return self._kinds(value, known)
            case ast.ListComp(elt=value) | ast.SetComp(elt=value) | ast.GeneratorExp(elt=value):
                return self._kinds(value, known)
            case ast.IfExp(body=one, orelse=other):
                return self._kinds(one, known) | self._kinds(other, known)
            case ast.List(elts=values) | ast.Tuple(elts=values) | ast.BoolOp(values=values) | ast.Dict(values=values):
                return frozenset().union(*(self._kinds(value, known) for value in values))
        return NONE

    def _attribute(self, path: str, node: ast.Attribute, known: Mapping[str, Kinds]) -> None:
        for kind in self._kinds(node.value, known):
            found = _below(kind, node.attr)
            if found in leaves():
                self.places[found].add(f"{path}:{node.lineno}")
            elif found not in sections():
                self._method(kind, node.attr)

    def _method(self, kind: str, name: str) -> None:
        """Note what a method or property of a section reads of it."""
        for path, tree in self._trees.items():
            for each in _class_definitions(tree) if path.startswith(SECTIONS) else ():
                if kind in self._families.get(each.name, NONE):
                    for function in each.body:
                        if isinstance(function, Function) and function.name == name:
                            self._enter(path, function, {"self": frozenset({kind})})

    def _follow(self, path: str, node: ast.Call, known: Mapping[str, Kinds]) -> None:
        """Note what a function of `backbone.settings` reads of the sections that it is given."""
        if not isinstance(node.func, ast.Name):
            return
        home = self._home_of(path, node.func.id)
        given = [self._kinds(each, known) for each in node.args]
        if home is None or not any(given):
            return
        for function in self._trees[home].body:
            if isinstance(function, Function) and function.name == node.func.id:
                names = [each.arg for each in function.args.args]
                self._enter(home, function, dict(zip(names, given, strict=False)))

    def _home_of(self, path: str, name: str) -> str | None:
        """The module of `backbone.settings` that a name comes from."""
        module = self._homes[path].get(name, path)
        return module if module.startswith(HOME) and module in self._trees else None

    def _enter(self, path: str, function: Function, names: Mapping[str, Kinds]) -> None:
        key = (path, function.name, frozenset().union(*names.values()))
        if key not in self._followed:
            self._followed.add(key)
            self._read(path, function, names)


def _concerned(text: str, classes: Iterable[str]) -> bool:
    """Whether a module may read settings at all: the others need not be parsed."""
    return "settings" in text or any(name in text for name in classes)


@cache
def parsed(text: str) -> ast.Module:
    """The tree of a module; it is not changed, so that all readers of the same text share it."""
    return ast.parse(text)


@cache
def _all_nodes(tree: ast.AST) -> Sequence[ast.AST]:
    return tuple(ast.walk(tree))


@cache
def _functions(tree: ast.AST) -> Sequence[Function]:
    return [node for node in _all_nodes(tree) if isinstance(node, Function)]


@cache
def _class_definitions(tree: ast.AST) -> Sequence[ast.ClassDef]:
    return [node for node in _all_nodes(tree) if isinstance(node, ast.ClassDef)]


@cache
def _words(annotation: ast.expr | None) -> Sequence[str]:
    return re.findall(r"\w+", ast.unparse(annotation)) if annotation is not None else []


@cache
def _imported_functions(tree: ast.AST) -> Mapping[str, str]:
    """The names that a module imports, and the file each comes from."""
    return {
        each.asname or each.name: f"{(node.module or '').replace('.', '/')}.py"
        for node in _all_nodes(tree)
        if isinstance(node, ast.ImportFrom)
        for each in node.names
    }


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


@cache
def _own_nodes(scope: ast.AST) -> tuple[list[ast.AST], list[Function]]:
    """What is in a scope, and the functions in it, whose contents are not."""
    own: list[ast.AST] = []
    inner: list[Function] = []
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        if isinstance(node, Function):
            inner.append(node)
            continue
        own.append(node)
        waiting += ast.iter_child_nodes(node)
    return own, inner
