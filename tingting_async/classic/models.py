"""Models of the classic API. `wire_field` names the service's spelling of a field if it differs from ours."""

import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs

from tingting_async.decoding.fields import Model, OpenEnum, StrOrInt, as_model, extra_fields, wire_field
from tingting_async.redaction import hide_repr, mask_repr
from tingting_async.resources.models import CallStatus as NumberStatus, OtpChannel, OtpSource, Services

Outcome = NumberStatus
"""The results for which numbers can be called again: `HUNG_UP`, `UNANSWERED`, `FAILED`, `TERMINATED`, `COMPLETED`."""


class Voice(OpenEnum):
    """The voices that read a message aloud.

    Attributes:
        RIJA: The service's default.
        PRASANNA: Another voice.
        BINOD: Another voice.
    """

    RIJA = "np_rija"
    PRASANNA = "np_prasanna"
    BINOD = "np_binod"


class Priority(OpenEnum):
    """What a campaign plays if it has both a message and an audio file.

    Attributes:
        MESSAGE: The message, read aloud.
        AUDIO: The audio file.
    """

    MESSAGE = "message"
    AUDIO = "audio"


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class User(Model):
    """The user who is signed in (classic documents, Accounts, user details).

    Attributes:
        first_name: The first name.
        last_name: The last name.
        email: The e-mail address.
        username: The user name. A login does not return it, nor any of the fields below.
        is_verified_email: Whether the e-mail address is verified.
        contact_number: The user's own phone number.
        is_verified_phone: Whether the phone number is verified.
        address: The postal address.
        extra: Fields that this class does not name.
    """

    first_name: str
    last_name: str
    email: str
    username: str | None = None
    is_verified_email: bool | None = None
    contact_number: StrOrInt | None = attrs.field(default=None, repr=mask_repr)
    is_verified_phone: bool | None = None
    address: str | None = None
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class Campaign(Model):
    """A campaign (classic documents, Campaigns).

    Attributes:
        id: The campaign's id.
        name: The name.
        services: How it reaches its numbers.
        user_phone: The lines it calls from. The documents print only empty lists.
        description: The description.
        usable_tags: The placeholders that a message may contain as `{tags_name}`; None in the responses to `create()`
            and `update()`, which do not list them.
        extra: Fields that this class does not name.
    """

    id: int
    name: str
    services: Services
    user_phone: tuple[Any, ...] = attrs.field(default=(), repr=False)
    description: str | None = None
    usable_tags: tuple[str, ...] | None = None
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class Number(Model):
    """A number of a campaign, and the result of calling it (classic documents, Numbers).

    Attributes:
        id: The number's id, which is not the phone number.
        number: The phone number.
        campaign: The campaign's name.
        available_tags: The values of the message's placeholders, by tag.
        status: What became of calling it; None if the response has no status, which does not mean that it was not
            called.
        duration: The length of the call; None before the call.
        playback: How much of the message was heard, in percent; None before the call.
        credit_consumed: The cost, in credits.
        extra: Fields that this class does not name.
    """

    id: int
    number: StrOrInt = attrs.field(repr=mask_repr)
    campaign: str | None = wire_field("campaing", default=None)
    available_tags: Mapping[str, Any] = attrs.field(factory=dict[str, Any], repr=False)
    status: NumberStatus | None = None
    duration: timedelta | None = None
    playback: Decimal | None = None
    credit_consumed: Decimal | None = None
    extra: Mapping[str, Any] = extra_fields()


def _was_reached(result: "CampaignResult") -> bool:
    status: NumberStatus | None = getattr(result.number, "status", None)
    return status is not None and status.was_reached


