"""The fast pass: JSON is read into a shape by msgspec, and a function written for each model fills the model from it.

A shape has a model's fields by the wire's names, with types that JSON itself knows. It takes nothing that the model's
hooks would not take in the same way; whatever it refuses, an unknown field for one, is left to cattrs, which stays the
one that decides. msgspec alone could not make the models: it keeps no unknown fields, and calls no hook of ours.
"""

import linecache
from collections.abc import Callable, Collection, Mapping
from types import GenericAlias
from typing import Annotated, Any, cast

import attrs
from msgspec import UNSET, Meta, UnsetType, convert, defstruct
from msgspec.json import Decoder

# Beyond it, what the JSON library made of the digits matters: that is left to the hooks.
Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Scalar = Int64 | float | str | None


@attrs.frozen
class FastDecoder:
    """The quick way to read something."""

    shape: Any
    """What its JSON is read into: a type that msgspec knows."""
    fill: Callable[[Any], Any]
    """Makes of that what was asked for; raises whatever the hooks raise."""

    def read(self, value: Any) -> Any:
        """Read a JSON value.

        Raises:
            ValueError: It is not for the quick way.
        """
        return self.fill(convert(value, self.shape))

    def for_list(self) -> "FastDecoder":
        """Return the quick way to read a list of them."""
        fill = self.fill
        return FastDecoder(GenericAlias(list, (self.shape,)), lambda shapes: [fill(shape) for shape in shapes])


@attrs.frozen
class FieldPlan:
    """How a field of a model is read."""

    name: str
    key: str
    """Its name on the wire."""
    shape: Any
    """The type of its JSON."""
    expression: str
    """The expression for what is made of `value`; `hook`, `kind` and `lookup` are the field's."""
    default: Any
    """As attrs has it: a value, a `Factory`, or `NOTHING`."""
    kind: Any = None
    hook: Callable[[Any, Any], Any] | None = None
    lookup: Callable[[Any], Any] | None = None
    """Makes what a text stands for, or None."""
    alias: str = ""
    """Another name that it may have on the wire."""

    @property
    def missing_default(self) -> Any:
        """What stands in the shape for one that is absent: `UNSET`, unless its default is made of what would come."""
        if self.alias:
            return UNSET
        if self.expression == "value":
            return self.default if self.default is None or isinstance(self.default, bool | int | str) else UNSET
        return None if self.default is None and ("None if" in self.expression or " or " in self.expression) else UNSET


def can_bypass_init(model: Any) -> bool:
    """Tell whether all that making an instance does is to fill its slots."""
    if not isinstance(model, type) or hasattr(model, "__attrs_init__") or hasattr(model, "__attrs_post_init__"):
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
    model: type, parts: list[FieldPlan], *, extra: str | None, unknown: Collection[str] = ()
) -> FastDecoder:
    """Return the quick way to read a model.

    Args:
        model: An attrs class of which `is_plain` is true.
        parts: Its fields.
        extra: The field that keeps what no other takes; None where that is dropped.
        unknown: Names on the wire that came before, and that no field takes.
    """
    taken = {name for part in parts for name in (part.key, part.alias)}
    free = [] if extra is None else sorted(key for key in unknown if key not in taken)
    others = {f"unknown{index}": key for index, key in enumerate(free)}
    names: dict[str, Any] = {"new": object.__new__, "model": model, "Twin": _mutable_subclass(model), "UNSET": UNSET}
    lines = [f"def fill_{model.__name__}(given):", "    self = new(Twin)"]
    for part in parts:
        names |= {f"{what}_{part.name}": getattr(part, what) for what in ("hook", "kind", "lookup")}
        lines += _assignment(part, names)
    if extra is not None:
        lines += [f"    self.{extra} = extra = {{}}"]  # An object with anything else for it has not come this far.
        for name, key in others.items():
            lines += [f"    if given.{name} is not UNSET:", f"        extra[{key!r}] = given.{name}"]
    lines += ["    self.__class__ = model", "    return self", ""]
    source = "\n".join(lines)
    # A traceback through it shows its lines, and a profile its name.
    file = f"<how {model.__module__}.{model.__qualname__} is filled>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    exec(compile(source, file, "exec"), names)  # noqa: S102 - made of our own fields' names, and of the service's as literals
    shape = _shape(model, parts, others, is_closed=extra is not None)
    # What msgspec knows of a type it finds out on first use, and crashes where another thread uses the type meanwhile:
    # so that is here, before anyone else has it.
    Decoder(shape)
    return FastDecoder(shape, names[f"fill_{model.__name__}"])


def _mutable_subclass(model: type) -> type:
    """Return a class of the same layout whose instances can still be filled.

    A frozen class is filled field by field through `object.__setattr__`, which costs four times as much; an instance of
    the twin is filled like any other and then given its true class. Only a subclass without slots of its own has
    exactly the same layout.
    """
    mutable = {"__slots__": (), "__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    return type(f"{model.__name__}Twin", (model,), mutable)


def _assignment(part: FieldPlan, names: dict[str, Any]) -> list[str]:
    """Return the lines that fill a field."""
    slot = f"self.{part.name}"
    made = part.expression.replace("hook(", f"hook_{part.name}(").replace("lookup(", f"lookup_{part.name}(")
    made = made.replace("kind)", f"kind_{part.name})")
    if part.expression == "value":
        lines = [f"    {slot} = given.{part.name}"]
    else:
        lines = [f"    value = given.{part.name}", f"    {slot} = {made}"]
    if part.alias:
        lines[1:1] = [
            f"    if given.{part.name}_also is not UNSET:",
            "        if value is not UNSET:",
            "            raise ValueError",  # One of them is a field that is not known.
            f"        value = given.{part.name}_also",
        ]
    if part.default is not attrs.NOTHING and part.missing_default is UNSET:
        is_factory = hasattr(part.default, "takes_self")
        names[f"default_{part.name}"] = part.default.factory if is_factory else part.default
        default = f"default_{part.name}{'()' * is_factory}"
        lines[-1] = f"    {slot} = {default} if value is UNSET else {made}"
    return lines


def _shape(model: type, parts: list[FieldPlan], others: Mapping[str, str], *, is_closed: bool) -> Any:
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    keys: dict[str, str] = {**others}
    fields += [(name, Any, UNSET) for name in others]
    for part in parts:
        keys[part.name] = part.key
        if part.default is attrs.NOTHING:
            fields.append((part.name, part.shape))
        else:
            can_be_unset = part.missing_default is UNSET and part.shape is not Any
            fields.append((part.name, part.shape | UnsetType if can_be_unset else part.shape, part.missing_default))
        if part.alias:
            keys[f"{part.name}_also"] = part.alias
            fields.append((f"{part.name}_also", part.shape | UnsetType, UNSET))
    name = f"{model.__name__}Shape"
    # Its instances live for the moment between reading and filling: the garbage collector need not know of them.
    return defstruct(name, fields, rename=keys, forbid_unknown_fields=is_closed, kw_only=True, gc=False)
