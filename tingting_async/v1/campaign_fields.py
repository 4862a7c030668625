"""The fields of a campaign: their types, and how the service expects them."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, TypedDict, cast

from tingting_async.client.options import require_bool
from tingting_async.errors import UsageError
from tingting_async.quantities import is_number, shown
from tingting_async.recipients.texts import is_blank
from tingting_async.resources import arguments
from tingting_async.resources.models import CallStatus, Services
from tingting_async.v1.models.accounts import Voice
from tingting_async.v1.models.campaigns import Category


class MessageFields(TypedDict, total=False):
    """The optional arguments of `Campaigns.set_message`; `Campaigns.create` describes them."""

    message: str | None
    sms_message: str | None
    length_factor: Decimal | float | None
    draft: bool | None


class OptionalFields(MessageFields, total=False):
    """The optional arguments of `Campaigns.create`, which describes them."""

    lines: Iterable[int] | None
    description: str | None
    voice: Voice | int | None
    category: Category | str | None
    schedule: datetime | None
    failover: Iterable[CallStatus | str] | None
    credit_limit: int | None


class CampaignFields(OptionalFields, total=False):
    """The arguments of `Campaigns.update`; `Campaigns.create` describes them."""

    name: str | None
    services: Services | str | None


def encode_new_campaign(given: Mapping[str, Any], *, may_be_past: bool = False) -> dict[str, Any]:
    """Return the fields of a new campaign as the service expects them, without those that are None.

    Args:
        given: The fields.
        may_be_past: Whether `schedule` may have passed, because the campaign may have been created by now.

    Raises:
        UsageError: A field is not valid.
    """
    fields = arguments.given_fields(**given)
    if not may_be_past or "schedule" not in fields:
        return _encode(fields)
    when = arguments.aware_datetime(fields.pop("schedule"), "schedule")
    return {**_encode(fields), "schedule": when.isoformat()}


def encode_changes(operation: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields to change in a campaign as the service expects them; None clears a field.

    Raises:
        UsageError: There are none, or a field is not valid.
    """
    if not given:
        raise UsageError(f"{operation}: give at least one field to change.")
    cleared = [name for name, value in given.items() if value is None]
    if kept := [f"`{name}`" for name in cleared if name not in _CLEARED]:
        raise UsageError(
            f"{operation}: {' and '.join(kept)} cannot be cleared. To leave a field as it is, do not give it; give at "
            "least one field to change."
        )
    blank = {_WIRE_NAMES.get(name, name): _CLEARED[name] for name in cleared}
    return {**blank, **_encode(arguments.given_fields(**given))}


def _encode(given: Mapping[str, Any]) -> dict[str, Any]:
    fields = {_WIRE_NAMES.get(name, name): _ENCODERS[name](value) for name, value in given.items()}
    refuse_other_text(fields.get("services"), fields.get("message"), fields.get("sms_message"))
    return fields


def voice_id(voice: Voice | int) -> int:
    """Return the id of a voice."""
    return arguments.identifier(voice.id if isinstance(voice, Voice) else voice, "voice")


def voice_object(voice: Voice) -> dict[str, Any]:
    """Return a voice as the service shows it in its list of voices."""
    fields = arguments.given_fields(
        id=voice.id,
        voice_display_name=voice.name,
        voice_internal_name=voice.internal_name,
        is_premium=voice.is_premium,
        is_beta=voice.is_beta,
    )
    return {**fields, **voice.extra}


def encode_length_factor(value: Decimal | float) -> str:
    """Return how much slower than normal a voice speaks, as the service expects it.

    Raises:
        UsageError: The value is not a number above 0.
    """
    is_finite = value.is_finite() if isinstance(value, Decimal) else is_number(value)
    if not is_finite or value <= 0:
        raise UsageError(f"`length_factor` is {shown(value)}; it must be a number above 0.")
    return str(value)


def refuse_other_text(services: str | None, message: str | None, sms_message: str | None) -> None:
    """Refuse a text that a campaign does not use, if the text that it does use is not given.

    Raises:
        UsageError: The campaign would reach nobody with the text that is given.
    """
    if services == Services.SMS and message is not None and sms_message is None:
        raise UsageError("A campaign with services `SMS` sends `sms_message`, not `message`: give `sms_message`.")
    if services == Services.PHONE and sms_message is not None and message is None:
        raise UsageError("A campaign with services `PHONE` reads out `message`, not `sms_message`: give `message`.")


def _lines(ids: Any) -> list[int]:
    is_none = isinstance(ids, tuple | list) and not ids
    return [] if is_none else arguments.identifiers(cast("Iterable[int]", ids), "lines")


def _failover(statuses: Any) -> list[str]:
    given = [statuses] if isinstance(statuses, str) else statuses
    arguments.require_list(given, "failover", "statuses")
    return [arguments.enum_member(CallStatus, status, "failover").value for status in given]


def _message(value: Any, name: str) -> str:
    """Return a text that reaches people: a blank one would reach all of them as an empty message."""
    if isinstance(value, str) and is_blank(value):
        raise UsageError(
            f"`{name}` is empty: people would be reached with an empty message. Give a text that is not blank. To "
            "clear the text of a campaign, give `campaigns.update` None."
        )
    return arguments.non_empty_text(value, name)


def _draft(value: Any) -> bool:
    require_bool(value, "draft")
    return bool(value)


def _credit_limit(value: Any) -> Any:
    if not is_number(value) or value < 0:
        raise UsageError(f"`credit_limit` is {shown(value)}; it must be a number of credits from 0 up.")
    return value


_WIRE_NAMES = {"lines": "user_phone", "failover": "failover_target"}
"""The service's names for fields, if they differ from ours."""

ARGUMENT_NAMES: Mapping[str, str] = {wire: name for name, wire in _WIRE_NAMES.items()}
"""Our names for fields by the service's, if they differ."""

_CLEARED: Mapping[str, Any] = {
    **dict.fromkeys(("description", "message", "sms_message", "category"), ""),
    **dict.fromkeys(("lines", "failover"), ()),
    **dict.fromkeys(("schedule", "voice", "credit_limit"), None),
}
"""How the service shows fields that are not set (sample v1_campaigns.json). The other fields are always set."""

_ENCODERS: Mapping[str, Callable[[Any], Any]] = {
    "name": lambda value: arguments.non_empty_text(value, "name"),
    "description": lambda value: arguments.text(value, "description"),
    "message": lambda value: _message(value, "message"),
    "sms_message": lambda value: _message(value, "sms_message"),
    "draft": _draft,
    "services": lambda value: arguments.enum_member(Services, value, "services").value,
    "category": lambda value: arguments.enum_member(Category, value, "category").value,
    "lines": _lines,
    "voice": voice_id,
    "schedule": lambda value: arguments.future(value, "schedule").isoformat(),
    "failover": _failover,
    "length_factor": encode_length_factor,
    "credit_limit": _credit_limit,
}
"""How each field is checked and encoded."""
