"""The strict hooks: JSON values to models. Nothing is guessed or dropped, and an error names its path.

cattrs by itself decodes `None` as `"None"` and `"no"` as `True`; the hooks here refuse both.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from types import GenericAlias, UnionType
from typing import Any, Union, cast, get_args, get_origin

import attrs
from cattrs import ClassValidationError, Converter
from cattrs.cols import is_mapping
from cattrs.errors import AttributeValidationNote, IterableValidationError, IterableValidationNote
from cattrs.gen import make_dict_structure_fn, override

from tingting_async.decoding.fields import EXTRA, WIRE_NAME, OpenEnum, StrOrInt
from tingting_async.decoding.payload import InvalidValueError
from tingting_async.decoding.scalars import (
    read_bool,
    read_datetime,
    read_decimal,
    read_duration,
    read_float,
    read_int,
    read_number_text,
    read_str,
)

HookFunction = Callable[[Any, Any], Any]
"""Decodes a JSON value; also receives the type to decode it into."""
HookFactory = Callable[[Any, Converter], HookFunction]
"""Makes the hook of a type."""


@attrs.frozen
class Hook:
    """A hook, and the type whose hook decodes the usual form of these values to the same result."""

    read: HookFunction
    usual: Any

    def __call__(self, value: Any, kind: Any) -> Any:
        """Decode a value."""
        return self.read(value, kind)


_HOOKS: dict[Any, HookFunction] = {
    int: read_int,
    float: read_float,
    Decimal: read_decimal,
    str: read_str,
    bool: read_bool,
    datetime: read_datetime,
    timedelta: read_duration,
}


def make_converter(factories: Mapping[Any, HookFactory]) -> Converter:
    """Return a converter with the strict hooks.

    Args:
        factories: A generation's own hooks, by type.
    """
    converter = Converter()
    for kind, hook in _HOOKS.items():
        converter.register_structure_hook(kind, hook)
    converter.register_structure_hook_func(_is_exactly(StrOrInt), read_number_text)
    # By class: these enums are strings, and cattrs would prefer the hook of `str` to a predicate.
    converter.register_structure_hook(OpenEnum, read_enum)
    converter.register_structure_hook_factory(_is_optional, _optional_hook)
    converter.register_structure_hook_factory(_is_generic(list), _list_hook)
    converter.register_structure_hook_factory(_is_generic(tuple), _tuple_hook)
    converter.register_structure_hook_factory(is_mapping, _mapping_hook)
    converter.register_structure_hook_factory(attrs.has, ModelHook)
    for kind, factory in factories.items():
        converter.register_structure_hook_factory(_is_exactly(kind), factory)
    return converter


def _is_exactly(kind: Any) -> Callable[[Any], bool]:
    return lambda other: other == kind  # Two `Annotated` types can be equal without being the same object.


def _is_generic(origin: type) -> Callable[[Any], bool]:
    return lambda kind: get_origin(kind) is origin


def read_enum(value: Any, kind: type[OpenEnum]) -> OpenEnum:
    """Decode a string as a member of an open enum."""
    if type(value) is not str:
        raise InvalidValueError(value, "a string")
    return cast("OpenEnum", kind._value2member_map_.get(value)) or kind(value)


def _is_optional(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType) and type(None) in get_args(kind) and len(get_args(kind)) == 2


@attrs.frozen
class OptionalHook:
    """Decodes null, or a value."""

    kind: Any
    inner: HookFunction
    is_text: bool

    def __call__(self, value: Any, _: Any) -> Any:
        """Decode a value or null."""
        # An empty string means null, unless the value may be a string: `"playback": ""`.
        return None if value is None or (value == "" and not self.is_text) else self.inner(value, self.kind)


def _optional_hook(kind: Any, converter: Converter) -> HookFunction:
    (inner,) = (part for part in get_args(kind) if part is not type(None))
    return OptionalHook(inner, converter.get_structure_hook(inner), is_text=inner is str or inner == StrOrInt)


MAX_PROBLEMS = 100
"""The maximum number of wrong items of a list or an object that an error names.

