"""Loading settings: schema defaults < settings file < environment < overrides, each value with its origin."""

from __future__ import annotations

import re
from copy import deepcopy
from functools import cache
from typing import TYPE_CHECKING, Any

from backbone.domain.arguments import shown as in_short
from backbone.settings.addresses import is_place, reveals
from backbone.settings.choosing import Source, choose, indicator
from backbone.settings.connections import url_problem
from backbone.settings.documents import read_yaml
from backbone.settings.effects import rank, without_effect
from backbone.settings.environment import Given, from_aliases, from_environment
from backbone.settings.errors import SettingsError, most_of, suggestion
from backbone.settings.foreign import without_a_setting
from backbone.settings.leaves import Leaf, leaves, sections
from backbone.settings.schema import Settings
from backbone.settings.secrets import Secret
from backbone.settings.sections.base import Section
from backbone.settings.session_hours import calendar_problems
from backbone.settings.topic_names import topic_problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["indicator", "load_settings", "parse_overrides"]


_EXPLAINED = 20  # problems; finding out for each what was meant takes its time


def load_settings(
    path: str | Path | None = None,
    *,
    profile: str | None = None,
    env: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Settings:
    """The settings of a file or a profile, the environment and overrides, later ones winning.

    Args:
        path: a YAML file.
        profile: the name of a file that travels with the package, instead of ``path``. Without either, ``env`` chooses
            by ``BACKBONE_CONFIG`` or ``BACKBONE_PROFILE``; else the profile is the one of the tier, where one is given
            (embedded, timescale, institutional); else ``institutional`` where the environment names a Redis or Kafka,
            and ``embedded`` where not.
        env: the environment, such as ``os.environ``; None reads no environment at all.
        overrides: values by path, such as ``{"store.path": ":memory:"}``. Code may give secrets here, as `Secret` or as
            text; the command line may not (see `parse_overrides`).

    Raises:
        SettingsError: a file, key or value is not usable; it tells all problems, one a line.
    """
    made = _made(path, profile, env or {}, overrides or {})
    if isinstance(made, Settings):
        return made
    del env, overrides  # both may hold passwords, and a traceback what its frames hold
    raise SettingsError(*made)


def _made(
    path: str | Path | None, profile: str | None, env: Mapping[str, str], overrides: Mapping[str, object]
) -> Settings | tuple[str, ...]:
    """The settings, or why there are none."""
    try:
        return _combined(path, profile, {name: value for name, value in env.items() if value.strip()}, overrides)
    except SettingsError as error:
        return error.problems


def _combined(
    path: str | Path | None, profile: str | None, environment: Mapping[str, str], overrides: Mapping[str, object]
) -> Settings:
    source, ignored = choose(path, profile, environment, overrides)
    problems: list[str] = []
    given = _from_file(source, problems)
    given.update(from_environment(environment, problems))
    given.update(_from_overrides(overrides, problems))
    aliased, passed_over = from_aliases(environment, given, problems)
    values, origins = _values({**aliased, **given}, problems)
    problems += _contradictions(values, origins)
    if problems:
        raise SettingsError(*most_of(problems))
    notes = (*ignored, *passed_over, *without_a_setting(environment), *without_effect(values, origins))
    return _build(values, origins, notes)


def _from_file(source: Source, problems: list[str]) -> dict[str, Given]:
    document = _document(source)
    nested = document.pop("backbone", {})
    if not isinstance(nested, dict):
        raise SettingsError(f"{source.shown}: backbone is no mapping; give sections below it, or leave it out")
    if twice := sorted(document.keys() & nested.keys()):
        raise SettingsError(f"{source.shown}: {twice[0]} stands at the top and below backbone; keep one of the two")
    flat = {**_flat(document, "", source.shown, problems), **_flat(nested, "", source.shown, problems)}
    given = {path: Given(value, source.shown) for path, value in flat.items()}
    if source.profile is not None:
        given["profile"] = Given(source.profile, source.shown)
    for path, item in given.items():
        if leaves()[path].secret and _reveals(leaves()[path], item.raw):
            problems.append(
                f"{source.shown}: {path} holds a secret; take it out and set {leaves()[path].env} "
                f"or {leaves()[path].env}_FILE"
            )
    return given


def _document(source: Source) -> dict[str, Any]:
    """What the file holds; that of a profile is read once, for it travels with the package."""
    if source.profile is None:
        return read_yaml(source.path, source.shown)
    return deepcopy(_profile(source.path, source.shown))


@cache
def _profile(path: Path, shown: str) -> dict[str, Any]:
    return read_yaml(path, shown)


def _flat(mapping: Mapping[str, Any], prefix: str, shown: str, problems: list[str]) -> dict[str, Any]:
    """A nested mapping by path; unknown keys become problems."""
    flat: dict[str, Any] = {}
    for name, value in mapping.items():
        path = f"{prefix}{name}"
        if path in leaves():
            flat[path] = value
        elif path not in sections():
            problems.append(f"{shown}: {_unknown(path)}" if len(problems) < _EXPLAINED else f"{shown}: unknown key")
        elif isinstance(value, dict):
            flat.update(_flat(value, f"{path}.", shown, problems))
        elif value is not None:
            problems.append(f"{shown}: {path} is {in_short(value)}; give a mapping of its settings")
    return flat


def _unknown(path: str) -> str:
    parent, _, name = path.rpartition(".")
    inside = f"{parent}." if parent else ""
    known = sorted({key[len(inside) :].split(".")[0] for key in leaves() if key.startswith(inside)})
    where = f"in {parent}" if parent else "at the top"
    return f"unknown key {in_short(path)}; allowed {where} are {', '.join(known)}{suggestion(name, known)}"


class Assignments(dict[str, object]):
    """Overrides that were written on the command line, which is what messages and origins say of them."""


def _from_overrides(overrides: Mapping[str, object], problems: list[str]) -> dict[str, Given]:
    given: dict[str, Given] = {}
    typed = isinstance(overrides, Assignments)
    for path, value in overrides.items():
        if path == "profile":
            how = "--profile NAME" if typed else "load_settings(profile=NAME)"
            problems.append(f"{'--set' if typed else 'override'} profile: the profile is a file; choose it by {how}")
        elif path in leaves():
            given[path] = Given(value, f"--set {path}" if typed else "code")
        else:
            known = _below(path)
            near = f"; its settings are {', '.join(known)}" if known else suggestion(path, leaves())
            problems.append(f"{'--set' if typed else 'override'} {path}: unknown setting{near}")
    return given


def _below(section: str) -> list[str]:
    return [path for path in leaves() if path.startswith(f"{section}.")]


def _reveals(leaf: Leaf, value: object) -> bool:
    """Whether a plain value of a secret setting gives a secret away; a URL without a password does not."""
    if value is None or isinstance(value, Secret) or not leaf.secret:
        return False
    # what is no URL at all is refused as such, and not shown either
    return not (leaf.path.endswith(".url") and isinstance(value, str) and ("://" not in value or not reveals(value)))


def _values(given: Mapping[str, Given], problems: list[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The value and the origin of every setting."""
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for path, leaf in leaves().items():
        item = given.get(path)
        values[path], origins[path] = leaf.default, "default"
        if item is not None:
            try:
                values[path], origins[path] = leaf.read(item.raw), item.origin
            except ValueError as error:
                problems.append(f"{path} ({item.origin}): {error}")
    ttl_and_capacity = _STRATEGIES.get(values["cache.strategy"])
    for path, value in zip(("cache.ttl", "cache.capacity"), ttl_and_capacity or (), strict=False):
        if path not in given:
            values[path], origins[path] = value, f"cache.strategy {values['cache.strategy']}"
    return values, origins


_STRATEGIES = {"aggressive": (120.0, 512), "extended": (43_200.0, 4096)}


_IN_ORDER = (
    ("quality.fail_score", "quality.warn_score"),
    ("sources.earliest", "sources.latest"),
    ("supervision.backoff", "supervision.backoff_most"),
)
"""Settings of which the first may not be above the second."""


def _contradictions(values: Mapping[str, Any], origins: Mapping[str, str]) -> Iterable[str]:
    for lower, upper in _IN_ORDER:
        if values[lower] > values[upper]:
            yield f"{lower} is {values[lower]}, above {upper} {values[upper]}; give a lower one"
    for path in ("store.url", "cache.url"):
        problem = None if values[path] is None else url_problem(path, values[path].reveal())
        if problem:
            yield f"{path} ({origins[path]}): {problem}"
    for path in ("store.host", "cache.host", "stream.bootstrap"):
        if values[path] is not None and not is_place(values[path]):
            yield (
                f"{path} ({origins[path]}): text that is no host given; allowed are names and addresses; user, "
                "password and protocol are settings of their own"
            )
    yield from topic_problems(values, origins)
    yield from calendar_problems(values, origins)
    for section in ("store", "cache"):
        url, host = f"{section}.url", f"{section}.host"
        given = values[url] is not None and values[host] is not None
        # the url wins, so a host that was given later, or beside it, would silently count for nothing
        if given and rank(origins[host]) >= rank(origins[url]) > 0:
            yield f"{url} ({origins[url]}) and {host} ({origins[host]}) are both given; give one of them"


def _build(values: Mapping[str, Any], origins: Mapping[str, str], ignored: tuple[str, ...]) -> Settings:
    tree: dict[str, Any] = {}
    for path, value in values.items():
        *parents, name = path.split(".")
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[name] = value
    made: Settings = _section(Settings(), {**tree, "origins": dict(origins), "ignored": ignored})
    return made


def _section(default: Any, branch: Mapping[str, Any]) -> Any:
    fields = {
        name: _section(getattr(default, name), value) if isinstance(getattr(default, name), Section) else value
        for name, value in branch.items()
    }
    return type(default)(**fields)


_ASSIGNMENT = re.compile(r"([^=]*)=(.*)", re.DOTALL)


def parse_overrides(assignments: Iterable[str]) -> Mapping[str, object]:
    """The overrides of ``--set KEY=VALUE`` arguments.

    Raises:
        SettingsError: an argument is no KEY=VALUE, its key is empty, a key comes twice, or its value is a secret.
    """
    overrides = Assignments()
    for text in assignments:
        match = _ASSIGNMENT.fullmatch(text)
        key = match[1].strip() if match else ""
        if match is None or not key:
            raise SettingsError(f"--set {key or text}: give KEY=VALUE, such as store.path=data/backbone.duckdb")
        if key in overrides:
            raise SettingsError(f"--set {key}: given twice; give it once")
        if key in leaves() and _reveals(leaves()[key], match[2]):
            raise SettingsError(
                f"--set {key}: secrets are not taken from the command line, where other users can read them; "
                f"set {leaves()[key].env} or {leaves()[key].env}_FILE"
            )
        overrides[key] = match[2]
    return overrides
