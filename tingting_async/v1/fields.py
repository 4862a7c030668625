"""A campaign's fields, as the service wants them."""

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, cast

from tingting_async import inputs
from tingting_async.errors import UsageError
from tingting_async.v1.models import Category, ContactStatus, Services, Voice


def voice_id(voice: Voice | int) -> int:
    """Return the id that a voice goes by."""
    return inputs.identifier(voice.id if isinstance(voice, Voice) else voice, "voice")


def campaign_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a campaign's fields as the service wants them; what is None is left out.

    Raises:
        UsageError: One of them cannot be sent.
    """
    fields = {name: value for name, value in given.items() if value is not None}
    if "name" in fields:
        inputs.text(fields["name"], "name")
    for name, kind in (("services", Services), ("category", Category)):
        if name in fields:
            fields[name] = inputs.member(kind, fields[name], name).value
    if "user_phone" in fields:
        lines = fields["user_phone"]
        fields["user_phone"] = inputs.identifiers(lines, "lines") if lines not in ((), []) else []
    if "voice" in fields:
        fields["voice"] = voice_id(fields["voice"])
    if "schedule" in fields:
        fields["schedule"] = inputs.future(fields["schedule"], "schedule").isoformat()
    if "failover_target" in fields:
        outcomes = fields["failover_target"]
        if not isinstance(outcomes, Iterable):
            raise UsageError(f"`failover` has to be a list of outcomes, not one {type(outcomes).__name__}.")
        listed = cast("Iterable[Any]", [outcomes] if isinstance(outcomes, str) else outcomes)
        fields["failover_target"] = [inputs.member(ContactStatus, outcome, "failover").value for outcome in listed]
    if "length_factor" in fields:
        fields["length_factor"] = length_factor(fields["length_factor"])
    return fields


def length_factor(value: Decimal | float) -> str:
    """Return how much slower than normal a voice speaks.

    Raises:
        UsageError: It is no number above 0.
    """
    if isinstance(value, bool) or not isinstance(value, Decimal | int | float) or not 0 < float(value) < math.inf:
        raise UsageError(f"`length_factor` is {value!r}; it has to be a number above 0.")
    return str(value)