To find more, all with a traceback, may take seconds.
"""


def _each(items: Iterable[tuple[Any, Any]], hook: HookFunction, item: Any, kind: Any) -> list[Any]:
    """Decode the items of a list or an object, which come with their indexes or keys."""
    decoded: list[Any] = []
    errors: list[Exception] = []
    for index, value in items:
        try:
            decoded.append(hook(value, item))
        except Exception as error:  # noqa: BLE001 - they are raised together
            error.add_note(IterableValidationNote(f"item {index!r}", index, item))
            errors.append(error)
            if len(errors) == MAX_PROBLEMS:
                break
    if errors:
        raise cast("Any", IterableValidationError)(f"While structuring {kind}", errors, kind)
    return decoded


def _list_hook(kind: Any, converter: Converter) -> HookFunction:
    (item,) = get_args(kind)
    hook = converter.get_structure_hook(item)

    def read(value: Any, _: Any) -> Any:
        # cattrs accepts any iterable: the letters of a string, the keys of an object.
        if type(value) is not list:
            raise InvalidValueError(value, "a list")
        return _each(enumerate(cast("list[Any]", value)), hook, item, kind)

    return read


def _tuple_hook(kind: Any, converter: Converter) -> HookFunction:
    hook = _list_hook(GenericAlias(list, get_args(kind)[:1]), converter)
    # A null field is an empty tuple. A payload is declared as a list, which is never null.
    return lambda value, _: () if value is None else tuple(hook(value, kind))


def _mapping_hook(kind: Any, converter: Converter) -> HookFunction:
    (_, item) = get_args(kind)
    hook = converter.get_structure_hook(item)

    def read(value: Any, _: Any) -> Any:
        if type(value) is not dict:
            # The service writes an empty object of free names in several ways. A whole list must not fail over them.
            if value is None or (item is Any and value in ("", [])):
                return {}
            raise InvalidValueError(value, "an object")
        given = cast("dict[str, Any]", value)
        return given if item is Any else dict(zip(given, _each(given.items(), hook, item, kind), strict=True))

    return read


class ModelHook:
    """Decodes an object into a model, field by field; unknown fields go to the model's `extra`.

    Args:
        kind: The model.
        converter: Has the hooks of the fields.
        aliases: The other wire name of a field, by its first one.
        otherwise: Decodes a value that is not an object; None to refuse it.
    """

    def __init__(
        self,
        kind: Any,
        converter: Converter,
        *,
        aliases: Mapping[str, str] | None = None,
        otherwise: Callable[[Any], Any] | None = None,
    ) -> None:
        self.kind = kind
        self.aliases: Mapping[str, str] = aliases or {}
        self._otherwise = otherwise
        self._converter = converter

    def __call__(self, value: Any, _: Any) -> Any:
        """Decode a value."""
        if type(value) is not dict:
            if self._otherwise is None:
                raise InvalidValueError(value, "an object")
            return self._otherwise(value)
        given, hook = cast("dict[str, Any]", value), self._hook
        for name, alias in self.aliases.items():
            # If both names are there, the second one is an unknown field.
            if alias in given and name not in given:
                given = {name if key == alias else key: part for key, part in given.items()}
                hook = with_wire_names({name: alias}, hook)
        if not given.keys() <= self._known:
            given = {**given, EXTRA: {name: part for name, part in given.items() if name not in self._known}}
        return hook(given, self.kind)

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(wire_names(self.kind).values()) - {EXTRA}

    @cached_property
    def _hook(self) -> HookFunction:
        keys = wire_names(self.kind)
        renamed: dict[str, Any] = {name: override(rename=key) for name, key in keys.items() if name != key}
        return with_wire_names(keys, make_dict_structure_fn(self.kind, self._converter, **renamed))


def wire_names(kind: Any) -> dict[str, str]:
    """Return the wire name of each field of a model."""
    return {field.name: str(field.metadata.get(WIRE_NAME, field.name)) for field in attrs.fields(kind)}


def with_wire_names(names: Mapping[str, str], hook: HookFunction) -> HookFunction:
    """Return a hook whose errors contain the wire names of fields.

    Args:
        names: The wire name, or the path to it, for a name in the errors of `hook`.
        hook: Decodes a model.
    """

    def read(value: Any, kind: Any) -> Any:
        try:
            return hook(value, kind)
        except ClassValidationError as error:
            for part in error.exceptions:
                for note in cast("list[object]", getattr(part, "__notes__", [])):
                    if isinstance(note, AttributeValidationNote):
                        note.name = names.get(note.name, note.name)
            raise

    return read
