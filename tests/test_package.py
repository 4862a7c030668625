"""The package as a whole: what it exports, what it imports early and late, and its errors."""

import copy
import pickle
import subprocess
import sys
from importlib import import_module

import pytest

import tingting_async
from tingting_async import errors


def test_all() -> None:
    """`__all__` is what can be seen, and nothing else."""
    for name in ("tingting_async", "tingting_async.classic", "tingting_async.sandbox", "tingting_async.auth.stores"):
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


@pytest.mark.parametrize("module", ["tingting_async", "tingting_async.v1", "tingting_async.auth.stores"])
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
