"""Reading YAML and env files: capped in size, depth and aliases, duplicate keys refused."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any

from backbone.settings.errors import SettingsError

__all__ = ["read_env_file", "read_text", "read_yaml"]

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 16
MAX_ALIASES = 32
MAX_NODES = 10_000


def read_text(path: Path, shown: str, limit: int = MAX_BYTES) -> str:
    """The UTF-8 text of a file.

    Args:
        path: where it is.
        shown: how messages call it.
        limit: the most bytes it may have.

    Raises:
        SettingsError: it is missing, no regular file, unreadable, too large, or not UTF-8.
    """
    try:
        data = _bytes_of(path, shown, limit + 1)
    except FileNotFoundError as error:
        raise SettingsError(f"{shown}: there is no such file; give the path of a file that exists") from error
    except IsADirectoryError as error:
        raise SettingsError(f"{shown}: is a directory; give the path of a file in it") from error
    except SettingsError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(f"{shown}: can't be read ({reason}); make it readable for this user") from error
    if len(data) > limit:
        raise SettingsError(f"{shown}: is over {limit} bytes; settings files are small, check the path")
    text = _decoded(data)
    del data  # an error must not carry what the file holds, neither itself nor in a frame
    if isinstance(text, int):
        raise SettingsError(f"{shown}: is not UTF-8 (byte {text}); save it as UTF-8")
    return text


def _decoded(data: bytes) -> str | int:
    """The text, or the place of the first byte that is none."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return error.start


def _bytes_of(path: Path, shown: str, most: int) -> bytes:
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe that nobody writes to would keep us waiting for ever
    try:
        kind = os.fstat(file).st_mode
        if stat.S_ISDIR(kind):
            raise IsADirectoryError
        if not stat.S_ISREG(kind):
            raise SettingsError(f"{shown}: is no regular file; write what it holds to a file and give its path")
        data = b""
        while len(data) < most and (more := os.read(file, most - len(data))):
            data += more
    finally:
        os.close(file)
    return data


def read_yaml(path: Path, shown: str) -> dict[str, Any]:
    """The mapping that a YAML file holds.

    Raises:
        SettingsError: the file can't be read, is no YAML, no mapping, has a key twice, or is nested too deeply.
    """
    data = _parsed(read_text(path, shown))
    if isinstance(data, dict):
        return data
    what = data if isinstance(data, str) else "is empty" if data is None else f"is a {type(data[0]).__name__}"
    del data
    hint = "" if what.startswith("is not") else "; give a mapping of sections, such as 'store: {backend: duckdb}'"
    raise SettingsError(f"{shown}: {what}{hint}")


def _parsed(text: str) -> dict[str, Any] | tuple[Any] | str | None:
    """The mapping, something else in a tuple of its own, or what is wrong: never with a line of the text."""
    import yaml  # slow to load, and not needed unless a file is read

    from backbone.settings.yaml_loader import CappedLoader

    loader = None
    try:
        loader = CappedLoader(text)
        data = loader.get_single_data()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return f"is not usable YAML: {_problem(error)}"
    finally:
        if loader is not None:
            loader.dispose()
    return data if data is None or isinstance(data, dict) else (data,)


_QUOTES = re.compile(r"\b(alias|anchor|tag handle|tag) (['\"]).*", re.DOTALL)


def _problem(error: Exception) -> str:
    """What the parser complains of; a value that begins with * & or ! is taken for a name, which it would quote."""
    mark = getattr(error, "problem_mark", None)
    problem = _QUOTES.sub(r"\1", getattr(error, "problem", None) or str(error))
    return f"{' '.join(problem.split())}{f' (line {mark.line + 1})' if mark else ''}"


_ENV_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")


def read_env_file(path: str | Path) -> dict[str, str]:
    """The variables of an env file: ``NAME=value`` a line, ``#`` comments, optional quotes and ``export``.

    Raises:
        SettingsError: the file can't be read, or a line is no assignment; values are never shown.
    """
    variables = _variables(read_text(Path(path), str(path)))
    if isinstance(variables, str):
        raise SettingsError(f"{path}: {variables}")
    return variables


def _variables(text: str) -> dict[str, str] | str:
    """The variables, or what is wrong."""
    variables: dict[str, str] = {}
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = _ENV_LINE.fullmatch(line)
        if match is None:
            return f"line {number} is no NAME=value; comment it out with # or correct it"
        if match[1] in variables:
            return f"line {number} gives {match[1]} again; keep one of the lines"
        variables[match[1]] = _unquoted(match[2])
    return variables


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    comment = re.search(r"\s#", value)
    return value[: comment.start() if comment else None].strip()
