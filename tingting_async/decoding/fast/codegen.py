"""Fast decoding of a model: msgspec parses JSON into a shape, and a generated function fills the model from it.

A shape is a struct with a model's fields by their wire names, typed with what JSON can hold. It accepts nothing that
the strict hooks would decode differently. What it refuses is left to the strict hooks, which always decide. msgspec
alone could not make the models: it keeps no unknown fields, and calls no hooks.
"""

import linecache
from collections.abc import Callable
from datetime import datetime
from types import GenericAlias
from typing import Annotated, Any, cast, get_origin

import attrs
from msgspec import UNSET, Meta, UnsetType, convert, defstruct
from msgspec.json import Decoder

# For larger integers it matters how the JSON parser represents them. They are left to the strict hooks.
Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
AwareDatetime = Annotated[datetime, Meta(tz=True)]
Scalar = Int64 | float | str | None

MAX_FOUND = 1024
"""The maximum number of values of a field that are kept."""


@attrs.frozen
class FastDecoder:
    """The fast way to decode a model, or a list of models."""

    shape: Any
    """The type that msgspec parses JSON into. It refuses unknown fields if the model keeps them."""
    open_shape: Any
    """The same, but unknown fields are ignored, and values may have an unusual form."""
    fill: Callable[[Any], Any]
    """Makes the result of a shape; raises what the hooks raise."""
    fill_all: Callable[[Any], list[Any]]
    """Makes the results of many shapes in one loop, which costs less than a call for each."""
    complete: Callable[[Any, Any], None]
    """Decodes the unusual values in the result of an open shape, and adds the unknown fields of the JSON value."""

    def decode(self, value: Any) -> Any:
        """Decode a JSON value.

        Raises:
            ValueError: The value must be decoded by the strict hooks.
        """
        try:
            return self.fill(convert(value, self.shape))
        except ValueError:  # Most probably of an unknown field, or of a value in an unusual form.
            result = self.fill(convert(value, self.open_shape))
        self.complete(result, value)
        return result

    def for_list(self) -> "FastDecoder":
        """Return the fast way to decode a list of models."""
        fill_all, complete = self.fill_all, self.complete

        def complete_all(results: Any, values: Any) -> None:
            for result, value in zip(results, values, strict=True):
                complete(result, value)

        shape, open_shape = (GenericAlias(list, (each,)) for each in (self.shape, self.open_shape))
        return FastDecoder(shape, open_shape, fill_all, lambda lists: [fill_all(rows) for rows in lists], complete_all)


@attrs.frozen
class FieldPlan:
    """How a field of a model is decoded."""

    name: str
    key: str
    """The wire name."""
    shape: Any
    """The type of the field in the shape."""
    expression: str
    """The expression that makes the field of `value`. Its slots are `{hook}`, `{kind}` and `{make}`."""
    default: Any
    """As in attrs: a value, a `Factory`, or `NOTHING`."""
    kind: Any = None
    hook: Callable[[Any, Any], Any] | None = None
    make: "Callable[[Any], Any] | Found | None" = None
    """Makes the field of the value, with the hook if it must. A `Found` is subscripted with the value, not called."""
    alias: str = ""
    """The other wire name, if there is one."""
    reads_null: bool = False
    """Whether the expression makes the default of null, so that null can stand for an absent field."""
    nested: FastDecoder | None = None
    """Decodes the value of the field, if it is a model."""
    unusual: Any = None
    """The type of the field in the open shape, if that accepts more. The hook decodes it once the model is filled."""

    @property
    def missing_default(self) -> Any:
        """The value in the shape for an absent field; `UNSET` if the generated function must fill in the default."""
        if self.alias:
            return UNSET
        if self.reads_null:
            return None
        is_literal = self.expression == "value" and isinstance(self.default, bool | int | str | None)
        return self.default if is_literal else UNSET

    def open_shape(self) -> Any:
        """Return the type of the field in the open shape."""
        if self.nested is None:
            return self.unusual or self.shape
        return self.nested.open_shape if self.shape is self.nested.shape else self.nested.open_shape | None


def can_bypass_init(model: Any) -> bool:
    """Return whether making an instance of a model means no more than to fill its slots."""
    if not isinstance(model, type) or hasattr(model, "__attrs_init__") or hasattr(model, "__attrs_post_init__"):
        return False
    fields = attrs.fields(cast("Any", model))
    slots = {name for base in model.__mro__ for name in base.__dict__.get("__slots__", ())}
    return slots - {"__weakref__"} == {field.name for field in fields} and not any(
        field.converter
        or field.validator
        or not field.init
        or isinstance(field.type, str)
        or getattr(field.default, "takes_self", False)
        for field in fields
    )


