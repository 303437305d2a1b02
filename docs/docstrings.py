"""Docstrings in Google's form as Markdown: sections become lists, what looks like HTML is escaped."""

from __future__ import annotations

import re
import textwrap

__all__ = ["markdown"]

_SECTIONS = {
    "Args": "Parameters",
    "Attributes": "Attributes",
    "Returns": "Returns",
    "Yields": "Yields",
    "Raises": "Raises",
}
_ENTRY = re.compile(r"(\*{0,2}[\w., ]+?): (.*)", re.DOTALL)


def markdown(docstring: str) -> str:
    """The text of a docstring as Markdown."""
    parts: list[str] = []
    section = ""
    body: list[str] = []
    for line in [*docstring.splitlines(), None]:
        title = _SECTIONS.get((line or "").removesuffix(":"), "") if line and line.endswith(":") else ""
        if line is None or title or (section and line and not line.startswith(" ")):
            parts.append(_section(section, body) if section else _escaped("\n".join(body)))
            section, body = title, [] if title or line is None else [line]
        else:
            body.append(line)
    return "\n\n".join(part for part in map(str.strip, parts) if part)


def _section(title: str, body: list[str]) -> str:
    text = textwrap.dedent("\n".join(body)).strip()
    if title in {"Returns", "Yields"}:
        return f"**{title}**\n\n{_escaped(_joined(text))}"
    entries = re.split(r"\n(?=\S)", text)
    return f"**{title}**\n\n" + "\n".join(f"- {_entry(_joined(each))}" for each in entries)


def _joined(text: str) -> str:
    return " ".join(text.split())


def _entry(text: str) -> str:
    match = _ENTRY.fullmatch(text)
    if match is None:
        return _escaped(text)
    names = ", ".join(f"`{name.strip()}`" for name in match[1].split(","))
    return f"{names}: {_escaped(match[2])}"


def _escaped(text: str) -> str:
    """The text with what Markdown would take for tags or emphasis escaped, outside code."""
    pieces = re.split(r"(```.*?```|``.*?``|`[^`]*`)", text, flags=re.DOTALL)
    return "".join(piece if piece.startswith("`") else _plain(piece) for piece in pieces)


def _plain(text: str) -> str:
    return re.sub(r"[*]|(?<!\w)_|_(?!\w)", r"\\\g<0>", text.replace("<", "&lt;"))
