"""How each field of a model is read on the fast path."""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import GenericAlias
from typing import TYPE_CHECKING, Any, get_args

import attrs
from cattrs import Converter
from cattrs.cols import is_mapping

from tingting_async.decoding.fields import EXTRA, OpenEnum
from tingting_async.decoding.hooks import FastHook, ModelConverter, OptionalHook, is_tuple, read_enum, wire_names
from tingting_async.decoding.problems import Hook
from tingting_async.decoding.scalars import (
    as_local,
    find_decimal,
    find_duration,
    read_bool,
    read_datetime,
    read_decimal,
    read_duration,
    read_int,
    read_number_text,
    read_str,
)

if TYPE_CHECKING:
    from tingting_async.decoding.fast.codegen import FastDecoder, FieldPlan


def fast_decoder_for(kind: Any, converter: Converter, *, also: Mapping[str, str] | None = None) -> "FastDecoder | None":
    """Return the quick way to read an object into a model; None where making one is more than filling its fields.

    Args:
        kind: The model.
        converter: Has the hooks of its fields.
        also: The wire's other name for a field, where there is one.
    """
    from tingting_async.decoding.fast.codegen import can_bypass_init, compile_model  # noqa: PLC0415 - with the first answer, not before

    if not can_bypass_init(kind):
        return None
    keys = wire_names(kind)
    extra_field = next((name for name, key in keys.items() if key == EXTRA), None)
    fields = [field for field in attrs.fields(kind) if field.name != extra_field]
    parts = [_plan_field(field, keys[field.name], converter, (also or {}).get(field.name, "")) for field in fields]
    unknown = converter.unknown.get(kind, ()) if isinstance(converter, ModelConverter) else ()
    return compile_model(kind, parts, extra=extra_field, unknown=unknown)


SCALAR_PARSERS: dict[Hook, Callable[[Any], Any]] = {
    read_decimal: find_decimal,
    read_duration: find_duration,
}
"""For a hook, what finds the common values without a call of its own; None of it sends a value to the hook."""


def _item(kind: Any, plain: Mapping[Any, Any]) -> Any:
    """Return the shape of a tuple's items, where they are read as they are; else None."""
    return kind if isinstance(kind, type) and issubclass(kind, OpenEnum) else plain.get(kind)


def _plan_field(field: "attrs.Attribute[Any]", key: str, converter: Converter, also: str) -> "FieldPlan":
    from tingting_async.decoding.fast.codegen import FieldPlan, Int64, Scalar  # noqa: PLC0415

    kind, default = field.type, field.default
    if kind is None or kind is Any:
        return FieldPlan(field.name, key, Any, "value", default)
    hook: Hook = converter.get_structure_hook(kind)
    is_optional, inner = isinstance(hook, OptionalHook), hook
    if isinstance(hook, OptionalHook):
        kind, inner = hook.kind, hook.inner
    plain: dict[Any, Any] = {int: Int64, str: str, bool: bool}
    none = "None if value is None else " if is_optional else ""
    shape: Any = Any
    lookup: Callable[[Any], Any] | None = None
    made = f"{none}hook(value, kind)"
    if inner in (read_int, read_str, read_bool):
        shape, made = plain[kind], "value"
    elif isinstance(inner, FastHook):
        shape, made, lookup = inner.quick.shape, f"{none}lookup(value)", inner.quick.fill
    elif inner is read_enum:
        shape, made = kind, "value or None" if is_optional else "value"  # An empty text is falsy.
    elif inner is read_datetime:
        shape, lookup = datetime, as_local
        made = f"value if {'value is None or ' * is_optional}value.tzinfo is not None else lookup(value)"
    elif inner in SCALAR_PARSERS:
        shape, lookup = Scalar, SCALAR_PARSERS[inner]
    elif inner is read_number_text:
        shape, made = Scalar, f"value if type(value) is str else {made}"
    elif is_mapping(kind) and get_args(kind)[1] is Any:
        made = f"value if type(value) is dict else {made}"
    elif is_tuple(kind) and (item := _item(get_args(kind)[0], plain)) and default in ((), attrs.Factory(kind)):
        return FieldPlan(field.name, key, GenericAlias(tuple, (item, ...)) | None, "value or ()", None)
    elif is_tuple(kind):
        made = f"() if value == [] else {made}"
    if shape is Scalar and lookup is not None:
        made = f"{none}found if (found := lookup(value)) is not None else hook(value, kind)"
    elif is_optional and shape not in (Any, Scalar):
        shape |= None
    return FieldPlan(field.name, key, shape, made, default, kind, hook, lookup, also)
