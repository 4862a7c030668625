"""The v1 API's session. It imports a resource on first use, because few programs need all of them."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from tingting_async.client.session import Session
from tingting_async.late_imports import loading
from tingting_async.v1.auth import V1AuthScheme
from tingting_async.v1.pages import RESPONSES

if TYPE_CHECKING:
    from tingting_async.v1.accounts import Accounts
    from tingting_async.v1.campaigns import Campaigns
    from tingting_async.v1.contacts import Contacts
    from tingting_async.v1.dashboard import Dashboards
    from tingting_async.v1.otp import Otps
    from tingting_async.v1.phone_numbers import PhoneNumbers
    from tingting_async.v1.reports import Reports
    from tingting_async.v1.survey_templates import SurveyTemplates
    from tingting_async.v1.surveys import Surveys
    from tingting_async.v1.voices import Voices


class TingTing(Session):
    """A session of the v1 API.

    `tingting_async.Session` describes its arguments. The operations are grouped by resource:

    - `accounts`: who is signed in, signing in, refreshing the token, the API token.
    - `campaigns`: list, get, create, update, delete, preflight, run, stop, follow and wait for campaigns.
    - `contacts`: list, add, upload, edit and delete the contacts of a campaign; their variables; a demo call.
    - `phone_numbers`: the lines that campaigns call from.
    - `voices`: the voices that read messages aloud.
    - `otp`: send and list one-time passwords.
    - `surveys`: the steps of a survey, running it, its results.
    - `survey_templates`: surveys that can be used again.
    - `reports`: what became of a campaign's contacts, as a file or as rows.
    - `dashboard`: the account's totals.
    """

    _auth_scheme = V1AuthScheme()
    _response_format = RESPONSES
    _elsewhere: ClassVar[Mapping[str, str]] = {
        "numbers": "The classic API has `numbers`: `from tingting_async import TingTing`. In v1 they are `contacts`."
    }

    @cached_property
    def accounts(self) -> "Accounts":
        """Who is signed in, signing in, and the API token."""
        with loading("accounts"):
            from tingting_async.v1.accounts import Accounts
        return Accounts(self._core)

    @cached_property
    def campaigns(self) -> "Campaigns":
        """Campaigns: list, get, create, update, delete, preflight, run, stop, follow, wait."""
        with loading("campaigns"):
            from tingting_async.v1.campaigns import Campaigns
        return Campaigns(self._core)

    @cached_property
    def contacts(self) -> "Contacts":
        """The contacts of a campaign: list, add, upload, edit, delete; their variables; a demo call."""
        with loading("contacts"):
            from tingting_async.v1.contacts import Contacts
        return Contacts(self._core)

    @cached_property
    def phone_numbers(self) -> "PhoneNumbers":
        """The lines that campaigns call from."""
        with loading("phone_numbers"):
            from tingting_async.v1.phone_numbers import PhoneNumbers
        return PhoneNumbers(self._core)

    @cached_property
    def voices(self) -> "Voices":
        """The voices that read messages aloud."""
        with loading("voices"):
            from tingting_async.v1.voices import Voices
        return Voices(self._core)

    @cached_property
    def otp(self) -> "Otps":
        """One-time passwords: send, list."""
        with loading("otp"):
            from tingting_async.v1.otp import Otps
        return Otps(self._core)

    @cached_property
    def surveys(self) -> "Surveys":
        """Surveys: their steps, running them, their results."""
        with loading("surveys"):
            from tingting_async.v1.surveys import Surveys
        return Surveys(self._core)

    @cached_property
    def survey_templates(self) -> "SurveyTemplates":
        """Surveys that can be used again."""
        with loading("survey_templates"):
            from tingting_async.v1.survey_templates import SurveyTemplates
        return SurveyTemplates(self._core)

    @cached_property
    def reports(self) -> "Reports":
        """What became of a campaign's contacts."""
        with loading("reports"):
            from tingting_async.v1.reports import Reports
        return Reports(self._core)

    @cached_property
    def dashboard(self) -> "Dashboards":
        """The account's totals."""
        with loading("dashboard"):
            from tingting_async.v1.dashboard import Dashboards
        return Dashboards(self._core)
