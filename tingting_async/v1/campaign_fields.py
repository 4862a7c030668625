"""A campaign's fields, as the service wants them."""

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, cast

from tingting_async.errors import UsageError
from tingting_async.resources import arguments
from tingting_async.resources.models import CallStatus as ContactStatus
from tingting_async.resources.models import Services
from tingting_async.v1.models.accounts import Voice
from tingting_async.v1.models.campaigns import Category


def voice_id(voice: Voice | int) -> int:
    """Return the id that a voice goes by."""
    return arguments.identifier(voice.id if isinstance(voice, Voice) else voice, "voice")


def campaign_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a campaign's fields as the service wants them; what is None is left out.

    Raises:
        UsageError: One of them cannot be sent.
    """
    fields = {name: value for name, value in given.items() if value is not None}
    if "name" in fields:
        arguments.non_empty_text(fields["name"], "name")
    for name, kind in (("services", Services), ("category", Category)):
        if name in fields:
            fields[name] = arguments.enum_member(kind, fields[name], name).value
    refuse_other_text(fields.get("services"), fields.get("message"), fields.get("sms_message"))
    if "user_phone" in fields:
        lines = fields["user_phone"]
        fields["user_phone"] = arguments.identifiers(lines, "lines") if lines not in ((), []) else []
    if "voice" in fields:
        fields["voice"] = voice_id(fields["voice"])
    if "schedule" in fields:
        fields["schedule"] = arguments.future(fields["schedule"], "schedule").isoformat()
    if "failover_target" in fields:
        outcomes = fields["failover_target"]
        if not isinstance(outcomes, Iterable):
            raise UsageError(f"`failover` has to be a list of outcomes, not one {type(outcomes).__name__}.")
        listed = cast("Iterable[Any]", [outcomes] if isinstance(outcomes, str) else outcomes)
        fields["failover_target"] = [
            arguments.enum_member(ContactStatus, outcome, "failover").value for outcome in listed
        ]
    if "length_factor" in fields:
        fields["length_factor"] = length_factor(fields["length_factor"])
    return fields


def refuse_other_text(services: str | None, message: str | None, sms_message: str | None) -> None:
    """Refuse a text that a campaign of this kind would reach nobody with, given in the place of the one it would.

    Raises:
        UsageError: It is that.
    """
    if services == Services.SMS and message is not None and sms_message is None:
        raise UsageError("A campaign of `SMS` texts its `sms_message`; `message` is what a call says: give the former.")
    if services == Services.PHONE and sms_message is not None and message is None:
        raise UsageError("A campaign of `PHONE` says its `message`; `sms_message` is what is texted: give the former.")


def length_factor(value: Decimal | float) -> str:
    """Return how much slower than normal a voice speaks.

    Raises:
        UsageError: It is no number above 0.
    """
    if isinstance(value, bool) or not isinstance(value, Decimal | int | float) or not 0 < float(value) < math.inf:
        raise UsageError(f"`length_factor` is {value!r}; it has to be a number above 0.")
    return str(value)
