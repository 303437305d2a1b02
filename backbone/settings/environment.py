"""Settings from environment variables: by their own names, and by the names of other tools."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from backbone.settings.aliases import ADDRESSES, ALIASES, ALWAYS, NEEDED_BACKEND, RESERVED, TOPICS, Alias
from backbone.settings.documents import read_text
from backbone.settings.effects import advice, rank
from backbone.settings.errors import SettingsError, suggestion
from backbone.settings.leaves import ENV_PREFIX, Leaf, leaves
from backbone.settings.secrets import Secret
from backbone.settings.topic_names import topics_by_dimension
from backbone.settings.values import parse_float

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Given", "from_aliases", "from_environment"]

_MAX_SECRET_BYTES = 64 * 1024
_EXPLAINED = 20  # unknown names for which what was meant is found out


class Given(NamedTuple):
    """A raw value and where it was given."""

    raw: object
    origin: str


def from_environment(env: Mapping[str, str], problems: list[str]) -> dict[str, Given]:
    """The settings given by their own names; unknown names with our prefix become problems."""
    names, files = _names(), _files()
    given: dict[str, Given] = {}
    for name in sorted(env):
        if not name.startswith(ENV_PREFIX) or name in RESERVED:
            continue
        if name in names:
            given[names[name].path] = _own(names[name], name, env[name])
        elif name in files:
            if files[name].env in env:
                problems.append(f"{name}: {files[name].env} is set as well; unset one of them")
            else:
                _take_file(given, files[name], name, env[name], problems)
        elif len(problems) >= _EXPLAINED:
            problems.append(f"{name[:80]}: unknown setting")
        else:
            allowed = [*names, *files, *RESERVED]
            problems.append(f"{name}: unknown setting; the names are shown by `config show`{suggestion(name, allowed)}")
    return given


@cache
def _names() -> Mapping[str, Leaf]:
    """The settings by their own names."""
    return {leaf.env: leaf for leaf in leaves().values() if leaf.path != "profile"}


@cache
def _files() -> Mapping[str, Leaf]:
    """Those that are secrets, by the names that give a file."""
    return {f"{name}_FILE": leaf for name, leaf in _names().items() if leaf.secret}


def _own(leaf: Leaf, name: str, text: str) -> Given:
    return Given(Secret(text) if leaf.secret else text, f"env {name}")


def _take_file(given: dict[str, Given], leaf: Leaf, name: str, path: str, problems: list[str]) -> None:
    try:
        text = read_text(Path(path), _called(name, path), _MAX_SECRET_BYTES).rstrip("\r\n")
    except SettingsError as error:
        problems.extend(error.problems)
        return
    given[leaf.path] = Given(Secret(text), f"env {name}")


def _called(name: str, path: str) -> str:
    """How messages call the file; what is in no folder may be the secret itself, given by the wrong name."""
    return f"{name} ({path})" if "/" in path and Path(path).parent.is_dir() else name


def from_aliases(
    env: Mapping[str, str], given: Mapping[str, Given], problems: list[str]
) -> tuple[dict[str, Given], list[str]]:
    """The settings given by the names of other tools, and which of these names were passed over, and why."""
    taken: dict[str, Given] = {}
    ignored: list[str] = []
    for alias, name, text in _named(env, problems):
        if name == alias.name and _says_the_same(alias, text, given):
            continue
        reason = _reason_against(alias.path, given, taken)
        if reason:
            ignored.append(f"{name}: {reason}")
        elif name.endswith("_FILE") and name != alias.name:
            _take_file(taken, leaves()[alias.path], f"{name} (alias)", text, problems)
        else:
            taken[alias.path] = Given(_scaled(alias, text), f"env {name} (alias)")
    return taken, list(dict.fromkeys(ignored))


def _named(env: Mapping[str, str], problems: list[str]) -> Iterator[tuple[Alias, str, str]]:
    """The aliases that are set, each with the name it is set by and the text; what names several things comes last."""
    for alias in ALIASES:
        name = alias.name
        if name not in env and leaves()[alias.path].secret:
            name = f"{name}_FILE"
        if name in env:
            yield alias, name, env[name]
    try:
        topics = topics_by_dimension(env.get(TOPICS, ""))
    except ValueError as error:
        problems.append(f"{TOPICS}: {error}")
        return
    for path, topic in topics.items():
        yield Alias(TOPICS, path), TOPICS, topic


def _reason_against(path: str, given: Mapping[str, Given], taken: Mapping[str, Given]) -> str | None:
    """Why an alias of this setting is passed over; None when it counts."""
    leaf = leaves()[path]
    section = path.partition(".")[0]
    if section in NEEDED_BACKEND and path not in ALWAYS:
        switch, backend = NEEDED_BACKEND[section]
        chosen = str(given[switch].raw if switch in given else leaves()[switch].default).strip().lower()
        if chosen != backend:
            how = advice(switch, backend) if leaf.backend else f"set {leaf.env} instead"
            return f"{switch} is {chosen}; {how}"
    if path in given:
        origin = given[path].origin
        how = f"set {leaf.env} to override it" if rank(origin) < rank(f"env {leaf.env}") else "leave one of them out"
        return f"{path} is given by {origin}; {how}"
    if path in taken:
        return f"{taken[path].origin.removesuffix(' (alias)').removeprefix('env ')} comes first; unset one of them"
    addresses = ADDRESSES.get(section, frozenset())
    url, host = f"{section}.url", f"{section}.host"
    anchor = next((each for each in (url, host) if each in given), url if url in taken else None)
    if path in addresses and anchor is not None:
        origin = {**taken, **given}[anchor].origin
        return f"the address is given by {origin} ({anchor}); set {leaf.env} to change it"
    return None


def _says_the_same(alias: Alias, text: str, given: Mapping[str, Given]) -> bool:
    """Whether a setting that is given elsewhere has the alias's value already: then there is nothing to say."""
    leaf = leaves()[alias.path]
    if alias.path not in given or leaf.secret:
        return False
    try:
        return bool(leaf.read(_scaled(alias, text)) == leaf.read(given[alias.path].raw))
    except ValueError:
        return False


def _scaled(alias: Alias, text: str) -> object:
    if leaves()[alias.path].secret:
        return Secret(text)
    if alias.factor is None:
        return text
    try:
        return parse_float(text) * alias.factor
    except ValueError:
        return text
