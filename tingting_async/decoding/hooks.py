"""JSON values to models, strictly: nothing is guessed, nothing is dropped, and an error names its path.

cattrs as it comes reads `None` as `"None"` and `"no"` as `True`; the hooks here refuse both. A good payload takes the
fast pass, its models by the quick way (see `compiled`); only one that failed is read again with detailed validation, to
say where it is wrong.
"""

import functools
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from types import GenericAlias, UnionType
from typing import TYPE_CHECKING, Any, Union, cast, get_args, get_origin

import attrs
from cattrs import Converter
from cattrs.cols import is_mapping, list_structure_factory
from cattrs.cols import mapping_structure_factory as _mapping_factory  # pyright: ignore[reportUnknownVariableType]
from cattrs.gen import make_dict_structure_fn, override

from tingting_async.decoding.fields import EXTRA, WIRE_NAME, OpenEnum, StrOrInt
from tingting_async.decoding.problems import Hook, with_wire_names
from tingting_async.decoding.scalars import (
    InvalidValueError,
    read_bool,
    read_datetime,
    read_decimal,
    read_duration,
    read_float,
    read_int,
    read_number_text,
    read_str,
)

if TYPE_CHECKING:
    from tingting_async.decoding.fast.codegen import FastDecoder

_HOOKS: dict[Any, Hook] = {
    int: read_int,
    float: read_float,
    Decimal: read_decimal,
    str: read_str,
    bool: read_bool,
    datetime: read_datetime,
    timedelta: read_duration,
}


HookFactory = Callable[[Any, Converter], Hook]


class ModelConverter(Converter):
    """A converter that knows the unknown keys of its models."""

    unknown: Mapping[type, Collection[str]] = {}


def make_converter(
    *, detailed: bool, factories: Mapping[Any, HookFactory], unknown: Mapping[type, Collection[str]] | None = None
) -> Converter:
    """Return a converter with the strict hooks.

    Args:
        detailed: Whether an error is to say where it is.
        factories: What makes a generation's own hooks, by type.
        unknown: Names on the wire that came before, and that no field takes, by model: the quick way takes those too.
    """
    converter = ModelConverter(detailed_validation=detailed)
    converter.unknown = unknown or {}
    for kind, hook in _HOOKS.items():
        converter.register_structure_hook(kind, hook)
    converter.register_structure_hook_func(_is_exactly(StrOrInt), read_number_text)
    # By class and not by predicate: a text's hook would be asked first, as these enums are texts.
    converter.register_structure_hook(OpenEnum, read_enum)
    converter.register_structure_hook_factory(_is_optional, _optional_hook)
    converter.register_structure_hook_factory(_is_list, _list_hook)
    converter.register_structure_hook_factory(is_tuple, _tuple_hook)
    converter.register_structure_hook_factory(is_mapping, _mapping_hook)
    converter.register_structure_hook_factory(attrs.has, model_hook)
    for kind, factory in factories.items():
        converter.register_structure_hook_factory(_is_exactly(kind), factory)
    return converter


def _is_exactly(kind: Any) -> Callable[[Any], bool]:
    return lambda asked: asked == kind  # An `Annotated` type is equal to itself, and not the same object.


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is list


def is_tuple(kind: Any) -> bool:
    """Return whether a type is a tuple of items."""
    return get_origin(kind) is tuple


def read_enum(value: Any, kind: type[OpenEnum]) -> OpenEnum:
    """Read a text as a member of an open enum."""
    if type(value) is not str:
        raise InvalidValueError(value, "a text")
    return cast("OpenEnum", kind._value2member_map_.get(value)) or kind(value)


def _is_optional(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType) and type(None) in get_args(kind) and len(get_args(kind)) == 2


@attrs.frozen
class OptionalHook:
    """Reads null, or a value."""

    kind: Any
    inner: Hook
    is_text: bool

    def __call__(self, value: Any, _: Any) -> Any:
        """Read a value or null."""
        # Where a text cannot be a value, an empty one says that there is none: `"playback": ""`.
        return None if value is None or (value == "" and not self.is_text) else self.inner(value, self.kind)


def _optional_hook(kind: Any, converter: Converter) -> Hook:
    (inner,) = (part for part in get_args(kind) if part is not type(None))
    return OptionalHook(inner, converter.get_structure_hook(inner), is_text=inner is str or inner == StrOrInt)


