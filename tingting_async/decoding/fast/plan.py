"""How each field of a model is decoded on the fast path; found from its strict hook, which remains the reference."""

from collections.abc import Callable
from datetime import datetime
from types import GenericAlias
from typing import Any, get_args, get_origin

import attrs
from cattrs import Converter
from cattrs.cols import is_mapping

from tingting_async.decoding.fast.codegen import (
    AwareDatetime,
    FastDecoder,
    FieldPlan,
    Found,
    Int64,
    Scalar,
    can_bypass_init,
    compile_model,
)
from tingting_async.decoding.fields import EXTRA, OpenEnum
from tingting_async.decoding.hooks import Hook, ModelHook, OptionalHook, read_enum, wire_names
from tingting_async.decoding.scalars import (
    read_bool,
    read_datetime,
    read_decimal,
    read_duration,
    read_int,
    read_number_text,
    read_str,
)

_PLAIN: dict[Any, Any] = {int: Int64, str: str, bool: bool, Any: Any}
"""Types whose JSON values are taken unchanged, and their shapes."""


class Planner:
    """Makes the fast decoders of models, each once.

    Args:
        converter: Has the strict hooks.
    """

    def __init__(self, converter: Converter) -> None:
        self._converter = converter
        self._decoders: dict[Any, FastDecoder | None] = {}

    def decoder_for(self, kind: Any) -> FastDecoder | None:
        """Return the fast way to decode a model or a list of models; None if only the strict hooks can do it."""
        if kind not in self._decoders:
            self._decoders[kind] = self._make(kind)
        return self._decoders[kind]

    def _make(self, kind: Any) -> FastDecoder | None:
        if get_origin(kind) is list:
            item = self.decoder_for(get_args(kind)[0])
            return None if item is None else item.for_list()
        hook = self._converter.get_structure_hook(kind)
        if not isinstance(hook, ModelHook) or not can_bypass_init(kind):
            return None
        keys = wire_names(kind)
        extra = next((name for name, key in keys.items() if key == EXTRA), None)
        return compile_model(
            kind,
            [self._plan(field, keys[field.name], hook) for field in attrs.fields(kind) if field.name != extra],
            extra=extra,
        )

    def _plan(self, field: "attrs.Attribute[Any]", key: str, model: ModelHook) -> FieldPlan:
        kind, default = field.type, field.default
        if kind is None or kind is Any:
            return FieldPlan(field.name, key, Any, "value", default)
        hook = inner = self._converter.get_structure_hook(kind)
        is_optional = isinstance(hook, OptionalHook)
        if isinstance(hook, OptionalHook):
            kind, inner = hook.kind, hook.inner
        null = "None if value is None else " if is_optional else ""
        by_hook = null + "{hook}(value, {kind})"
        reads_null = is_optional and default is None
        shape: Any = Any
        unusual: Any = None
        make: Callable[[Any], Any] | Found | None = None
        made, nested = by_hook, None
        if inner in (read_int, read_str, read_bool):
            shape, made = _PLAIN[kind], "value"
        elif isinstance(inner, ModelHook) and (nested := self.decoder_for(kind)) is not None:
            shape, made, make = nested.shape, null + "{make}(value)", nested.fill
        elif inner is read_enum:
            shape, made = kind, "value or None" if is_optional else "value"  # An empty string is falsy.
        elif inner is read_datetime or (isinstance(inner, Hook) and inner.usual is datetime):
            shape, unusual, made = AwareDatetime, Scalar, "value"
        elif inner in (read_decimal, read_duration):
            shape, make = Scalar, Found(hook, kind)
            # The float 1.0 is equal to the integer 1, but not the same decimal.
            made = "{hook}(value, {kind}) if type(value) is float else {make}[value]"
        elif inner is read_number_text:
            shape, made = Scalar, f"value if type(value) is str else {by_hook}"
        elif is_mapping(kind) and get_args(kind)[1] is Any:
            made = f"{null}value if type(value) is dict else {{hook}}(value, {{kind}})"
        elif get_origin(kind) is tuple and (item := _item_shape(get_args(kind)[0])) is not None:
            shape, made = GenericAlias(tuple, (item, ...)), "value"
            if not is_optional:
                shape, made, reads_null = shape | None, "value or ()", default in ((), attrs.Factory(kind))
        if is_optional and shape not in (Any, Scalar):
            shape |= None
        return FieldPlan(
            field.name,
            key,
            shape,
            made,
            default,
            kind,
            hook,
            make,
            alias=model.aliases.get(key, ""),
            reads_null=reads_null,
            nested=nested,
            unusual=unusual,
        )


def _item_shape(kind: Any) -> Any:
    """Return the shape of a tuple's items if their JSON values are taken unchanged; else None."""
    return kind if isinstance(kind, type) and issubclass(kind, OpenEnum) else _PLAIN.get(kind)
