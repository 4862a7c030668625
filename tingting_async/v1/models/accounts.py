"""Models of accounts, lines and voices."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs

from tingting_async.decoding.fields import Model, StrOrInt, as_model, extra_fields, wire_field
from tingting_async.redaction import hide_repr, mask_repr


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class User(Model):
    """The user who is signed in (v1 documents, Signing in, profile).

    Attributes:
        id: The user's id.
        first_name: The first name.
        last_name: The last name.
        username: The user name.
        email: The e-mail address.
        profile_picture: The URL of the picture.
        contact_number: The user's own phone number.
        address: The postal address.
        is_verified_phone: Whether the phone number is verified.
        extra: Fields that this class does not name.
    """

    id: int
    first_name: str | None = None
    last_name: str | None = None
    username: str | None = None
    email: str | None = None
    profile_picture: str | None = None
    contact_number: StrOrInt | None = wire_field("contact_no", default=None, repr=mask_repr)
    address: str | None = None
    is_verified_phone: bool | None = wire_field("is_verified_contact", default=None)
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class ApiToken(Model):
    """The account's API token (v1 documents, Signing in). Its `repr` does not show the token.

    Attributes:
        token: The token.
        last_used: When it was last used.
        created_at: When it was created.
        message: The service's message.
        extra: Fields that this class does not name.
    """

    token: str = attrs.field(repr=hide_repr)
    last_used: datetime | None = None
    created_at: datetime | None = None
    message: str | None = None
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class Voice(Model):
    """A voice that reads a message aloud (v1 documents, Campaigns, voices).

    If the service sends only the id, all other fields are None.

    Attributes:
        id: The voice's id.
        name: The display name.
        internal_name: The internal name, which is not unique: a voice and its premium version share it.
        is_premium: Whether it is a premium version.
        is_beta: Whether it is a beta version.
        extra: Fields that this class does not name.
    """

    id: int
    name: str | None = wire_field("voice_display_name", default=None)
    internal_name: str | None = wire_field("voice_internal_name", default=None)
    is_premium: bool | None = None
    is_beta: bool | None = None
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class Line(Model):
    """A phone number that calls are made from (v1 documents, Campaigns, lines).

    Attributes:
        id: The line's id.
        phone_number: The phone number.
        extra: Fields that this class does not name.
    """

    id: int
    phone_number: StrOrInt = attrs.field(repr=mask_repr)
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class Dashboard(Model):
    """The account's totals (v1 documents, Dashboard). Fields marked "not described" are kept as received.

    Attributes:
        total_credits_purchased: The credits bought.
        credits_used: The credits used.
        remaining_credits: The credits left.
        campaigns: Not described.
        outbound_calls: The number of calls.
        outbound_sms: The number of text messages.
        total_call_duration: The length of all calls together.
        total_owned_numbers: The number of lines that the account owns.
        total_playback: Not described.
        credit_spent: The credits spent; the documents do not say how this differs from `credits_used`.
        top_performing_campaign: Not described.
        playback_distribution: Not described.
        campaign_type_ratio: Not described.
        call_outcomes: Not described.
        credit_usage_overtime: Not described.
        extra: Fields that this class does not name.
    """

    total_credits_purchased: Decimal | None = None
    credits_used: Decimal | None = None
    remaining_credits: Decimal | None = None
    campaigns: Any = None
    outbound_calls: int | None = None
    outbound_sms: int | None = None
    total_call_duration: timedelta | None = None
    total_owned_numbers: int | None = None
    total_playback: Any = None
    credit_spent: Decimal | None = None
    top_performing_campaign: Any = None
    playback_distribution: Any = None
    campaign_type_ratio: Any = None
    call_outcomes: Any = None
    credit_usage_overtime: Any = None
    extra: Mapping[str, Any] = extra_fields()
