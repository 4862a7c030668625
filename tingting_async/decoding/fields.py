"""What models are declared with. Imports only attrs, so that importing the models is cheap."""

import enum
from collections.abc import Callable, Mapping
from typing import Annotated, Any, cast, get_args, get_origin

import attrs

from tingting_async.redaction import repr_text

WIRE_NAME = "tingting_async.wire_name"
"""The key of a field's wire name in its metadata, if that differs from its own name."""

EXTRA = "*extra*"
"""The wire name of the field that keeps unknown fields; no field of the service has this name."""


class OpenEnum(enum.StrEnum):
    """An enum that accepts unknown values: they are kept, and compare as strings."""

    @classmethod
    def _missing_(cls, value: object) -> "OpenEnum | None":
        if not isinstance(value, str):
            return None
        # Not stored among the members: values of the service must not make the class grow.
        member = str.__new__(cls, value)
        member._name_ = value
        member._value_ = value
        return member


StrOrInt = Annotated[str, "or an integer"]
"""A string that the service may send as an integer, such as a phone number."""


def wire_field(name: str, **options: Any) -> Any:
    """Declare a field whose wire name differs from its own."""
    return attrs.field(metadata={WIRE_NAME: name}, **options)


def extra_fields() -> Any:
    """Declare the field that keeps the fields that the model does not have."""
    return attrs.field(factory=dict[str, Any], metadata={WIRE_NAME: EXTRA}, repr=False, kw_only=True)


class Model:
    """The base of all models: its repr masks phone numbers and tokens in texts.

    Every text of the service may contain a phone number: the name of a campaign, a message, an unknown status. One repr
    for all models, as attrs would compile one for each, which costs more than all else about a model.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        fields = attrs.fields(cast("Any", type(self)))
        shown = [f"{field.name}={_formatter(field)(getattr(self, field.name))}" for field in fields if field.repr]
        return f"{type(self).__qualname__}({', '.join(shown)})"


def as_model(_: type, fields: list["attrs.Attribute[Any]"]) -> list["attrs.Attribute[Any]"]:
    """Adapt the fields of a model: its hash omits mappings."""
    return [field if _is_hashable(field.type) else field.evolve(hash=False) for field in fields]


def _formatter(field: "attrs.Attribute[Any]") -> Callable[[Any], str]:
    """Return the function that formats the values of a field."""
    if callable(field.repr):
        return field.repr
    return repr_text if _may_be_text(field.type) else repr


def _may_be_text(kind: Any) -> bool:
    """Return whether a value of a type may be a string, or contain one outside of another model."""
    return kind is Any or (isinstance(kind, type) and issubclass(kind, str)) or any(map(_may_be_text, get_args(kind)))


def _is_hashable(kind: Any) -> bool:
    """Return whether all values of a type can be hashed."""
    if type(kind) is type:  # Not true of `dict[str, int]`.
        return True
    origin = get_origin(kind)
    if kind is Any or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return False
    return origin is Annotated or all(map(_is_hashable, get_args(kind)))
