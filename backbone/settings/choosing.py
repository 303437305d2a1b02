"""Which settings file is read: the one that is named, else the one that a tier, a mode or an address leads to."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from backbone.settings.aliases import ALIASES, INDICATORS, MODE
from backbone.settings.backends import PROFILES
from backbone.settings.errors import SettingsError, suggestion
from backbone.settings.leaves import leaves
from backbone.settings.resources import profiles, resource

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Source", "choose", "indicator"]

_CHOOSERS = ("BACKBONE_CONFIG", "BACKBONE_PROFILE")
_MODES = {"bootstrap": "embedded", "embedded": "embedded", "institutional": "institutional"}


class Source(NamedTuple):
    """A settings file, and how messages and origins call it."""

    path: Path
    shown: str
    profile: str | None


def choose(
    path: str | Path | None, profile: str | None, env: Mapping[str, str], overrides: Mapping[str, object]
) -> tuple[Source, tuple[str, ...]]:
    """The settings file, and the variables that would have chosen another one.

    Raises:
        SettingsError: two files are named, variables contradict each other, or there is no such profile.
    """
    if path is not None and profile is not None:
        raise SettingsError(f"both the file {path} and the profile {profile} given; give one of them")
    choosers = [name for name in _CHOOSERS if name in env]
    if path is not None or profile is not None:
        what = f"the file {path}" if path is not None else f"the profile {profile}"
        return _source(path, profile), _passed_over([*choosers, *_mode_unlike(profile, env)], what)
    if len(choosers) == 2:
        raise SettingsError("both BACKBONE_CONFIG and BACKBONE_PROFILE are set; unset one of them")
    if choosers:
        named = env.get("BACKBONE_PROFILE")
        return _source(env.get("BACKBONE_CONFIG"), named), _passed_over(_mode_unlike(named, env), choosers[0])
    return _source(None, _inferred(env, overrides)), ()


def _passed_over(names: list[str], what: str) -> tuple[str, ...]:
    return tuple(f"{name}: {what} is given explicitly; leave it out to use {name}" for name in names)


def _mode_unlike(profile: str | None, env: Mapping[str, str]) -> list[str]:
    """The mode's variable, where it stands for another profile than the one that is named."""
    mode = env.get(MODE, "").strip().lower()
    return [MODE] if mode and _MODES.get(mode) != profile else []


def _inferred(env: Mapping[str, str], overrides: Mapping[str, object]) -> str:
    mode = _mode(env)
    name, tier = _tier(env, overrides)
    if tier is not None:
        if mode is not None and (mode == "embedded") != (tier == "tier_0"):
            raise SettingsError(f"{name}={tier} and {MODE}={env[MODE]} contradict each other; leave one of them out")
        return PROFILES[tier]
    return mode or ("institutional" if indicator(env) else "embedded")


def _mode(env: Mapping[str, str]) -> str | None:
    mode = env.get(MODE, "").strip().lower()
    if mode and mode not in _MODES:
        raise SettingsError(f"{MODE}={env[MODE]!r} given; allowed are bootstrap, institutional")
    return _MODES.get(mode)


def _tier(env: Mapping[str, str], overrides: Mapping[str, object]) -> tuple[str, str | None]:
    """The tier that is given, and by what: overrides come before our own variable, that before its aliases."""
    leaf = leaves()["tier"]
    names = [leaf.env, *(alias.name for alias in ALIASES if alias.path == "tier")]
    given: list[tuple[str, object]] = [("tier", overrides["tier"])] if "tier" in overrides else []
    given += [(name, env[name]) for name in names if name in env]
    for name, raw in given[:1]:
        try:
            return name, leaf.read(raw)
        except ValueError as error:
            raise SettingsError(f"{name}: {error}") from error
    return "tier", None


def indicator(env: Mapping[str, str]) -> str | None:
    """The variable by which the institutional profile is taken where nothing else decides; None: there is none."""
    if any(env.get(name, "").strip() for name in (MODE, "BACKBONE_TIER", "EMP_TIER")):
        return None
    return next((name for name in INDICATORS if env.get(name, "").strip()), None)


def _source(path: str | Path | None, profile: str | None) -> Source:
    if path is not None:
        return Source(Path(path), str(path), None)
    return _profile_source(str(profile))


@cache
def _profile_source(name: str) -> Source:
    if name not in profiles():
        allowed = profiles()
        raise SettingsError(f"unknown profile {name!r}; allowed are {', '.join(allowed)}{suggestion(name, allowed)}")
    return Source(resource(f"config/{name}.yaml"), f"config/{name}.yaml", name)
