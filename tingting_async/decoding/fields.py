"""What models are declared with. Imports only attrs, so that importing the models is cheap."""

import enum
from collections.abc import Mapping
from typing import Annotated, Any, get_args, get_origin

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


def as_model(_: type, fields: list["attrs.Attribute[Any]"]) -> list["attrs.Attribute[Any]"]:
    """Adapt the fields of a model: its repr masks phone numbers and tokens in texts, and its hash omits mappings.

    Every text of the service may contain a phone number: the name of a campaign, a message, an unknown status.
    """
    adapted: list[attrs.Attribute[Any]] = []
    for field in fields:
        changes: dict[str, Any] = {}
        if field.repr is True and _may_be_text(field.type):
            changes["repr"] = repr_text
        if not _is_hashable(field.type):
            changes["hash"] = False
        adapted.append(field.evolve(**changes) if changes else field)
    return adapted


def _may_be_text(kind: Any) -> bool:
    """Return whether a value of a type may be a string, or contain one outside of another model."""
    return kind is Any or (isinstance(kind, type) and issubclass(kind, str)) or any(map(_may_be_text, get_args(kind)))


def _is_hashable(kind: Any) -> bool:
    """Return whether all values of a type can be hashed."""
    origin = get_origin(kind)
    if kind is Any or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return False
    return origin is Annotated or all(map(_is_hashable, get_args(kind)))
