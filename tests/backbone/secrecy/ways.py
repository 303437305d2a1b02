"""Every secret of the schema, every way to give it, and what a settings object can be made to say."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import pprint
import traceback
from collections.abc import Callable, Iterator, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import yaml
from rich.pretty import pretty_repr

from backbone.settings import Secret, Settings, SettingsError, check, load_settings, read_env_file, show
from backbone.settings.aliases import ALIASES
from backbone.settings.leaves import Leaf, leaves
from tests.backbone.secrecy.reporter import recorded

__all__ = ["CANARY", "SECRETS", "WAYS", "Given", "loaded", "said_by", "secret_in", "values_of"]

CANARY = "CANARY7q"
SECRETS = tuple(leaf for leaf in leaves().values() if leaf.secret)

_TEXTS = ("{}", "{} and a blank", "{}\"'\\", "%25{}%41@/:?#", "{}é\t", "-{}\u202e", "{}\nsecond {} line")
_URLS = (
    "u:{}@h:1234/1",
    ":{}@h:1234/1",
    "u:{}@[::1]:1234/1",
    "u:{}@h:1,g:2/1",
    "u:%20{}%40@h/1",
    "u:{} blank@h/1",
    "u:{}\ttab@h/1",
    "u:{}\nline@h/1",
    "u:{}@x@h/1",
    "u:1/{}@h/1",
    "u:{}",
    "u%3A{}@h/1",
    "u%3A{}%40h/1",
    "h/1?password={}",
    "h/1?p%61ssword={}",
    "h/1?password={} tail {}",
    "h/1?sslpassword={}&sslmode=disable",
    "/1?host=/run/x&user=u&password={}",
    "h/1?{}",
    "h/1?host=u:{}@h",
)
_SCHEMES = {"store.url": ("postgresql", "postgres+asyncpg"), "cache.url": ("redis", "rediss")}


def values_of(leaf: Leaf) -> Iterator[str]:
    """What is given as this secret: passwords of odd characters; URLs of all forms, also broken ones."""
    if not leaf.path.endswith(".url"):
        yield from (form.replace("{}", CANARY) for form in _TEXTS)
        return
    one, other = _SCHEMES[leaf.path]
    for number, form in enumerate(_URLS):
        yield f"{other if number % 4 == 1 else one}://{form.replace('{}', CANARY)}"
    yield from (f"jdbc:{_SCHEMES[leaf.path][0]}://h/1?password={CANARY}", f"u:{CANARY}@h:1/1", CANARY)


class Given(NamedTuple):
    """What goes into `load_settings`."""

    env: Mapping[str, str]
    overrides: Mapping[str, object]
    path: Path | None = None
    env_file: Path | None = None


def _backends(leaf: Leaf) -> dict[str, str]:
    """What lets the names of other tools count."""
    return {f"BACKBONE_{leaf.section.upper().replace('.', '_')}_BACKEND": leaf.backend or ""}


def _file(folder: Path, text: str, name: str = "given") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def _aliases(leaf: Leaf) -> list[str]:
    """What other tools call it, or its own name where none of them knows it."""
    return [alias.name for alias in ALIASES if alias.path == leaf.path] or [leaf.env]


def _by_env_file(leaf: Leaf, value: str, folder: Path) -> Given:
    return Given({}, {}, env_file=_file(folder, f"{leaf.env}='{value}'\n"))


def _by_yaml(leaf: Leaf, value: str, folder: Path) -> Given:
    document: object = value
    for name in reversed(leaf.path.split(".")):
        document = {name: document}
    return Given({}, {}, _file(folder, yaml.safe_dump(document, allow_unicode=True), "given.yaml"))


def _by_code(leaf: Leaf, value: str, _: Path) -> Settings:
    changed = _changed(Settings(), leaf.path.split("."), Secret(value))
    assert isinstance(changed, Settings)
    return changed


def _changed(section: Any, names: list[str], value: Secret) -> Any:
    first, *rest = names
    inside = _changed(getattr(section, first), rest, value) if rest else value
    return msgspec.structs.replace(section, **{first: inside})


WAYS: Mapping[str, Callable[[Leaf, str, Path], Given | Settings]] = {
    "environment": lambda leaf, value, _: Given({leaf.env: value}, {}),
    "file": lambda leaf, value, folder: Given({f"{leaf.env}_FILE": str(_file(folder, value))}, {}),
    "name of the file": lambda leaf, value, _: Given({f"{leaf.env}_FILE": value}, {}),
    "alias": lambda leaf, value, _: Given({**_backends(leaf), _aliases(leaf)[0]: value}, {}),
    "alias file": lambda leaf, value, folder: Given(
        {**_backends(leaf), f"{_aliases(leaf)[-1]}_FILE": str(_file(folder, value))}, {}
    ),
    "alias without effect": lambda leaf, value, _: Given(dict.fromkeys(_aliases(leaf), value), {}),
    "unknown name": lambda leaf, value, _: Given({f"{leaf.env}S": value}, {}),
    "env file": _by_env_file,
    "override": lambda leaf, value, _: Given({}, {leaf.path: value}),
    "secret override": lambda leaf, value, _: Given({}, {leaf.path: Secret(value)}),
    "wrong override": lambda leaf, value, _: Given({}, {leaf.path: [value]}),
    "yaml": _by_yaml,
    "code": _by_code,
}


def said_by(given: Given | Settings) -> Iterator[tuple[str, str]]:
    """All that settings say, by the name of the output; of settings that are refused, the refusal and its traceback."""
    try:
        settings = given if isinstance(given, Settings) else loaded(given)
    except SettingsError as error:
        yield "refusal", str(error)
        yield "problems", repr(error.problems)
        yield "traceback", recorded(error, but=__file__)
        return
    for name, output in _OUTPUTS.items():
        yield name, output(settings)


def loaded(given: Given) -> Settings:
    """The settings that are so given."""
    env = given.env if given.env_file is None else read_env_file(given.env_file)
    if given.path is not None:
        return load_settings(given.path, env=env, overrides=given.overrides)
    return load_settings(profile="embedded", env=env, overrides=given.overrides)


def _pickled(settings: Settings) -> str:
    try:
        return repr(pickle.dumps(settings))
    except TypeError as error:
        return recorded(error, but="")


def _raised(settings: Settings) -> str:
    """A traceback that shows the variables of a frame with settings in it."""
    url = settings.store.dsn()
    try:
        raise LookupError(f"{settings} {url}")
    except LookupError as error:
        return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


def _logged(settings: Settings) -> str:
    record = logging.LogRecord("x", logging.INFO, "", 0, "%s %r", (settings, settings.cache.dsn()), None)
    return logging.Formatter().format(record) + repr(vars(record))


_OUTPUTS: Mapping[str, Callable[[Settings], str]] = {
    "repr": repr,
    "str": str,
    "format": format,
    "percent": lambda settings: "%s %r" % (settings, settings),  # noqa: UP031
    "sections": lambda settings: "".join(repr(getattr(settings, name)) for name in settings.__struct_fields__),
    "redacted": lambda settings: repr(settings.redacted()),
    "show": lambda settings: repr(show(settings)),
    "check": lambda settings: repr(check(settings)),
    "addresses": lambda settings: f"{settings.store.dsn()!r} {settings.cache.dsn()} {settings.cache.dsn()!r}",
    "msgspec": lambda settings: msgspec.json.encode(settings, enc_hook=str).decode(),
    "builtins": lambda settings: repr(msgspec.to_builtins(settings, enc_hook=str)),
    "yaml": lambda settings: yaml.safe_dump(msgspec.to_builtins((settings.store, settings.cache), enc_hook=str)),
    "json": lambda settings: json.dumps(settings, default=str),
    "dict": lambda settings: repr(msgspec.structs.asdict(settings)),
    "copies": lambda settings: f"{copy.copy(settings)} {copy.deepcopy(settings)!r}",
    "pickle": _pickled,
    "pprint": lambda settings: pprint.pformat(msgspec.structs.asdict(settings)),
    "rich": lambda settings: pretty_repr(settings),
    "traceback": _raised,
    "log record": _logged,
}


def secret_in(settings: Any, leaf: Leaf) -> Any:
    """The value of a secret in settings."""
    return attrgetter(leaf.path)(settings)
