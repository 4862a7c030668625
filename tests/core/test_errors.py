"""The exception tree: as it is drawn, and as it is exported; every error survives the ways that errors go."""

import copy
import importlib
import inspect
import pickle
import re
import types
from typing import Any

import pytest

import tingting_async
from tingting_async import errors
from tingting_async.errors import TingTingError

KINDS: list[type[Any]] = [
    kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, TingTingError)
]


def drawn() -> dict[str, str | None]:
    """Return each class of the module's drawing, with the class above it."""
    above: dict[str, str | None] = {}
    trunk: list[str] = []
    for line in str(errors.__doc__).splitlines():
        match = re.match(r"    ((?:[│ ]   )*(?:[├└]── )?)(\w+Error)\b", line)
        if match is None:
            continue
        depth = len(match[1]) // 4
        del trunk[depth:]
        above[match[2]] = trunk[-1] if trunk else None
        trunk.append(match[2])
    return above


def test_tree() -> None:
    """The tree in the docstring is the tree of the classes."""
    real = {kind.__name__: None if kind is TingTingError else kind.__bases__[0].__name__ for kind in KINDS}
    assert real == drawn()
    assert issubclass(errors.UsageError, ValueError)


def test_statuses_of_the_drawing() -> None:
    """Every error of the tree says what it means, in a line of the drawing and in a docstring."""
    for kind in KINDS:
        assert kind.__doc__
        assert kind is TingTingError or re.search(rf"{kind.__name__}\b.*  \S", str(errors.__doc__))


FIELDS: dict[type[Any], dict[str, Any]] = {
    errors.TransportError: {"operation": "a.b", "method": "GET", "path": "/p", "phase": "answer"},
    errors.OutcomeUnknownError: {"operation": "a.b", "method": "GET", "path": "/p", "phase": "answer", "status": 504},
    errors.ApiError: {
        "status": 400,
        "message": "m",
        "field_errors": {"f": ("x",)},
        "body": b"{}",
        "operation": "a.b",
        "method": "GET",
        "path": "/p",
        "request_id": "r",
    },
    errors.DecodeError: {
        "path": "a[1]",
        "problems": (("a[1]", "missing"),),
        "excerpt": "e",
        "status": 200,
        "operation": "a.b",
    },
    errors.PaginationError: {"number": 3},
}


def fields(kind: type[Any]) -> dict[str, Any]:
    """Return a value for each attribute of an error."""
    return next((FIELDS[base] for base in kind.__mro__ if base in FIELDS), {})


@pytest.mark.parametrize("kind", KINDS)
def test_copy_and_pickle(kind: type[Any]) -> None:
    """An error survives copying and pickling with its text and its attributes."""
    error = kind("It went wrong.", **fields(kind))
    if issubclass(kind, errors.RateLimitedError | errors.ServerError):
        error.retry_after = 2.5
    for twin in (copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))):
        assert kind is type(twin)
        assert str(twin) == "It went wrong."
        assert vars(twin) == vars(error)
    for name, value in fields(kind).items():
        assert value == getattr(error, name)


@pytest.mark.parametrize("kind", KINDS)
def test_bare(kind: type[Any]) -> None:
    """An error can be made from its text alone, as tests of callers do, and has every attribute."""
    error = kind("text")
    assert all(hasattr(error, name) for name in fields(kind))
    assert repr(error) == f"{kind.__name__}('text')"


@pytest.mark.parametrize("name", ["tingting_async", "tingting_async.classic"])
def test_exports(name: str) -> None:
    """`__all__` is what is visible, in order, and all of it is there."""
    module = importlib.import_module(name)
    visible = {
        name
        for name, value in vars(module).items()
        if not isinstance(value, types.ModuleType) and (not name.startswith("_") or name == "__version__")
    }
    assert sorted(visible) == sorted(module.__all__)
    assert len(set(module.__all__)) == len(module.__all__)


def test_every_error_is_exported() -> None:
    """Every error can be caught by a name of the package."""
    assert [kind.__name__ for kind in KINDS if getattr(tingting_async, kind.__name__, None) is not kind] == []
