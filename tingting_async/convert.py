"""JSON values to models, strictly: nothing is guessed, nothing is dropped, and an error names its path.

cattrs as it comes reads `None` as `"None"` and `"no"` as `True`; the hooks here refuse both. A good payload takes the
fast pass; only one that failed is read again with detailed validation, to say where it is wrong.
"""

import enum
import functools
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from types import GenericAlias, UnionType
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin

import attrs
from cattrs import Converter
from cattrs.cols import is_mapping, list_structure_factory
from cattrs.cols import mapping_structure_factory as _mapping_factory  # pyright: ignore[reportUnknownVariableType]
from cattrs.gen import make_dict_structure_fn, override

from tingting_async import envelopes
from tingting_async.compiled import Part, compile_model, is_plain
from tingting_async.errors import DecodeError
from tingting_async.problems import Hook, problems, told_by
from tingting_async.scalars import (
    Unread,
    read_bool,
    read_datetime,
    read_decimal,
    read_duration,
    read_float,
    read_int,
    read_number_text,
    read_str,
)
from tingting_async.wire import Effect, PayloadPath, Request, Response, decode, excerpt, spell

T = TypeVar("T")

_WIRE = "tingting_async.wire_name"
_EXTRA = "*extra*"  # Not a name that a field of the service has.


class OpenEnum(enum.StrEnum):
    """An enum that takes unknown values as they are: they are kept, and compare by their text."""

    @classmethod
    def _missing_(cls, value: object) -> "OpenEnum | None":
        if not isinstance(value, str):
            return None
        # Not remembered among the members: values of the service must not grow the class.
        member = str.__new__(cls, value)
        member._name_ = value
        member._value_ = value
        return member


class _Loose:
    pass


NumberText = Annotated[str, _Loose()]
"""A text that also travels as an integer, such as a phone number."""


def wire(name: str, **options: Any) -> Any:
    """Declare a field that has another name on the wire."""
    return attrs.field(metadata={_WIRE: name}, **options)


def extra() -> Any:
    """Declare the field that keeps what the service sent and the model does not know."""
    return attrs.field(factory=dict[str, Any], metadata={_WIRE: _EXTRA}, repr=False, kw_only=True)


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


def make_converter(*, detailed: bool, factories: Mapping[Any, HookFactory]) -> Converter:
    """Return a converter with the strict hooks; `factories` make a generation's own, by type."""
    converter = Converter(detailed_validation=detailed)
    for kind, hook in _HOOKS.items():
        converter.register_structure_hook(kind, hook)
    converter.register_structure_hook_func(_is_exactly(NumberText), read_number_text)
    # By class and not by predicate: a text's hook would be asked first, as these enums are texts.
    converter.register_structure_hook(OpenEnum, _read_enum)
    converter.register_structure_hook_factory(_is_optional, _optional_hook)
    converter.register_structure_hook_factory(_is_list, _list_hook)
    converter.register_structure_hook_factory(_is_tuple, _tuple_hook)
    converter.register_structure_hook_factory(is_mapping, _mapping_hook)
    converter.register_structure_hook_factory(attrs.has, model_hook)
    for kind, factory in factories.items():
        converter.register_structure_hook_factory(_is_exactly(kind), factory)
    return converter


class Reader:
    """Reads payloads into models: the fast pass, and on failure the detailed one."""

    def __init__(self, factories: Mapping[Any, HookFactory] | None = None) -> None:
        self._factories = factories or {}

    @functools.cached_property
    def _fast(self) -> Converter:
        return make_converter(detailed=False, factories=self._factories)

    @functools.cached_property
    def _detailed(self) -> Converter:
        return make_converter(detailed=True, factories=self._factories)

    def read(self, request: Request[Any], response: Response, payload: Any, model: type[T], path: PayloadPath) -> T:
        """Read what was found at `path` of an answer into a model.

        Raises:
            DecodeError: It does not fit; `path` and `problems` say where.
        """
        try:
            return self._fast.structure(payload, model)
        except Exception:  # noqa: BLE001 - whatever it was, the detailed pass says it better
            return self._explain(request, response, payload, model, spell(path))

    def _explain(self, request: Request[Any], response: Response, payload: Any, model: type[T], root: str) -> T:
        try:
            return self._detailed.structure(payload, model)
        except Exception as error:  # noqa: BLE001 - a payload of the service must not raise anything but ours
            found = problems(error, root)
        shown = excerpt(request, response)
        raise DecodeError(
            f"{request.operation}: the answer to {request.method} {request.path} does not fit its model: "
            f"{'; '.join(f'`{where}`: {what}' for where, what in found[:3])}"
            f"{f' and {len(found) - 3} more' if len(found) > 3 else ''}. It began with {shown!r}",
            path=found[0][0],
            problems=tuple(found),
            excerpt=shown,
            status=response.status,
            operation=request.operation,
        )


