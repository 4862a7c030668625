"""The package as a whole: what it exports, and which room may look into which."""

import ast
import copy
import pickle
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import tingting_async
from tingting_async import errors

ROOT = Path(tingting_async.__file__).parent
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") or "__init__": path
    for path in ROOT.rglob("*.py")
}

# Each room, with those that it may look into.
LAYERS = [
    {"errors", "redaction", "scalars", "compiled", "modelling", "problems", "json_text", "findings", "_version"},
    {"timeouts", "environment", "attempts", "addresses", "local", "envelopes"},
    {"wire"},
    {"failures"},
    {"events"},
    {
        "auth",
        "policy",
        "transport",
        "conventions",
        "convert",
        "reader",
        "glance",
        "inputs",
        "media",
        "pagination",
        "window",
        "download",
        "exact",
    },
    {"sign_in", "ledger", "telemetry"},
    {"exchange"},
    {"session"},
    {"resource"},
]
CORE = {room: depth for depth, rooms in enumerate(LAYERS) for room in rooms}
SIDEWAYS = {
    ("problems", "scalars"),
    ("pagination", "conventions"),
    ("pagination", "exact"),
    ("pagination", "window"),
    ("window", "conventions"),
    ("exact", "conventions"),
    ("errors", "findings"),
    ("media", "reader"),
    ("reader", "convert"),
    ("reader", "glance"),
}


def imports(path: Path) -> set[str]:
    """Return what a module imports when it runs."""
    tree = ast.parse(path.read_bytes())
    typing_only = [
        node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
    ]
    skipped = {id(child) for block in typing_only for child in ast.walk(block)}
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{name.name}" for name in node.names}
    return found


def rooms(path: Path) -> set[str]:
    """Return the rooms of ours that a module looks into."""
    ours = {name.removeprefix("tingting_async.") for name in imports(path) if name.startswith("tingting_async.")}
    return {name for name in ours if name in MODULES}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_point_one_way(module: str) -> None:
    """The core knows no generation, the generations do not know each other, and the sandbox knows no client."""
    room, seen = module.partition(".")[0], rooms(MODULES[module])
    tops = {name.partition(".")[0] for name in seen} - {room}
    if room == "sandbox":
        assert tops <= {"_version"}
    elif room in ("classic", "v1"):
        assert tops <= CORE.keys()
    elif room == "token_stores":
        assert tops <= {"auth", "errors", "local"}
    elif room in CORE:
        allowed = {other for other, depth in CORE.items() if depth < CORE[room] or (room, other) in SIDEWAYS}
        assert tops <= allowed


@pytest.mark.parametrize("module", sorted(name for name in MODULES if not name.startswith("sandbox")))
def test_one_module_knows_aiohttp(module: str) -> None:
    """The transport is the client's only import of aiohttp."""
    users = any(name.partition(".")[0] == "aiohttp" for name in imports(MODULES[module]))
    assert users == (module == "transport")


def test_no_file_is_too_long() -> None:
    """No file has more than 400 lines."""
    long = {name: count for name, path in MODULES.items() if (count := len(path.read_text().splitlines())) > 400}
    assert long == {}


def test_all() -> None:
    """`__all__` is what can be seen, and nothing else."""
    for name in ("tingting_async", "tingting_async.classic", "tingting_async.sandbox", "tingting_async.token_stores"):
        module = import_module(name)
        seen = {
            attribute
            for attribute in dir(module)
            if not attribute.startswith("_")
            and type(value := getattr(module, attribute)).__name__ != "module"
            and getattr(value, "__module__", "") != "typing"
            and attribute != "TYPE_CHECKING"
        }
        assert set(module.__all__) - {"__version__"} == seen
        assert len(set(module.__all__)) == len(module.__all__)


@pytest.mark.parametrize("module", ["tingting_async", "tingting_async.v1", "tingting_async.token_stores"])
def test_what_few_need_is_late(module: str) -> None:
    """Neither an extra, nor what a single store needs, nor what the first answer is read with is imported with it."""
    late = {"cattrs", "msgspec", "opentelemetry", "redis", "filelock", "sqlite3", "aiolimiter", "openpyxl", "rich"}
    program = f"import sys; before = {{*sys.modules}}; import {module}; print({late} & (sys.modules.keys() - before))"
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_one_generation_alone() -> None:
    """Importing the package, or the v1 API, imports no classic API; its names come when they are asked for."""
    program = """
import sys, tingting_async.v1
assert "tingting_async.classic" not in sys.modules
assert tingting_async.TingTing is sys.modules["tingting_async.classic"].TingTing
from tingting_async import *
assert Campaign is tingting_async.classic.Campaign
try:
    tingting_async.Campagne
except AttributeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("module 'tingting_async' has no attribute 'Campagne'\n", "")


def error_classes() -> list[type[errors.TingTingError]]:
    """Return every exception, as the tree has them."""
    return [
        value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.TingTingError)
    ]


def test_tree_of_errors() -> None:
    """The tree that the docstring draws is the tree that there is, and all of it is exported."""
    assert errors.__doc__
    drawn = [
        line
        for line in errors.__doc__.splitlines()
        if "Error" in line and ("─" in line or line.strip() == "TingTingError")
    ]
    names = [line.strip(" │├└─").split()[0] for line in drawn]
    assert names == [kind.__name__ for kind in error_classes()]
    assert set(names) <= set(tingting_async.__all__)


@pytest.mark.parametrize("kind", error_classes())
def test_errors_travel(kind: type[errors.TingTingError]) -> None:
    """An error survives copying and pickling, with all that it carries."""
    error = kind("text")
    error.__dict__["status"] = 7
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(other) is kind
        assert (str(other), vars(other)) == ("text", vars(error))
