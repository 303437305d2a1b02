"""The site as a browser gets it: tags close, nothing comes from outside, links lead somewhere, headings are names."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from backbone.domain import Dimension
from backbone.settings.aliases import ALIASES
from backbone.settings.leaves import leaves
from tests.docs.pages import Page, pages

ROOT = Path(__file__).parents[2]
ASKING = [("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("object", "data")]
OUTSIDE = re.compile(r"""(?:url\(\s*|@import\s+|href=|src=)["']?(?:https?:)?//[^"')]*""")
ORDER = ["Home", "Tutorial", "How-to", "Reference", "Explanation", "Runbooks", "Project"]


@pytest.fixture(scope="module")
def built(site: Path) -> list[Page]:
    return pages(site)


@pytest.fixture(scope="module")
def api(site: Path) -> dict[str, str]:
    """The generated Markdown of each package."""
    return {path.stem: path.read_text() for path in (site.parent / "docs/reference/api").glob("[ab]*.md")}


def test_every_tag_of_every_page_is_closed(built: list[Page]) -> None:
    assert len(built) > 20
    assert {str(page.path): page.unbalanced for page in built if page.unbalanced} == {}


def test_an_unclosed_tag_is_seen(tmp_path: Path) -> None:
    for text in ("<p><code>x</p>", "<div>", "<p></p></p>"):
        path = tmp_path / "page.html"
        path.write_text(text)
        assert Page(path).unbalanced, text


def test_no_page_asks_for_anything_from_outside(built: list[Page]) -> None:
    for page in built:
        for name, attribute in ASKING:
            assert [url for url in page.values(name, attribute) if urlsplit(url).netloc] == [], page.path
        classes = {word for tag in page.tags for word in tag.attributes.get("class", "").split()}
        assert "mermaid" not in classes, f"{page.path}: the theme would load a script for it"


def test_no_stylesheet_or_picture_asks_for_anything_from_outside(site: Path) -> None:
    files = [path for kind in ("*.css", "*.svg") for path in site.rglob(kind)]
    assert files
    for path in files:
        assert OUTSIDE.findall(path.read_text()) == [], path


def test_every_link_within_the_site_leads_to_a_page_and_an_anchor(site: Path, built: list[Page]) -> None:
    ids = {page.path: set(page.ids) for page in built}
    for page in built:
        if page.path.name == "404.html":  # its links are absolute: it is served at any depth
            continue
        for href in page.values("a", "href"):
            url = urlsplit(href)
            if url.scheme or url.netloc:
                continue
            target = (page.path.parent / unquote(url.path)).resolve() if url.path else page.path.resolve()
            target = target / "index.html" if target.is_dir() else target
            assert target.exists(), f"{page.path} links to {href}"
            if url.fragment and url.fragment != "__skip":
                assert unquote(url.fragment) in ids[site / target.relative_to(site.resolve())], f"{page.path}: {href}"


def test_no_page_has_an_anchor_twice(built: list[Page]) -> None:
    for page in built:
        assert len(page.ids) == len(set(page.ids)), page.path


def test_no_cell_of_a_table_shows_its_escapes(built: list[Page]) -> None:
    assert [str(page.path) for page in built if r"\|" in page.text] == []


def leaves_of(nav: object) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, dict):
        for below in nav.values():
            yield from leaves_of(below)
    elif isinstance(nav, list):
        for below in nav:
            yield from leaves_of(below)


def test_the_navigation_has_every_page_in_the_order_of_a_reader(site: Path) -> None:
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    assert [next(iter(each)) for each in nav] == ORDER
    docs = site.parent / "docs"
    there = {str(path.relative_to(docs)) for path in docs.rglob("*.md") if "generated" not in path.parts}
    assert sorted(leaves_of(nav)) == sorted(there)


def test_headings_of_the_api_are_names(site: Path) -> None:
    for path in (site / "reference/api").glob("[ab]*/index.html"):
        headings = [text.strip() for text in Page(path).headings]
        assert len(headings) > 1
        assert [text for text in headings if not re.fullmatch(r"[A-Za-z_][\w.]*", text)] == [], path


def signatures(text: str) -> Iterator[tuple[str, str]]:
    """Each heading below the first and the code block that follows it."""
    headings = re.findall(r"^#{2,3} (\S+) \{ #\S+ \}$", text, re.MULTILINE)
    blocks = re.findall(r"^#{2,3} (\S+) \{ #\S+ \}\n\n```python\n(.*?)\n```$", text, re.MULTILINE | re.DOTALL)
    assert headings == [name for name, _ in blocks], "a heading without a signature under it"
    yield from blocks


def as_statement(name: str, code: str) -> ast.stmt:
    """A signature as a statement of Python, whose body is `...`."""
    if code.startswith(f"{name}("):
        code = f"def {code}"  # a constructor is shown as it is called, with its types
    if not code.startswith((f"{name} = ", f"{name}: ")) and not re.search(r":\n", code):
        code += ": ..."
    return ast.parse(code).body[0]


def test_signatures_are_python_without_quotes_or_private_names(api: dict[str, str]) -> None:
    assert "backbone" in api
    for package, text in api.items():
        for name, code in signatures(text):
            statement = as_statement(name, code)
            for node in ast.walk(statement):
                annotation = getattr(node, "annotation", None) or getattr(node, "returns", None)
                for part in ast.walk(annotation) if isinstance(annotation, ast.expr) else ():
                    assert not (isinstance(part, ast.Name) and part.id.startswith("_")), f"{package}: {code}"
                quoted = isinstance(annotation, ast.Constant) and isinstance(annotation.value, str)
                assert not quoted, f"{package}: {code}"
            assert " object at 0x" not in code
            assert max(map(len, code.splitlines())) <= 120, code


def test_a_docstring_becomes_lists_and_no_section_runs_together(api: dict[str, str]) -> None:
    for package, text in api.items():
        assert re.findall(r"^(?:Args|Raises|Returns|Attributes|Yields):$", text, re.MULTILINE) == [], package
    assert "- `limit`: the newest so many, in ascending order; 1 or more." in api["backbone"]


def test_configuration_names_every_setting_and_every_alias(site: Path) -> None:
    text = Page(site / "reference/configuration/index.html").text
    for leaf in leaves().values():
        if leaf.path != "profile":
            assert leaf.path in text
            assert leaf.env in text
            assert leaf.description in text, leaf.path
    for alias in ALIASES:
        assert alias.name in text


def test_the_data_model_names_every_dimension_and_column(site: Path) -> None:
    text = Page(site / "reference/data-model/index.html").text
    for dimension in Dimension:
        assert dimension in text
        assert set(dimension.columns) <= set(re.findall(r"\w+", text))
