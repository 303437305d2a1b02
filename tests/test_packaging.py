"""What is declared is what is imported, and the locks hold what they promise."""

import re
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.imports import roots_of

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ALONE = tomllib.loads((ROOT / "actors" / "pyproject.toml").read_text())["project"]
OURS = {"actors", "backbone", "compose"}
READ_BY_OTHERS = {"cramjam": "aiokafka", "hiredis": "redis", "pandas": "pyspark", "tzdata": "zoneinfo"}
"""Packages that nobody imports by name, and the module that reads them."""
OF_SPARK = {"pyspark": "pyspark", "py4j": "pyspark", "adbc_driver_postgresql": "adbc-driver-postgresql"}
"""Modules that the environment of Spark alone has, and the package that brings each."""
SHARED = {"opentelemetry": "opentelemetry-api"}
"""Names that several packages share, and the package that brings what `actors` imports of it."""


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def named(requirements: list[str]) -> set[str]:
    return {canonical(re.split(r"[^\w.-]", each, maxsplit=1)[0]) for each in requirements}


def imported(*folders: str) -> frozenset[str]:
    """The first words of everything that these packages import, or all three, wherever it stands."""
    return frozenset().union(*(roots_of(ROOT / folder) for folder in folders or OURS))


@cache
def owners() -> Mapping[str, list[str]]:
    """The packages that bring each module that can be imported here."""
    return packages_distributions()


def needed() -> set[str]:
    return named(PROJECT["project"]["dependencies"])


def optional() -> set[str]:
    return {name for extra in PROJECT["project"]["optional-dependencies"].values() for name in named(extra)} - OURS


def declared() -> set[str]:
    return needed() | optional()


def locked(lock: str) -> dict[str, str]:
    """By package: what a lock pins, with extras, versions and markers, in order."""
    lines = re.findall(r"^([\w.-]+)(\S*==.*?) \\$", (ROOT / lock).read_text(), flags=re.MULTILINE)
    pins: dict[str, str] = {}
    for name, pin in lines:
        pins[canonical(name)] = pins.get(canonical(name), "") + pin
    return pins


def test_every_declared_package_is_imported_somewhere() -> None:
    used = {canonical(owner) for module in imported() for owner in owners().get(module, ())}
    used |= {package for module, package in OF_SPARK.items() if module in imported()}
    used |= {package for package, reader in READ_BY_OTHERS.items() if reader in imported()}
    assert declared() - used == set()


def test_every_import_is_declared() -> None:
    foreign = imported() - OURS - set(sys.stdlib_module_names)
    assert foreign
    bring = {
        module: {canonical(each) for each in owners().get(module, [OF_SPARK.get(module, "")])} for module in foreign
    }
    assert {module for module, packages in bring.items() if not declared() & packages} == set()


def test_the_runtime_alone_declares_what_it_imports_and_no_more() -> None:
    extras = ALONE["optional-dependencies"]
    assert set(extras) == {"otel", "test"}
    foreign = {canonical(SHARED.get(name, name)) for name in imported("actors") - set(sys.stdlib_module_names)}
    assert foreign - {"actors"} == named(ALONE["dependencies"]) | named(extras["test"]) | named(extras["otel"])


def test_the_runtime_alone_asks_for_what_backbone_asks_for() -> None:
    ours = PROJECT["project"]
    assert set(ALONE["dependencies"]) <= set(ours["dependencies"])
    for extra, packages in ALONE["optional-dependencies"].items():
        assert packages == ours["optional-dependencies"][extra]
    for field in ("version", "requires-python", "license"):
        assert ALONE[field] == ours[field], field
    assert (ROOT / "actors" / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_both_wheels_name_the_pytest_plugin_alike_so_that_it_is_loaded_once() -> None:
    (plugin,) = ALONE["entry-points"]["pytest11"].items()
    assert plugin in PROJECT["project"]["entry-points"]["pytest11"].items()


def test_no_registry_takes_the_runtime_by_mistake() -> None:
    assert "Private :: Do Not Upload" in ALONE["classifiers"]


LOCKS = [f"requirements{which}.lock" for which in ("", "-dev", "-build", "-bench", "-audit", "-lakes", "-spark")]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_everything_by_hash_and_names_no_host(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert re.findall(r"^\s*--(?!hash=)\S*", text, flags=re.MULTILINE) == []
    for block in re.split(r"\n(?=\S)", text.strip()):
        assert re.match(r"[\w.-]+(\[[\w, -]+\])?==[\w.!+]+( ; .*?)? \\\n    --hash=sha256:[0-9a-f]{64}", block), block


def test_the_product_is_locked_without_a_development_tool() -> None:
    product = set(locked("requirements.lock"))
    groups = PROJECT["dependency-groups"]
    assert needed() <= product
    assert not product & (optional() | named([*groups["dev"], *groups["build"]]))


def test_both_locks_agree_so_that_they_share_an_environment() -> None:
    development = locked("requirements-dev.lock")
    without_marker = {name: re.sub(r" ;.*", "", pin) for name, pin in development.items()}
    for name, pin in locked("requirements.lock").items():
        assert pin == development[name] or re.sub(r" ;.*", "", pin) == without_marker[name], name


def test_the_development_lock_keeps_the_extras_that_packages_ask_for() -> None:
    assert locked("requirements-dev.lock")["coverage"].startswith("[toml]==")


@pytest.mark.parametrize("folder", ["backbone", "actors", "compose", "docs"])
def test_no_advice_installs_our_name_from_a_registry(folder: str) -> None:
    for path in (ROOT / folder).rglob("*"):
        if path.suffix in {".py", ".md"} and "api" not in path.parts:
            assert not re.search(r"install '?\"?(backbone|actors)", path.read_text()), path.name