def read_payload(reader: Reader, request: Request[T], response: Response) -> T:
    """Read an answer that holds one thing.

    Raises:
        DecodeError: It does not fit, or says of something to be done neither that it was done nor that it was not.
    """
    result = reader.read(request, response, decode(request, response), request.model, request.payload)
    if request.effect in _TO_BE_CONFIRMED and response.body and not _is_confirmed(response, result):
        shown = excerpt(request, response)
        raise DecodeError(
            f"{request.operation}: the answer to {request.method} {request.path} does not say that it was done: "
            f"{shown!r}",
            excerpt=shown,
            status=response.status,
            operation=request.operation,
        )
    return result


def _is_confirmed(response: Response, result: object) -> bool:
    try:
        body = response.json()
    except ValueError:
        body = None  # A text, where the documents do not print the answer.
    return getattr(result, "is_confirmed", True) and not envelopes.raises_doubt(body)


_TO_BE_CONFIRMED = frozenset({Effect.ADDS, Effect.RINGS, Effect.REVOKES})


def _is_exactly(kind: Any) -> Callable[[Any], bool]:
    return lambda asked: asked == kind  # An `Annotated` type is equal to itself, and not the same object.


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is list


def _is_tuple(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _read_enum(value: Any, kind: type[OpenEnum]) -> OpenEnum:
    if type(value) is not str:
        raise Unread(value, "a text")
    return cast("OpenEnum", kind._value2member_map_.get(value)) or kind(value)


def _is_optional(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType) and type(None) in get_args(kind) and len(get_args(kind)) == 2


@attrs.frozen
class _OptionalHook:
    kind: Any
    inner: Hook
    is_text: bool

    def __call__(self, value: Any, _: Any) -> Any:
        # Where a text cannot be a value, an empty one says that there is none: `"playback": ""`.
        return None if value is None or (value == "" and not self.is_text) else self.inner(value, self.kind)


def _optional_hook(kind: Any, converter: Converter) -> Hook:
    (inner,) = (part for part in get_args(kind) if part is not type(None))
    return _OptionalHook(inner, converter.get_structure_hook(inner), is_text=inner is str or inner == NumberText)


def _list_hook(kind: Any, converter: Converter) -> Hook:
    hook = list_structure_factory(kind, converter)
    plain = _PLAIN.get(get_args(kind)[0])

    def read(value: Any, _: Any) -> Any:
        # Any iterable would do for cattrs: a text by its letters, an object by its keys.
        if type(value) is not list:
            raise Unread(value, "a list")
        given = cast("list[Any]", value)
        return given[:] if plain is not None and {*map(type, given)} <= plain else hook(given, kind)

    return read


_PLAIN: dict[Any, set[type]] = {int: {int}, str: {str}, bool: {bool}, NumberText: {str}}
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
            raise Unread(value, "an object")
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
    keys = {field.name: str(field.metadata.get(_WIRE, field.name)) for field in attrs.fields(kind)} | dict(names or {})
    make = _detailed_model_hook if converter.detailed_validation or not is_plain(kind) else _fast_model_hook
    return make(kind, converter, keys)


def _detailed_model_hook(kind: Any, converter: Converter, keys: dict[str, str]) -> Hook:
    renamed: dict[str, Any] = {name: override(rename=key) for name, key in keys.items() if name != key}
    hook = told_by(keys, make_dict_structure_fn(kind, converter, **renamed))
    known = frozenset(keys.values()) - {_EXTRA}

    def read(value: Any, _: Any) -> Any:
        if type(value) is not dict:
            raise Unread(value, "an object")
        given = cast("dict[str, Any]", value)
        if not given.keys() <= known:
            given = {**given, _EXTRA: {name: part for name, part in given.items() if name not in known}}
        return hook(given, kind)

    return read


def _fast_model_hook(kind: Any, converter: Converter, keys: dict[str, str]) -> Hook:
    extra_field = next((name for name, key in keys.items() if key == _EXTRA), None)
    parts = [_part(field, keys[field.name], converter) for field in attrs.fields(kind) if field.name != extra_field]
    return compile_model(kind, parts, extra=extra_field, refuse=lambda value: Unread(value, "an object"))


_AS_IT_IS: dict[Hook, str] = {
    read_int: "type(value) is int",
    read_float: "type(value) is float",
    read_str: "type(value) is str",
    read_number_text: "type(value) is str",
    read_bool: "type(value) is bool",
}
"""What the common values of a hook are known by, of those that it returns as they came."""


def _part(field: "attrs.Attribute[Any]", key: str, converter: Converter) -> Part:
    kind, shortcuts = field.type, ""
    if kind is None or kind is Any:
        return Part(field.name, key, kind, _as_it_is, field.default, check="True")
    hook: Hook = converter.get_structure_hook(kind)
    if isinstance(hook, _OptionalHook):
        shortcuts = "None if value is None else " if hook.is_text else "None if value is None or value == '' else "
        kind, hook = hook.kind, hook.inner
    if _is_tuple(kind):
        shortcuts += "() if value == [] else "
    table = cast("type[OpenEnum]", kind)._value2member_map_ if hook is _read_enum else None
    check = _AS_IT_IS.get(hook, "")
    return Part(field.name, key, kind, hook, field.default, check=check, table=table, shortcuts=shortcuts)


def _as_it_is(value: Any, _: Any) -> Any:
    return value