@attrs.frozen(repr=False, field_transformer=as_model)
class CampaignResult(Model):
    """What became of a number of a campaign.

    Attributes:
        campaign: The campaign.
        number: The number, with its status.
        was_reached: Whether the status says that the person was reached; false without a status.
    """

    campaign: Campaign
    number: Number
    was_reached: bool = attrs.field(init=False, default=attrs.Factory(_was_reached, takes_self=True))


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class PhoneNumber(Model):
    """A line, owned or for sale (classic documents, Phone numbers).

    Attributes:
        phone_number: The line's phone number.
        sid: The id with which the line is bought and released.
        rate: The price, in credits.
        available_capabilities: The capabilities in the service's spelling, such as "Voice, SMS".
        friendly_name: The name that the account gave the line; the documents print only empty ones.
        accept_incoming: Not described; the documents print only null.
        configure_with: Not described; the documents print only an empty string.
        call_comes_in: Not described; the documents print only null.
        call_url: Not described; the documents print only null.
        http_request: Not described; the documents print only null.
        extra: Fields that this class does not name.
    """

    phone_number: StrOrInt = attrs.field(repr=mask_repr)
    sid: str = wire_field("phone_number_sid")
    rate: Decimal | None = None
    available_capabilities: str | None = None
    friendly_name: str | None = None
    accept_incoming: Any = None
    configure_with: Any = None
    call_comes_in: Any = None
    call_url: Any = None
    http_request: Any = None
    extra: Mapping[str, Any] = extra_fields()

    @property
    def capabilities(self) -> tuple[str, ...]:
        """The capabilities one by one, such as `("Voice", "SMS")`."""
        return tuple(part.strip() for part in (self.available_capabilities or "").split(",") if part.strip())


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class Otp(Model):
    """A one-time password that was sent (classic documents, OTP). Its `repr` shows neither the code nor the message.

    Attributes:
        number: The recipient's phone number.
        otp: The code.
        message: The message.
        channel: How it was delivered.
        source: Who chose the code.
        extra: Fields that this class does not name.
    """

    number: StrOrInt = attrs.field(repr=mask_repr)
    otp: StrOrInt | None = attrs.field(default=None, repr=hide_repr)
    message: str | None = attrs.field(default=None, repr=False)
    channel: OtpChannel | None = wire_field("sms_send_options", default=None)
    source: OtpSource | None = wire_field("otp_options", default=None)
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class Confirmation(Model):
    """The service's confirmation of an operation: the envelope of its response (classic documents, introduction).

    Attributes:
        status: The status in the envelope, which usually equals the HTTP status; 204 if the response had no body.
        success: Whether the service reports success.
        message: The service's message; it may contain a phone number.
        errors: What the service reports as wrong; the documents do not describe the items.
        data: The payload as received, such as `{"camaign": "Campaign Deleted Succesfully"}`.
        extra: Fields that this class does not name.
    """

    status: int | None = None
    success: bool | None = None
    message: str | None = attrs.field(default=None, repr=False)
    errors: tuple[Any, ...] = attrs.field(default=(), repr=False)
    data: Mapping[str, Any] = attrs.field(factory=dict[str, Any], repr=False)
    extra: Mapping[str, Any] = extra_fields()

    @property
    def is_confirmed(self) -> bool:
        """Whether the response says that the operation was done."""
        if self.success is None:
            return 200 <= (self.status or 0) < 300 and not self.errors
        return self.success

    @property
    def text(self) -> str:
        """The service's message, or the first string in `data` if there is none."""
        return self.message or next((value for value in self.data.values() if isinstance(value, str)), "")


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class RunStarted(Confirmation):
    """The confirmation that a campaign was run (classic documents, Campaigns, begin).

    Attributes:
        status, success, message, errors, data, extra: As in `Confirmation`.
    """

    @property
    def hold_amount(self) -> str | None:
        """The credits on hold until the campaign ends, in the service's words, such as "3 credits on hold for …"."""
        amount = self.data.get("hold amount")
        return amount if isinstance(amount, str) else None

    @property
    def credits_on_hold(self) -> int | None:
        """The number of credits in `hold_amount`; None if it has no number."""
        match = re.match(r"\s*(\d{1,18})\s+credit", self.hold_amount or "")
        return int(match[1]) if match else None


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class NumberAdded(Confirmation):
    """The confirmation that a number was added (classic documents, Numbers, add; they do not print the response).

    Attributes:
        status, success, message, errors, data, extra: As in `Confirmation`.
        number: The new number, if the response contains it.
    """

    number: Number | None = None

    @property
    def is_confirmed(self) -> bool:
        """Whether the response says that the number was added."""
        return self.number is not None or super().is_confirmed


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class TokenPair(Model):
    """The JWTs of a login. Its `repr` shows neither.

    Attributes:
        access: The access token.
        refresh: The refresh token; None if the service did not replace it.
        extra: Fields that this class does not name.
    """

    access: str = attrs.field(repr=hide_repr)
    refresh: str | None = attrs.field(default=None, repr=hide_repr)
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class Login(Model):
    """A login (classic documents, Accounts, login).

    Attributes:
        token: The new tokens.
        user: The user, with name and e-mail address only.
        extra: Fields that this class does not name.
    """

    token: TokenPair
    user: User = wire_field("user_data")
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class Pagination(Model):
    """The position of a page in its list (classic documents, Campaigns).

    Attributes:
        page_number: The number of the page, from 1.
        has_next: Whether another page follows.
        total_items: The number of items in the list.
        total_pages: The number of pages in the list.
        has_previous: Whether a page precedes this one.
        links: The links to other pages; the documents print only an empty list.
        extra: Fields that this class does not name.
    """

    page_number: int
    has_next: bool
    total_items: int | None = None
    total_pages: int | None = None
    has_previous: bool | None = None
    links: Any = None
    extra: Mapping[str, Any] = extra_fields()
