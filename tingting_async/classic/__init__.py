"""The classic API (`/api/accounts`, `/api/system`)."""

from tingting_async.classic.additions import AddProgress, NumbersAdded
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
from tingting_async.resources.add_results import RowOutcome, RowOutcomes, RowStatus
from tingting_async.resources.models import (
    CallStatus as NumberStatus,
    NewContact,
    OtpChannel,
    OtpSource,
    Services,
    SpokenMessage,
)

__all__ = [
    "AddProgress",
    "Campaign",
    "CampaignResult",
    "Confirmation",
    "Login",
    "NewContact",
    "Number",
    "NumberAdded",
    "NumberStatus",
    "NumbersAdded",
    "Otp",
    "OtpChannel",
    "OtpSource",
    "Outcome",
    "PhoneNumber",
    "Priority",
    "RowOutcome",
    "RowOutcomes",
    "RowStatus",
    "RunStarted",
    "Services",
    "SpokenMessage",
    "TingTing",
    "TokenPair",
    "User",
    "Voice",
]
