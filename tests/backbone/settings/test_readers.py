"""No dead switch: every setting and alias is read by something outside the settings, or can't be set unnoticed."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from backbone.cache.policy import Policy as CachePolicy
from backbone.retention.policy import Policy
from backbone.settings import profiles, resource
from backbone.settings.aliases import ALIASES
from backbone.settings.documents import read_yaml
from backbone.settings.leaves import leaves
from backbone.store.timescale.bounds import Bounds
from tests.backbone.settings.readers import Readers, parsed, sources


@cache
def found() -> Readers:
    return Readers(sources())


def test_every_setting_is_read_by_something_that_has_an_effect() -> None:
    assert found().unread() == set()


@pytest.mark.parametrize("alias", ALIASES, ids=lambda alias: alias.name)
def test_every_alias_leads_to_a_setting_that_is_read(alias: tuple[str, str, float | None]) -> None:
    assert found().places.get(alias[1])


def test_the_description_of_a_setting_names_no_backend_that_its_section_does_not_know() -> None:
    for leaf in leaves().values():
        named = re.match(r"(\w+): ", leaf.description)
        if named:
            assert leaf.backend == named[1]
            assert named[1] in leaves()[f"{leaf.section}.backend"].allowed.split(" or ")


@pytest.mark.parametrize("profile", profiles())
def test_every_key_of_a_profile_is_a_setting_that_is_read(profile: str) -> None:
    document = read_yaml(resource(f"config/{profile}.yaml"), profile)
    paths = {f"{name}.{key}" for name, value in document.items() if isinstance(value, dict) for key in value}
    paths |= {name for name, value in document.items() if not isinstance(value, dict)}
    assert paths <= set(leaves())
    assert {path for path in paths if not found().places.get(path)} == set()


@pytest.mark.parametrize("kind", [Policy, CachePolicy, Bounds], ids=str)
def test_what_settings_are_copied_into_is_read_in_turn(kind: type) -> None:
    """A setting that reaches a struct of a room and stops there would be as dead as one that nobody reads."""
    texts = [text for path, text in sources().items() if not path.endswith("/child.py")]
    spoken = re.compile(rf"\.\s*(?:{'|'.join(kind.__annotations__)})\b")
    rooms = [parsed(text) for text in texts if spoken.search(text)]
    nodes = [node for room in rooms for node in ast.walk(room) if isinstance(node, ast.Attribute)]
    assert set(kind.__annotations__) - {node.attr for node in nodes if isinstance(node.ctx, ast.Load)} == set()


def without_readers(*paths: str) -> dict[str, str]:
    """The source of the package, with every place at which one of these settings is read reading something else."""
    texts = sources()
    for path in paths:
        name = path.rpartition(".")[2]
        for place in found().places[path]:
            module, _, line = place.rpartition(":")
            lines = texts[module].splitlines(keepends=True)
            lines[int(line) - 1] = re.sub(rf"\.{name}\b", ".origins", lines[int(line) - 1])
            texts[module] = "".join(lines)
    return texts


@pytest.mark.parametrize("path", ["stream.consume", "store.pool_size", "retention.trades.cap_days", "run_mode"])
def test_a_setting_that_loses_its_readers_is_found(path: str) -> None:
    assert path in Readers(without_readers(path)).unread()


def test_each_setting_is_known_to_be_read_only_where_it_is() -> None:
    assert Readers(without_readers(*found().places)).places == {}


def reads(text: str) -> set[str]:
    """What a module reads."""
    return set(Readers({"backbone/x.py": text}).places)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f(s: Settings): return s.store.path", {"store.path"}),
        ("def f(s: Settings | None): return s.tier", {"tier"}),
        ("def f(limits: SupervisionSettings): return limits.within", {"supervision.within"}),
        (
            "def f(self):\n one, two = self.settings.store, self.settings.cache\n return one.path, two.ttl",
            {"store.path", "cache.ttl"},
        ),
        ("def f(s: Settings):\n def g(): return s.store.threads\n return g", {"store.threads"}),
        ("def f(s: Settings): return [d.cap_days for d in (s.retention.trades,)]", {"retention.trades.cap_days"}),
        ("def f(s: Settings): return getattr(s, 'store')", set()),
        ("def f(s: Settings): return g(s.store).path", set()),
        ("def f(s): return s.store.path, path.threads", set()),
        ("def f(store: StoreInfo): return store.path", set()),
    ],
)
def test_only_what_is_read_of_a_section_counts(text: str, expected: set[str]) -> None:
    assert reads(text) == expected
