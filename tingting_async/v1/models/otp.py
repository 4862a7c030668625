"""Models of one-time passwords."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from tingting_async.decoding.fields import Model, StrOrInt, as_model, extra_fields, wire_field
from tingting_async.redaction import hide_repr, mask_repr
from tingting_async.resources.models import OtpChannel, OtpSource


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class Otp(Model):
    """A one-time password that was sent (v1 documents, OTP). Its `repr` shows neither the code nor the message.

    Attributes:
        number: The recipient's phone number.
        otp: The code.
        message: The message.
        channel: How it was delivered.
        source: Who chose the code.
        credits_used: The cost, in credits.
        remaining_sms_credits: The credits left for text messages.
        remaining_phone_credits: The credits left for calls.
        company_name: The sender's name.
        voice_input: The internal name of the voice; only for calls.
        length_factor: How much slower than normal the voice speaks; only for calls.
        extra: Fields that this class does not name.
    """

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


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class SentOtp(Model):
    """An item of the list of one-time passwords that were sent (v1 documents, OTP).

    Its `repr` shows neither the code nor the message.

    Attributes:
        id: The id of the item.
        number: The recipient's phone number.
        message: The message.
        otp: The code.
        source: Who chose the code.
        channel: How it was delivered.
        created_at: When it was sent.
        extra: Fields that this class does not name.
    """

    id: int
    number: StrOrInt | None = wire_field("phone_number", default=None, repr=mask_repr)
    message: str | None = attrs.field(default=None, repr=False)
    otp: StrOrInt | None = attrs.field(default=None, repr=hide_repr)
    source: OtpSource | None = wire_field("otp_options", default=None)
    channel: OtpChannel | None = wire_field("sms_send_options", default=None)
    created_at: datetime | None = None
    extra: Mapping[str, Any] = extra_fields()
