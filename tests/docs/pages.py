"""A built page, taken apart: its tags, whether they close, its headings, anchors and links."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Tag(NamedTuple):
    """An opening tag."""

    name: str
    attributes: dict[str, str]


class Page(HTMLParser):
    """One page of the site.

    Attributes:
        path: of its file.
        tags: every opening tag, in order.
        unbalanced: what was closed without having been opened last, or never closed, with its line.
        headings: the texts of h1 to h6 within the article, without their permalink.
        text: everything that is shown.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.tags: list[Tag] = []
        self.unbalanced: list[str] = []
        self.headings: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        self.unbalanced += [f"<{name}> is never closed" for name in self._open]

    @property
    def ids(self) -> list[str]:
        """All ids, in order."""
        return [tag.attributes["id"] for tag in self.tags if "id" in tag.attributes]

    def values(self, name: str, attribute: str) -> list[str]:
        """What all tags of a name have in an attribute."""
        return [tag.attributes[attribute] for tag in self.tags if tag.name == name and attribute in tag.attributes]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(Tag(tag, {name: value or "" for name, value in attrs}))
        if tag in VOID:
            return
        self._open.append(tag)
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(Tag(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self._open or self._open[-1] != tag:
            self.unbalanced.append(f"line {self.getpos()[0]}: </{tag}> closes {self._open[-1:]}")
            return
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if {"script", "style"}.intersection(self._open):
            return
        self.text += data
        if any(re.fullmatch(r"h[1-6]", name) for name in self._open) and data != "¶":
            self.headings[-1] += data


def pages(site: Path) -> list[Page]:
    """Every page of a site, by path."""
    return [Page(path) for path in sorted(site.rglob("*.html"))]
