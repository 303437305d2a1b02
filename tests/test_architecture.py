"""The house rules that a machine can check: which way imports point, who may start tasks, what must not be loaded."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.imports import imports_of

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*ROOT.glob("actors/**/*.py"), *ROOT.glob("backbone/**/*.py")])

ROOMS = (
    "actors",
    "backbone.domain",
    "backbone.files",
    "backbone.settings",
    "backbone.samples",
    "backbone.calls",
    "backbone.sources",
    "backbone.quality",
    "backbone.store",
    "backbone.cache",
    "backbone.stream",
    "backbone.ingest",
    "backbone.retention",
    "backbone.export",
    "backbone.history",
    "backbone.operations",
    "backbone.control",
    "backbone.facade",
    "backbone.testing",
    "backbone.services",
    "backbone.cli",
    "backbone",
)
"""From the bottom to the top: a file imports from its own room and from those before it. `backbone` is the package's
own face, which names where its names live. Each file has a room; none is exempt."""
LEVELS = {room: level for level, room in enumerate(ROOMS)}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str | None:
    return next((room for room in ROOMS[:-1] if module == room or module.startswith(room + ".")), None)


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_every_file_has_a_room_and_imports_from_the_rooms_below(path: Path) -> None:
    module = module_of(path)
    room = room_of(module)
    if module == "backbone":
        return  # names what it hands out, and imports it when it is asked for
    assert room is not None, f"{module} stands in the hall: give it a room"
    for imported in imports_of(path):
        other = room_of(imported)
        assert other is None or LEVELS[other] <= LEVELS[room], f"{module} imports {imported}, which lies above it"


def test_the_rooms_need_each_other_in_no_circle(capsys: pytest.CaptureFixture[str]) -> None:
    needs: dict[str, set[str]] = {room: set() for room in ROOMS[:-1]}
    for path in SOURCES:
        room = room_of(module_of(path))
        for imported in imports_of(path) if room is not None else ():
            other = room_of(imported)
            if room is not None and other not in (None, room):
                needs[room].add(str(other))
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        pytest.fail(f"these need each other: {' -> '.join(error.args[1])}")
    with capsys.disabled():
        print()  # noqa: T201 - for whoever runs this file with -s
        for room in order:
            print(f"  {room} -> {_said(needs[room])}")  # noqa: T201


def _said(rooms: set[str]) -> str:
    return ", ".join(sorted(each.removeprefix("backbone.") for each in rooms)) or "-"


LOADED = """
import sys, backbone.{room}.actor
print(sorted({{name.split(".")[1] for name in sys.modules if name.startswith("backbone.")}}))
"""


@pytest.mark.parametrize(
    ("room", "unneeded"),
    [
        ("store", {"ingest", "retention", "quality", "sources", "cache", "stream", "facade"}),
        ("cache", {"ingest", "retention", "quality", "sources", "stream", "facade"}),
        ("ingest", {"retention", "cache", "stream", "facade"}),
    ],
)
def test_an_actor_loads_nothing_of_the_rooms_above_it(room: str, unneeded: set[str]) -> None:
    code = LOADED.format(room=room)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(ast.literal_eval(done.stdout))
    assert not loaded & unneeded, f"backbone.{room}.actor loads {loaded & unneeded}"


# The data of `actors`: what it is told and what it tells. Below the kernel, so that its users see it as well.
DATA = {"stop_reason", "errors", "specs", "messages", "events", "roster", "description", "clock", "hooks"}
DATA |= {"handlers", "annotations", "replies"}


def test_the_runtime_is_layers_with_data_at_the_bottom_and_the_system_on_top() -> None:
    """Imports for types alone count, too: who can be read only together with its users is no layer."""
    modules = {module_of(path): path for path in ROOT.glob("actors/**/*.py") if path.name != "__init__.py"}
    needs = {
        module: imports_of(path) & modules.keys() for module, path in modules.items() if "testing" not in path.parts
    }
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        pytest.fail(f"these need each other: {' -> '.join(error.args[1])}")
    assert order.index("actors.system") > max(order.index(name) for name in needs if name.startswith("actors._core."))
    for module in needs:
        room, _, name = module.removeprefix("actors.").rpartition(".")
        kernel = {each for each in needs[module] if each.startswith("actors._core.")}
        assert not (name in DATA and not room and kernel), f"{module} is data and imports {kernel}"
        above = needs[module] - kernel - {f"actors.{data}" for data in DATA}
        assert not (room == "_core" and above), f"{module} is of the kernel and imports {above}, which stands above it"


def test_nobody_outside_reaches_into_the_kernel() -> None:
    for path in [*ROOT.glob("backbone/**/*.py"), *ROOT.glob("docs/**/*.py"), *ROOT.glob("tests/**/*.py")]:
        # to look is cheaper than to parse; the kernel's own tests may
        if "_core" not in path.read_text() or path.is_relative_to(ROOT / "tests/actors/core"):
            continue
        reached = {name for name in imports_of(path) if name.startswith("actors._core")}
        assert not reached, f"{path.relative_to(ROOT)}: {reached}"


# What an extra of `actors` brings, and the one module that may import it; nothing else imports that module.
OPTIONAL = {"actors.otel": {"opentelemetry"}}


def test_actors_imports_nothing_but_its_four_packages() -> None:
    allowed = {"actors", "anyio", "msgspec", "structlog"} | set(sys.stdlib_module_names)
    testing = allowed | {"pytest", "pytest_asyncio"}
    for path in ROOT.glob("actors/**/*.py"):
        module, imported = module_of(path), imports_of(path)
        roots = {name.partition(".")[0] for name in imported}
        extra = roots - (testing if "testing" in path.parts else allowed) - {"typing_extensions"}
        assert extra == OPTIONAL.get(module, set()), f"{module} imports {extra}"
        assert not imported & OPTIONAL.keys(), f"{module} imports {imported & OPTIONAL.keys()}, which is an extra"


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_only_the_runtime_starts_tasks_and_nobody_uses_what_loses_cancellations(path: Path) -> None:
    banned = {"create_task", "ensure_future", "wait_for", "Condition"}
    text = path.read_text()
    for node in ast.walk(ast.parse(text)) if any(name in text for name in banned) else ():
        if isinstance(node, ast.Attribute) and node.attr in banned:
            owner = node.value
            name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
            assert name not in {"asyncio", "loop", "_loop"}, f"{module_of(path)}:{node.lineno} uses {name}.{node.attr}"


def test_importing_backbone_loads_nothing_heavy() -> None:
    heavy = ("pyarrow", "duckdb", "numpy", "pandas", "polars", "rich", "plotext", "structlog", "yaml", "matplotlib")
    code = f"import sys, backbone; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Who may have Arrow look for pandas: a process of its own that needs it, and whoever is given a DataFrame or answers to
# anybody's SQL.
WITH_PANDAS = {
    "backbone.quality.exchange_worker",
    "backbone.store.timescale.answers",
    "backbone.domain.conversion",
}
LOOKS_FOR_PANDAS = {"to_numpy", "to_pandas", "from_pandas", "fill_null", "from_pylist", "from_pydict", "empty_table"}
LOOKS_FOR_PANDAS |= {"group_by", "pa.array", "pa.scalar"}


@pytest.mark.parametrize("path", [path for path in SOURCES if "backbone" in path.parts], ids=module_of)
def test_arrow_is_asked_for_nothing_that_imports_pandas(path: Path) -> None:
    """Arrays, scalars and values are made and read by `backbone.domain.arrays` and `backbone.domain.values`."""
    text = path.read_text()
    if module_of(path) in WITH_PANDAS or not any(name in text for name in LOOKS_FOR_PANDAS):
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name, owner = node.func.attr, getattr(node.func.value, "id", "")
            asked = {name, f"{owner}.{name}"} & LOOKS_FOR_PANDAS
            assert not asked, f"{module_of(path)}:{node.lineno} calls {owner}.{name}, which imports pandas"
