"""What models are declared with. Imports nothing of ours, and nothing that a model does not need."""

import enum
from typing import Annotated, Any

import attrs

WIRE_NAME = "tingting_async.wire_name"
"""Of a field's metadata: its name on the wire, where that is another."""

EXTRA = "*extra*"
"""Stands there for the field that keeps what no other takes; not a name that a field of the service has."""


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


StrOrInt = Annotated[str, _Loose()]
"""A text that also travels as an integer, such as a phone number."""


def wire_field(name: str, **options: Any) -> Any:
    """Declare a field that has another name on the wire."""
    return attrs.field(metadata={WIRE_NAME: name}, **options)


def extra_fields() -> Any:
    """Declare the field that keeps what the service sent and the model does not know."""
    return attrs.field(factory=dict[str, Any], metadata={WIRE_NAME: EXTRA}, repr=False, kw_only=True)
