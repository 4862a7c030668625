"""The imports between the sandbox's modules."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import tingting_async

ROOT = Path(tingting_async.__file__).parent


def module_name(path: Path) -> str:
    """Return the dotted name of a file of the package."""
    return ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")


SOURCES = {module_name(path): path.read_text(encoding="utf-8") for path in (ROOT / "sandbox").rglob("*.py")}


def imported(source: str) -> set[str]:
    """Return the package's modules that a module imports, in functions and for typing, too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module, "a relative import"
            dotted = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name for name in dotted if name in SOURCES}
            found |= modules
            if modules != dotted:  # Something else than modules is imported: the package itself provides it.
                found.add(node.module)
    return {name for name in found if name.partition(".")[0] == "tingting_async"}


def find_circle(graph: dict[str, set[str]]) -> list[str]:
    """Return the modules of a circle, each imported by the one before it; an empty list if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        return circle[::-1]
    return []


def test_no_circle() -> None:
    """No module of the sandbox imports itself by way of others, counting imports in functions and for typing."""
    circle = find_circle({name: imported(source) - {name} for name, source in SOURCES.items()})
    assert circle == [], " → ".join(circle)


def test_a_circle_is_named() -> None:
    """A circle is reported as the chain of imports that closes it."""
    assert find_circle({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}}) in (["b", "c", "b"], ["c", "b", "c"])


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f():\n    from tingting_async.sandbox.clock import Clock", {"tingting_async.sandbox.clock"}),
        ("if TYPE_CHECKING:\n    import tingting_async.sandbox.clock", {"tingting_async.sandbox.clock"}),
        ("from tingting_async.sandbox import clock", {"tingting_async.sandbox.clock"}),
        ("from tingting_async.sandbox import classic", {"tingting_async.sandbox.classic"}),
        ("from tingting_async.sandbox import Clock", {"tingting_async.sandbox"}),
        ("import aiohttp", set()),
    ],
)
def test_every_import_counts(source: str, expected: set[str]) -> None:
    """Imports in functions and for typing count, and a module imported from a package is the module."""
    assert expected == imported(source)


def test_no_client() -> None:
    """The sandbox imports nothing of the client; the package's version is all they may share."""
    outside = {name for source in SOURCES.values() for name in imported(source)} - SOURCES.keys()
    assert outside <= {"tingting_async._version"}


def test_server_knows_no_handler() -> None:
    """The server imports no handler module: `app` assembles the routes."""
    handlers = tuple(f"tingting_async.sandbox.{name}" for name in ("classic", "v1", "media", "page"))
    assert [name for name in imported(SOURCES["tingting_async.sandbox.server"]) if name.startswith(handlers)] == []
