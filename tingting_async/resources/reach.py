"""Whom a request reaches, for the guards: what both generations share."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from tingting_async.pagination.paginator import Paginator
from tingting_async.resources.base import TimeoutLike
from tingting_async.resources.models import OtpChannel, Services

if TYPE_CHECKING:
    from tingting_async.client.guards import Guards, Reach, Reaches

CALLS = frozenset({Services.PHONE, Services.SMS_AND_PHONE, Services.SURVEY})
TEXTS = frozenset({Services.SMS, Services.SMS_AND_PHONE})
UNKNOWN_SERVICES = "The campaign does not say whether it calls or texts."
_CODE_LENGTH = 6
"""The number of digits of a code that the service generates, if the request does not say it."""


def reaches_number(number: str) -> "Reaches":
    """Return the `Reaches` function of a request that stores a number, which a later send will reach."""
    return partial(_number, number)


async def _number(number: str, _: "Guards") -> "Reach":
    from tingting_async.client.guards import Reach  # noqa: PLC0415 - only with guards

    return Reach(numbers=(number,))


def starts_at(when: datetime | None) -> "Reaches | None":
    """Return the `Reaches` function of a request that sets when a later send begins; None if it does not set it."""
    return None if when is None else partial(_start, when)


async def _start(when: datetime, _: "Guards") -> "Reach":
    from tingting_async.client.guards import Reach  # noqa: PLC0415 - only with guards

    return Reach(recipients=None, numbers=(), starts_at=when)


def reaches_with_otp(fields: Mapping[str, Any]) -> "Reaches":
    """Return the `Reaches` function of a request that sends a one-time password with these fields."""
    return partial(_otp, fields)


def reaches_contact(
    listed: Callable[..., Paginator[Any]], id: int, campaign_id: int | None, timeout: TimeoutLike
) -> "Reaches":
    """Return the `Reaches` function of a request that calls one contact.

    Args:
        listed: Lists the contacts of a campaign.
        id: The contact's id.
        campaign_id: Its campaign; None if that is not known.
        timeout: The limits of each request.
    """
    return partial(_contact, listed, id, campaign_id, timeout)


async def _contact(
    listed: Callable[..., Paginator[Any]], id: int, campaign_id: int | None, timeout: TimeoutLike, guards: "Guards"
) -> "Reach":
    from tingting_async.client.guards import Reach  # noqa: PLC0415 - only with guards

    if guards.suppressed is None:
        return Reach(calls=1)
    if campaign_id is None:  # The service shows no contact by its id.
        return Reach(calls=1, unknown="Give the `campaign_id` of the contact, so that its number can be read.")
    async for contact in listed(campaign_id, timeout=timeout):
        if contact.id == id:
            return Reach(calls=1, numbers=(contact.number,))
    return Reach(calls=1, unknown=f"Campaign {campaign_id} has no contact {id}.")


async def _otp(fields: Mapping[str, Any], _: "Guards") -> "Reach":
    from tingting_async.client.guards import Reach  # noqa: PLC0415 - only with guards
    from tingting_async.recipients.texts import sms_parts  # noqa: PLC0415

    number = (fields["number"],)
    if fields["sms_send_options"] == OtpChannel.VOICE:
        return Reach(numbers=number, calls=1)
    code = fields.get("otp") or "0" * fields.get("otp_length", _CODE_LENGTH)
    return Reach(numbers=number, sms_parts=sms_parts(fields["message"].replace("{otp}", code)).count)


def parts_of(message: str, rows: Iterable[Mapping[str, Any]]) -> int:
    """Return the total number of parts of the SMS that a message becomes with these rows of values."""
    from tingting_async.recipients.texts import fill, sms_parts  # noqa: PLC0415 - only with guards

    return sum(sms_parts(fill(message, values)).count for values in rows) if message else 0