def compile_model(model: type, parts: list[FieldPlan], *, extra: str | None) -> FastDecoder:
    """Return the fast way to decode a model.

    Args:
        model: An attrs class for which `can_bypass_init` is true.
        parts: Its fields, without `extra`.
        extra: The field that keeps unknown fields; None if they are dropped.
    """
    names: dict[str, Any] = {"model": model, "Mutable": _mutable_subclass(model), "UNSET": UNSET}
    lines = ["    self = Mutable()"]
    for part in parts:
        names |= {f"{slot}_{part.name}": getattr(part, slot) for slot in ("hook", "kind", "make")}
        lines += _assignment(part, names)
    if extra is not None:
        lines += [f"    self.{extra} = {{}}"]
    lines += ["    self.__class__ = model"]
    one, many = f"fill_{model.__name__}", f"fill_all_{model.__name__}"
    repeated = [f"    {line}" for line in lines]
    loop = [f"def {many}(shapes):", "    made = []", "    for shape in shapes:", *repeated, "        made.append(self)"]
    run(
        [f"def {one}(shape):", *lines, "    return self", *loop, "    return made"],
        names,
        f"{model.__module__}.{model.__qualname__}",
    )
    shape = _shape(model, parts, is_open=False, ignores_unknown=extra is None)
    open_shape = _shape(model, parts, is_open=True, ignores_unknown=True)
    for each in (shape, open_shape):
        # msgspec inspects a type on first use, and crashes if another thread uses the type at that moment. So the
        # first use is here, before any other thread can know the type.
        Decoder(each)
    return FastDecoder(shape, open_shape, names[one], names[many], _completer(model, parts, extra))


def run(lines: list[str], names: dict[str, Any], purpose: str) -> None:
    """Run generated lines, which define functions in `names`. They are made of our own fields' names alone."""
    source = "\n".join([*lines, ""])
    # With this entry, tracebacks show the source, and profiles the name.
    file = f"<generated for {purpose}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    exec(compile(source, file, "exec"), names)  # noqa: S102 - see above


class Found(dict[Any, Any]):
    """What a hook returns, by the value that it decodes. The values of a list's rows repeat often.

    `functools.lru_cache` keeps the order of use, and so costs five times as much (2 to 4 µs a page).

    Args:
        hook: The hook. Its results cannot be changed.
        kind: The type that it decodes values into.
    """

    def __init__(self, hook: Callable[[Any, Any], Any], kind: Any) -> None:
        super().__init__()
        self._hook = hook
        self._kind = kind

    def __missing__(self, value: Any) -> Any:
        found = self._hook(value, self._kind)  # If it raises, nothing is kept.
        if len(self) >= MAX_FOUND:
            self.clear()
        self[value] = found
        return found


def _mutable_subclass(model: type) -> type:
    """Return a class of the same layout whose instances can be changed.

    To fill a frozen class through `object.__setattr__` costs four times as much (5 to 7 µs a page). So an instance of
    this class is filled, and then given the class of the model. That needs the same layout: no slots of its own.
    """
    plain = {name: getattr(object, name) for name in ("__init__", "__setattr__", "__delattr__")}
    return type(f"Mutable{model.__name__}", (model,), {"__slots__": (), **plain})


def _assignment(part: FieldPlan, names: dict[str, Any]) -> list[str]:
    """Return the lines that fill a field."""
    made = part.expression.format(**{slot: f"{slot}_{part.name}" for slot in ("hook", "kind", "make")})
    lines = [f"    value = shape.{part.name}"]
    if part.alias:
        lines += [
            f"    if shape.{part.name}_alias is not UNSET:",
            "        if value is not UNSET:",
            "            raise ValueError",  # With both names there, one of them is an unknown field.
            f"        value = shape.{part.name}_alias",
        ]
    if part.default is not attrs.NOTHING and part.missing_default is UNSET:
        is_factory = hasattr(part.default, "takes_self")
        # To call `dict[str, Any]` costs ten times as much as to call `dict` (2 µs a page of contacts).
        factory = (get_origin(part.default.factory) or part.default.factory) if is_factory else part.default
        names[f"default_{part.name}"] = factory
        made = f"default_{part.name}{'()' * is_factory} if value is UNSET else {made}"
    if made == "value":
        return [f"    self.{part.name} = shape.{part.name}"]
    return [*lines, f"    self.{part.name} = {made}"]


def _shape(model: type, parts: list[FieldPlan], *, is_open: bool, ignores_unknown: bool) -> Any:
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    keys: dict[str, str] = {}
    for part in parts:
        shape = part.open_shape() if is_open else part.shape
        keys[part.name] = part.key
        if part.default is attrs.NOTHING:
            fields.append((part.name, shape))
        else:
            can_be_unset = part.missing_default is UNSET and shape is not Any
            fields.append((part.name, shape | UnsetType if can_be_unset else shape, part.missing_default))
        if part.alias:
            keys[f"{part.name}_alias"] = part.alias
            fields.append((f"{part.name}_alias", shape | UnsetType, UNSET))
    # A shape lives only until its model is filled: the garbage collector does not need to track it.
    return defstruct(
        f"{model.__name__}Shape", fields, rename=keys, forbid_unknown_fields=not ignores_unknown, kw_only=True, gc=False
    )


def _completer(model: Any, parts: list[FieldPlan], extra: str | None) -> Callable[[Any, Any], None]:
    known = {name for part in parts for name in (part.key, part.alias)} - {""}
    nested = [(part.name, part.key, part.nested.complete) for part in parts if part.nested is not None]
    unusual = [(getattr(model, part.name), part) for part in parts if part.unusual is not None]

    def complete(result: Any, value: Any) -> None:
        for slot, part in unusual:
            if part.key in value or part.alias in value:
                assert part.hook is not None
                slot.__set__(result, part.hook(slot.__get__(result), part.kind))
        if extra is not None and not value.keys() <= known:
            getattr(result, extra).update({key: part for key, part in value.items() if key not in known})
        for name, key, complete_inner in nested:
            if (inner := getattr(result, name)) is not None:
                complete_inner(inner, value[key])

    return complete
