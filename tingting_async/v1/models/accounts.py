"""Models of accounts, lines and voices."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs

from tingting_async.decoding.fields import StrOrInt, extra_fields, wire_field
from tingting_async.redaction import hide_repr, mask_repr


@attrs.frozen(kw_only=True)
class User:
    """Who is signed in (v1 documents, Signing in, profile)."""

    id: int
    first_name: str | None = None
    last_name: str | None = None
    username: str | None = None
    email: str | None = None
    profile_picture: str | None = None
    """A URL."""
    contact_number: StrOrInt | None = wire_field("contact_no", default=None, repr=mask_repr)
    address: str | None = None
    is_verified_phone: bool | None = wire_field("is_verified_contact", default=None)
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True)
class ApiToken:
    """The account's API token (v1 documents, Signing in)."""

    token: str = attrs.field(repr=hide_repr)
    last_used: datetime | None = None
    created_at: datetime | None = None
    message: str | None = None
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True)
class Voice:
    """A voice (v1 documents, Campaigns, voices). Where the service gives no more than its id, the rest is None."""

    id: int
    name: str | None = wire_field("voice_display_name", default=None)
    internal_name: str | None = wire_field("voice_internal_name", default=None)
    """Not unique: a voice and its premium form share it."""
    is_premium: bool | None = None
    is_beta: bool | None = None
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True)
class Line:
    """A number that calls are made from (v1 documents, Campaigns, lines)."""

    id: int
    phone_number: StrOrInt = attrs.field(repr=mask_repr)
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True)
class Dashboard:
    """The account's sums (v1 documents, Dashboard); the documents do not describe what the objects hold."""

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
