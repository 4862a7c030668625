"""Models of one-time passwords."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from tingting_async.decoding.fields import OpenEnum, StrOrInt, extra_fields, wire_field
from tingting_async.redaction import hide_repr, mask_repr


class OtpChannel(OpenEnum):
    """How a one-time password is delivered."""

    VOICE = "voice"
    TEXT = "text"


class OtpSource(OpenEnum):
    """Who makes a one-time password up."""

    GENERATED = "generated"
    """The service."""
    PERSONAL = "personnel"  # The wire's word.
    """The caller."""


@attrs.frozen(kw_only=True)
class Otp:
    """A one-time password that was sent (v1 documents, OTP). Neither code nor message shows in its `repr`."""

    number: StrOrInt = attrs.field(repr=mask_repr)
    otp: StrOrInt | None = attrs.field(default=None, repr=hide_repr)
    message: str | None = attrs.field(default=None, repr=False)
    channel: OtpChannel | None = wire_field("sms_send_options", default=None)
    source: OtpSource | None = wire_field("otp_options", default=None)
    credits_used: Decimal | None = None
    remaining_sms_credits: Decimal | None = None
    remaining_phone_credits: Decimal | None = None
    company_name: str | None = None
    voice_input: str | None = None
    length_factor: Decimal | None = None
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True)
class SentOtp:
    """A one-time password in the list of those sent (v1 documents, OTP)."""

    id: int
    number: StrOrInt | None = wire_field("phone_number", default=None, repr=mask_repr)
    message: str | None = attrs.field(default=None, repr=False)
    otp: StrOrInt | None = attrs.field(default=None, repr=hide_repr)
    source: OtpSource | None = wire_field("otp_options", default=None)
    channel: OtpChannel | None = wire_field("sms_send_options", default=None)
    created_at: datetime | None = None
    extra: Mapping[str, Any] = extra_fields()
