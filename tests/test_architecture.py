"""The house rules that a machine can check: which way imports point, who may start tasks, what must not be loaded."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*ROOT.glob("actors/**/*.py"), *ROOT.glob("backbone/**/*.py")])

LEVELS: dict[str, int] = {}
for level, rooms in enumerate(
    (
        ("actors",),
        ("backbone.domain",),
        ("backbone.settings",),
        (
            "backbone.samples",
            "backbone.sources",
            "backbone.quality",
            "backbone.store",
            "backbone.cache",
            "backbone.stream",
        ),
        ("backbone.ingest", "backbone.retention"),
        ("backbone.operations",),
        ("backbone.facade.adapters",),
        ("backbone.facade.tree",),
        ("backbone.control",),
        ("backbone.facade.backbone",),
        ("backbone.testing",),
        ("backbone.cli",),
    )
):
    LEVELS.update(dict.fromkeys(rooms, level))

# Between the rooms: the map of the messages, who is where, and how a refusal travels. Actors import them, nobody below.
BETWEEN = {"backbone.messages", "backbone.peers", "backbone.refusals", "backbone.facade.subscription"}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str | None:
    return next((room for room in LEVELS if module == room or module.startswith(room + ".")), None)


def imports_of(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_imports_point_downwards(path: Path) -> None:
    module = module_of(path)
    room = room_of(module)
    if room is None:
        return
    for imported in imports_of(ast.parse(path.read_text())):
        if imported in BETWEEN:
            assert path.name == "actor.py" or LEVELS[room] >= LEVELS["backbone.ingest"], f"{module} imports {imported}"
        other = room_of(imported)
        if other is not None and other != room:
            assert LEVELS[other] <= LEVELS[room], f"{module} imports {imported}, which lies above it"


# The data of `actors`: what it is told and what it tells. Below the kernel, so that its users see it as well.
DATA = {"stop_reason", "errors", "specs", "messages", "events", "roster", "description", "clock", "hooks"}
DATA |= {"handlers", "annotations", "replies"}


def test_the_runtime_is_layers_with_data_at_the_bottom_and_the_system_on_top() -> None:
    """Imports for types alone count, too: who can be read only together with its users is no layer."""
    modules = {module_of(path): path for path in ROOT.glob("actors/**/*.py") if path.name != "__init__.py"}
    needs = {
        module: imports_of(ast.parse(path.read_text())) & modules.keys()
        for module, path in modules.items()
        if "testing" not in path.parts
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
        reached = {name for name in imports_of(ast.parse(path.read_text())) if name.startswith("actors._core")}
        assert not reached or path.is_relative_to(ROOT / "tests/actors/core"), f"{path.relative_to(ROOT)}: {reached}"


# What an extra of `actors` brings, and the one module that may import it; nothing else imports that module.
OPTIONAL = {"actors.otel": {"opentelemetry"}}


def test_actors_imports_nothing_but_its_four_packages() -> None:
    allowed = {"actors", "anyio", "msgspec", "structlog"} | set(sys.stdlib_module_names)
    testing = allowed | {"pytest", "pytest_asyncio"}
    for path in ROOT.glob("actors/**/*.py"):
        module, imported = module_of(path), imports_of(ast.parse(path.read_text()))
        roots = {name.partition(".")[0] for name in imported}
        extra = roots - (testing if "testing" in path.parts else allowed) - {"typing_extensions"}
        assert extra == OPTIONAL.get(module, set()), f"{module} imports {extra}"
        assert not imported & OPTIONAL.keys(), f"{module} imports {imported & OPTIONAL.keys()}, which is an extra"


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_only_the_runtime_starts_tasks_and_nobody_uses_what_loses_cancellations(path: Path) -> None:
    banned = {"create_task", "ensure_future", "wait_for", "Condition"}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and node.attr in banned:
            owner = node.value
            name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
            assert name not in {"asyncio", "loop", "_loop"}, f"{module_of(path)}:{node.lineno} uses {name}.{node.attr}"


def test_importing_backbone_loads_nothing_heavy() -> None:
    heavy = ("pyarrow", "duckdb", "numpy", "pandas", "polars", "rich", "plotext", "structlog", "yaml", "matplotlib")
    code = f"import sys, backbone; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
