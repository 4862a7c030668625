"""What `help()` says of the public names: every field, every value of an enum, every method."""

import enum
import inspect
import re
import typing
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import attrs
import pytest
from support.resources import resource_classes

import tingting_async
import tingting_async.v1

PACKAGE = tingting_async.__name__


def exports() -> dict[str, Any]:
    """Return the public names of both generations, with their values."""
    modules = (tingting_async, tingting_async.v1)
    return {f"{module.__name__}.{name}": getattr(module, name) for module in modules for name in module.__all__}


CLASSES = {name: value for name, value in exports().items() if isinstance(value, type)}
MODELS = {name: value for name, value in CLASSES.items() if attrs.has(value)}
ENUMS = {name: value for name, value in CLASSES.items() if issubclass(value, enum.Enum)}


def documented(kind: type) -> list[str]:
    """Return the names in the `Attributes:` section of a class docstring, in their order."""
    doc = inspect.cleandoc(kind.__doc__ or "")
    _, _, section = doc.partition("\nAttributes:\n")
    entries = re.findall(r"^    (\w[\w, ]*): \S", section.partition("\n\n")[0], re.MULTILINE)
    return [name for entry in entries for name in entry.split(", ")]


@pytest.mark.parametrize("name", MODELS)
def test_fields(name: str) -> None:
    """The docstring of a model describes exactly its public fields, in their order."""
    fields = [field.name for field in attrs.fields(MODELS[name]) if not field.name.startswith("_")]
    assert fields == documented(MODELS[name])


@pytest.mark.parametrize("name", ENUMS)
def test_values(name: str) -> None:
    """The docstring of an enum describes exactly its values, in their order."""
    assert list(ENUMS[name].__members__) == documented(ENUMS[name])


def own_members(kind: type) -> Iterator[tuple[str, FunctionType]]:
    """Yield the public functions of a class, those behind properties included; inherited ones of ours, too."""
    for base in kind.__mro__:
        if not base.__module__.startswith(PACKAGE):
            continue
        for name, member in vars(base).items():
            wrapped = (getattr(member, wrapper, None) for wrapper in ("fget", "func", "__func__"))
            function = next(filter(None, wrapped), member)
            if isinstance(function, FunctionType) and not name.startswith("_"):
                yield f"{base.__module__}.{base.__qualname__}.{name}", function


def classes_in(annotation: Any) -> Iterator[type]:
    """Yield the classes of ours that an annotation names, at any depth."""
    if isinstance(annotation, type) and annotation.__module__.startswith(PACKAGE):
        yield annotation
    for part in (typing.get_origin(annotation), *typing.get_args(annotation)):
        if part is not None:
            yield from classes_in(part)


def reachable() -> tuple[dict[str, type], dict[str, FunctionType]]:
    """Return the classes that are public, or that a public function returns, and their public functions."""
    functions = {name: value for name, value in exports().items() if isinstance(value, FunctionType)}
    names = {name: getattr(tingting_async, name) for name in tingting_async.__all__}  # Some are imported late.
    classes: dict[str, type] = {}
    pending = list(CLASSES.values())
    while pending:
        kind = pending.pop()
        name = f"{kind.__module__}.{kind.__qualname__}"
        if name in classes:
            continue
        classes[name] = kind
        resources = resource_classes(kind) if kind.__name__ == "TingTing" else {}
        known = names | {each.__name__: each for each in resources.values()}  # Imported on first use, too.
        for member, function in own_members(kind):
            functions[member] = function
            pending += classes_in(typing.get_type_hints(function, localns=known).get("return"))
    return classes, functions


REACHABLE_CLASSES, REACHABLE_FUNCTIONS = reachable()


def test_what_is_reachable() -> None:
    """The search for public names finds the resources of both sessions, and the iterators of a paginator."""
    assert {
        "tingting_async.classic.campaigns.Campaigns",
        "tingting_async.v1.campaigns.Campaigns",
        "tingting_async.pagination.iterators.PageIterator",
    } <= REACHABLE_CLASSES.keys()
    assert "tingting_async.classic.campaigns.Campaigns.run" in REACHABLE_FUNCTIONS


@pytest.mark.parametrize("name", REACHABLE_CLASSES)
def test_classes(name: str) -> None:
    """Every public class has a docstring of its own."""
    assert vars(REACHABLE_CLASSES[name]).get("__doc__")


@pytest.mark.parametrize("name", REACHABLE_FUNCTIONS)
def test_functions(name: str) -> None:
    """Every public function, method and property has a docstring that begins with a line of its own."""
    lines = inspect.cleandoc(REACHABLE_FUNCTIONS[name].__doc__ or "").splitlines()
    assert lines
    assert lines[0].endswith((".", ":"))
    assert lines[1:2] in ([], [""])
