"""What models are declared with. Imports only attrs, so that importing the models is cheap."""

import enum
from typing import Annotated, Any

import attrs

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
