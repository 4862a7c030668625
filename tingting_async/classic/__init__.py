"""The classic API (`/api/accounts`, `/api/system`)."""

from typing import TYPE_CHECKING

from tingting_async.classic.session import TingTing
from tingting_async.late_imports import late_names as _late_names

if TYPE_CHECKING:
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

if not TYPE_CHECKING:  # With `__getattr__`, a type checker would accept every misspelt name.
    _LATE = {
        "classic.additions": "AddProgress NumbersAdded",
        "classic.models": "Campaign CampaignResult Confirmation Login Number NumberAdded NumberStatus Otp Outcome "
        "PhoneNumber Priority RunStarted TokenPair User Voice",
        "resources.add_results": "RowOutcome RowOutcomes RowStatus",
        "resources.models": "NewContact OtpChannel OtpSource Services SpokenMessage",
    }
    __getattr__, __dir__ = _late_names(globals(), _LATE)