@attrs.frozen
class FastHook:
    """A hook that has a quick way beside it, for those who know of it."""

    hook: Hook
    quick: "FastDecoder"

    def __call__(self, value: Any, kind: Any) -> Any:
        """Read a value, as any hook does."""
        return self.hook(value, kind)


def _list_hook(kind: Any, converter: Converter) -> Hook:
    hook = list_structure_factory(kind, converter)
    item = get_args(kind)[0]
    plain = _PLAIN.get(item)

    def read(value: Any, _: Any) -> Any:
        # Any iterable would do for cattrs: a text by its letters, an object by its keys.
        if type(value) is not list:
            raise InvalidValueError(value, "a list")
        given = cast("list[Any]", value)
        return given[:] if plain is not None and {*map(type, given)} <= plain else hook(given, kind)

    of_item = converter.get_structure_hook(item)
    return FastHook(read, of_item.quick.for_list()) if isinstance(of_item, FastHook) else read


_PLAIN: dict[Any, set[type]] = {int: {int}, str: {str}, bool: {bool}, StrOrInt: {str}}
"""Lists of these are taken as they are, where all their items are of the type itself."""


def _tuple_hook(kind: Any, converter: Converter) -> Hook:
    hook = _list_hook(GenericAlias(list, get_args(kind)[:1]), converter)
    plain = _PLAIN.get(get_args(kind)[0], set())

    def read(value: Any, _: Any) -> Any:
        if type(value) is list and {*map(type, value)} <= plain:  # pyright: ignore[reportUnknownArgumentType]
            return tuple(value)  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType]
        # A field's null list holds nothing; a payload's list is a `list`, and never null.
        return () if value is None else tuple(hook(value, kind))

    return read


def _mapping_hook(kind: Any, converter: Converter) -> Hook:
    (_, item) = get_args(kind)
    hook = _mapping_factory(cast("Any", GenericAlias(dict, (str, item))), converter)

    def read(value: Any, _: Any) -> Any:
        if type(value) is not dict:
            # Free names that stand for nothing, written as something: a whole list must not fail of it.
            if value is None or (item is Any and value in ("", [])):
                return {}
            raise InvalidValueError(value, "an object")
        given = cast("dict[str, Any]", value)
        return given if item is Any else hook(given, kind)

    return read


def model_hook(kind: Any, converter: Converter, *, names: Mapping[str, str] | None = None) -> Hook:
    """Return the hook that reads an object into a model, as its fields say.

    Args:
        kind: The model.
        converter: Has the hooks of its fields.
        names: The wire's name for a field, where that is another than the field itself says.
    """
    from tingting_async.decoding.fast.plan import fast_decoder_for  # noqa: PLC0415 - it imports this module

    hook = functools.cache(lambda: _cattrs_hook(kind, converter, wire_names(kind) | dict(names or {})))
    quick = None if converter.detailed_validation or names else fast_decoder_for(kind, converter)
    if quick is None:
        return hook()

    def read(value: Any, _: Any) -> Any:
        if type(value) is not dict:
            raise InvalidValueError(value, "an object")
        with suppress(ValueError):  # It names unknown fields, which hold anything: it must be nobody's context.
            return quick.read(value)
        return hook()(cast("dict[str, Any]", value), kind)

    return FastHook(read, quick)


def wire_names(kind: Any) -> dict[str, str]:
    """Return the name on the wire of each field of a model."""
    return {field.name: str(field.metadata.get(WIRE_NAME, field.name)) for field in attrs.fields(kind)}


def _cattrs_hook(kind: Any, converter: Converter, keys: dict[str, str]) -> Hook:
    renamed: dict[str, Any] = {name: override(rename=key) for name, key in keys.items() if name != key}
    hook = with_wire_names(keys, make_dict_structure_fn(kind, converter, **renamed))
    known = frozenset(keys.values()) - {EXTRA}

    def read(value: Any, _: Any) -> Any:
        if type(value) is not dict:
            raise InvalidValueError(value, "an object")
        given = cast("dict[str, Any]", value)
        if not given.keys() <= known:
            given = {**given, EXTRA: {name: part for name, part in given.items() if name not in known}}
        return hook(given, kind)

    return read
