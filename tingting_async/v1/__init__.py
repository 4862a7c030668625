"""The v1 API (`/api/v1`)."""

from typing import TYPE_CHECKING

from tingting_async.late_imports import late_names as _late_names
from tingting_async.v1.session import TingTing

if TYPE_CHECKING:
    from tingting_async.resources.add_results import RowOutcome, RowOutcomes, RowStatus
    from tingting_async.resources.arguments import UNCHANGED, Unchanged
    from tingting_async.resources.models import (
        CallStatus as ContactStatus,
        NewContact,
        OtpChannel,
        OtpSource,
        Services,
        SpokenMessage,
    )
    from tingting_async.v1.additions import AddProgress
    from tingting_async.v1.models.accounts import ApiToken, Dashboard, Line, User, Voice
    from tingting_async.v1.models.campaigns import (
        Campaign,
        CampaignMessage,
        CampaignStatus,
        Category,
        PreflightReport,
        RunStarted,
        Sort,
    )
    from tingting_async.v1.models.common import Confirmation
    from tingting_async.v1.models.contacts import (
        CampaignResult,
        Column,
        Contact,
        ContactAdded,
        ContactsAdded,
        Upload,
    )
    from tingting_async.v1.models.otp import Otp, SentOtp
    from tingting_async.v1.models.reports import ReportRow
    from tingting_async.v1.models.surveys import (
        ContentType,
        NewStep,
        ResponseType,
        SurveyStep,
        SurveyTemplate,
        TemplateApplied,
    )
    from tingting_async.v1.progress import Progress

__all__ = [
    "UNCHANGED",
    "AddProgress",
    "ApiToken",
    "Campaign",
    "CampaignMessage",
    "CampaignResult",
    "CampaignStatus",
    "Category",
    "Column",
    "Confirmation",
    "Contact",
    "ContactAdded",
    "ContactStatus",
    "ContactsAdded",
    "ContentType",
    "Dashboard",
    "Line",
    "NewContact",
    "NewStep",
    "Otp",
    "OtpChannel",
    "OtpSource",
    "PreflightReport",
    "Progress",
    "ReportRow",
    "ResponseType",
    "RowOutcome",
    "RowOutcomes",
    "RowStatus",
    "RunStarted",
    "SentOtp",
    "Services",
    "Sort",
    "SpokenMessage",
    "SurveyStep",
    "SurveyTemplate",
    "TemplateApplied",
    "TingTing",
    "Unchanged",
    "Upload",
    "User",
    "Voice",
]

if not TYPE_CHECKING:  # With `__getattr__`, a type checker would accept every misspelt name.
    _LATE = {
        "resources.add_results": "RowOutcome RowOutcomes RowStatus",
        "resources.arguments": "UNCHANGED Unchanged",
        "resources.models": "NewContact OtpChannel OtpSource Services SpokenMessage",
        "v1.additions": "AddProgress",
        "v1.models.accounts": "ApiToken Dashboard Line User Voice",
        "v1.models.campaigns": "Campaign CampaignMessage CampaignStatus Category PreflightReport RunStarted Sort",
        "v1.models.common": "Confirmation",
        "v1.models.contacts": "CampaignResult Column Contact ContactAdded ContactsAdded ContactStatus Upload",
        "v1.models.otp": "Otp SentOtp",
        "v1.models.reports": "ReportRow",
        "v1.models.surveys": "ContentType NewStep ResponseType SurveyStep SurveyTemplate TemplateApplied",
        "v1.progress": "Progress",
    }
    __getattr__, __dir__ = _late_names(globals(), _LATE)
