"""The rooms of the package: who imports whom, and how large they are. Reads the sources, imports nothing."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import tingting_async

ROOT = Path(tingting_async.__file__).parent
MODULES = {
    ".".join(("tingting_async", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}

FLOORS = [
    {"_version"},
    {"errors", "redaction"},
    {"wire"},
    {"auth", "policy", "transport", "conventions", "pagination", "compiled", "convert", "inputs"},
    {"sign_in"},
    {"session"},
    {"classic", "v1"},
    {""},  # The package itself.
    {"cli"},
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield the absolute names that a module imports, and whether for the type checker only."""

    def walk(node: ast.AST, typing: bool) -> Iterator[tuple[str, bool]]:
        if isinstance(node, ast.Import):
            yield from ((alias.name, typing) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from ((name if name in MODULES else str(node.module), typing) for name in names)
        elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for part in node.body:
                yield from walk(part, typing=True)
            for part in node.orelse:
                yield from walk(part, typing)
        else:
            for part in ast.iter_child_nodes(node):
                yield from walk(part, typing)

    yield from walk(ast.parse(path.read_text(encoding="utf-8")), typing=False)


def room(module: str) -> str:
    """Return the room that a module of ours belongs to."""
    return module.partition(".")[2].partition(".")[0]


def ours(path: Path) -> list[str]:
    """Return what a module imports of this package, for the type checker included."""
    return [name for name, _ in imports(path) if name.split(".")[0] == "tingting_async"]


@pytest.mark.parametrize("module", [module for module in MODULES if room(module) != "sandbox"])
def test_direction(module: str) -> None:
    """Imports of the client point one way, from the floors above to those below."""
    here = room(module)
    assert here in FLOOR, f"give {here} a floor"
    for name in ours(MODULES[module]):
        there = room(name)
        assert there == here or FLOOR[there] <= FLOOR[here], f"{module} imports {name}"
        assert {"classic", "v1"} != {here, there}, f"{module} imports the other generation"


@pytest.mark.parametrize("module", [module for module in MODULES if room(module) in FLOOR])
def test_no_cycle(module: str) -> None:
    """No module of the client imports itself, however long the way round."""
    seen: set[str] = set()
    rest = ours(MODULES[module])
    while rest:
        name = rest.pop()
        if name not in seen:
            seen.add(name)
            rest += ours(MODULES[name])
    assert module not in seen


@pytest.mark.parametrize("module", [module for module in MODULES if room(module) == "sandbox"])
def test_sandbox_stands_alone(module: str) -> None:
    """The sandbox knows nothing of the client but its version: one mistake must not agree with itself."""
    assert [name for name in ours(MODULES[module]) if room(name) not in ("sandbox", "_version")] == []


@pytest.mark.parametrize("module", [module for module in MODULES if room(module) not in ("sandbox", "transport")])
def test_aiohttp_in_one_room(module: str) -> None:
    """Only the transport imports aiohttp at run time."""
    used = [name for name, typing in imports(MODULES[module]) if not typing and name.split(".")[0] == "aiohttp"]
    assert used == []


@pytest.mark.parametrize("module", MODULES)
def test_size(module: str) -> None:
    """No module is longer than 400 lines."""
    assert len(MODULES[module].read_text(encoding="utf-8").splitlines()) <= 400
