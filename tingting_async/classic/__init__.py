"""The classic API (`/api/accounts`, `/api/system`)."""

from tingting_async.classic.models import (
    Campaign,
    CampaignResult,
    Confirmation,
    Login,
    Number,
    NumberAdded,
    Otp,
    Outcome,
    PhoneNumber,
    Priority,
    RunStarted,
    TokenPair,
    User,
    Voice,
)
from tingting_async.classic.session import TingTing
from tingting_async.resources.models import CallStatus as NumberStatus, OtpChannel, OtpSource, Services, SpokenMessage

__all__ = [
    "Campaign",
    "CampaignResult",
    "Confirmation",
    "Login",
    "Number",
    "NumberAdded",
    "NumberStatus",
    "Otp",
    "OtpChannel",
    "OtpSource",
    "Outcome",
    "PhoneNumber",
    "Priority",
    "RunStarted",
    "Services",
    "SpokenMessage",
    "TingTing",
    "TokenPair",
    "User",
    "Voice",
]
