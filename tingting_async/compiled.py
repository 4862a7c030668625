"""A function written for each model: the fast pass over a JSON object, field by field, without a call for each.

cattrs stays the one way in: what is made here is registered as its hook, and what a quick check does not take at once
goes to the hook that cattrs has for that field.
"""

import linecache
from collections.abc import Callable, Mapping
from typing import Any, cast

import attrs


@attrs.frozen
class Part:
    """How a field of a model is read."""

    name: str
    key: str
    """Its name on the wire."""
    kind: Any
    hook: Callable[[Any, Any], Any]
    """Reads whatever `check` and `table` do not take."""
    default: Any
    """As attrs has it: a value, a `Factory`, or `NOTHING`."""
    check: str = ""
    """The expression that tells whether `value` is taken as it is; empty where nothing is."""
    table: Mapping[Any, Any] | None = None
    """The texts that stand for a value, as those of an enum do."""
    shortcuts: str = ""
    """Conditional expressions for values that need no hook: `"None if value is None else "`."""


def is_plain(model: Any) -> bool:
    """Tell whether all that making an instance does is to fill its slots."""
    if not isinstance(model, type) or model.__dictoffset__ or hasattr(model, "__attrs_init__"):
        return False
    if hasattr(model, "__attrs_post_init__"):
        return False
    fields = attrs.fields(cast("Any", model))
    slots = {name for base in model.__mro__ for name in base.__dict__.get("__slots__", ())}
    return slots - {"__weakref__"} == {field.name for field in fields} and not any(
        field.converter or field.validator or not field.init or isinstance(field.type, str) or _needs_self(field)
        for field in fields
    )


def _needs_self(field: "attrs.Attribute[Any]") -> bool:
    return bool(getattr(field.default, "takes_self", False))


def compile_model(
    model: type, parts: list[Part], *, extra: str | None, refuse: Callable[[Any], Exception]
) -> Callable[[Any, Any], Any]:
    """Return the function that reads an object into a model.

    Args:
        model: An attrs class of which `is_plain` is true.
        parts: Its fields.
        extra: The field that keeps what no other takes; None where that is dropped.
        refuse: Makes the error for what is no object.
    """
    known = frozenset(part.key for part in parts)
    names: dict[str, Any] = {
        "new": object.__new__,
        "model": model,
        "Twin": _twin(model),
        "known": known,
        "refuse": refuse,
        **{f"{what}_{part.name}": getattr(part, what) for part in parts for what in ("kind", "hook", "table")},
        **{
            f"default_{part.name}": part.default.factory if _is_factory(part) else part.default
            for part in parts
            if part.default is not attrs.NOTHING
        },
    }
    lines = [
        f"def read_{model.__name__}(given, _):",
        "    if type(given) is not dict:",
        "        raise refuse(given)",
        "    self = new(Twin)",
        "    absent = 0",
        *(line for part in parts for line in _read(part)),
    ]
    if extra is not None:
        lines += [
            f"    if len(given) + absent == {len(parts)}:",
            f"        self.{extra} = {{}}",
            "    else:",
            f"        self.{extra} = {{name: part for name, part in given.items() if name not in known}}",
        ]
    lines += ["    self.__class__ = model", "    return self", ""]
    source = "\n".join(lines)
    # A traceback through it shows its lines, and a profile its name.
    file = f"<how {model.__module__}.{model.__qualname__} is read>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    exec(compile(source, file, "exec"), names)  # noqa: S102 - made of the names of our own models' fields
    return cast("Callable[[Any, Any], Any]", names[f"read_{model.__name__}"])


def _twin(model: type) -> type:
    """Return a class of the same layout whose instances can still be filled.

    A frozen class is filled field by field through `object.__setattr__`, which costs four times as much; an instance of
    the twin is filled like any other and then given its true class. Only a subclass without slots of its own has
    exactly the same layout.
    """
    mutable = {"__slots__": (), "__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    return type(f"{model.__name__}Twin", (model,), mutable)


def _is_factory(part: Part) -> bool:
    return hasattr(part.default, "takes_self")


def _read(part: Part) -> list[str]:
    """Return the lines that read a field."""
    depth = "    "
    lines: list[str] = []
    if part.default is not attrs.NOTHING:
        lines += [f"    if {part.key!r} in given:"]
        depth *= 2
    lines += [f"{depth}value = given[{part.key!r}]"]
    slot, other = f"self.{part.name}", f"{part.shortcuts}hook_{part.name}(value, kind_{part.name})"
    if part.table is not None:
        lines += [f"{depth}found = table_{part.name}.get(value) if type(value) is str else None"]
        lines += [f"{depth}{slot} = found if found is not None else {other}"]
    elif part.check:
        lines += [f"{depth}{slot} = value if {part.check} else {other}"]
    else:
        lines += [f"{depth}{slot} = {other}"]
    if part.default is not attrs.NOTHING:
        made = f"default_{part.name}()" if _is_factory(part) else f"default_{part.name}"
        lines += ["    else:", "        absent += 1", f"        {slot} = {made}"]
    return lines
