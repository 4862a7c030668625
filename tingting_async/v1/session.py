"""The v1 API's session."""

from functools import cached_property

from tingting_async.client.session import Session
from tingting_async.v1.accounts import Accounts
from tingting_async.v1.auth import V1AuthScheme
from tingting_async.v1.campaigns import Campaigns
from tingting_async.v1.contacts import Contacts
from tingting_async.v1.dashboard import Dashboards
from tingting_async.v1.otp import Otps
from tingting_async.v1.pages import READER
from tingting_async.v1.phone_numbers import PhoneNumbers
from tingting_async.v1.reports import Reports
from tingting_async.v1.survey_templates import SurveyTemplates
from tingting_async.v1.surveys import Surveys
from tingting_async.v1.voices import Voices


class TingTing(Session):
    """The session of the v1 API; see `Session` for its arguments."""

    _auth_scheme = V1AuthScheme()
    _decoder = READER

    @cached_property
    def accounts(self) -> Accounts:
        """Who is signed in, and the API token."""
        return Accounts(self._core)

    @cached_property
    def campaigns(self) -> Campaigns:
        """Campaigns: list, get, create, update, delete, run, check, wait, stop, test the voice."""
        return Campaigns(self._core)

    @cached_property
    def contacts(self) -> Contacts:
        """The contacts of a campaign: list, add, upload, edit, delete, their variables, a demo call."""
        return Contacts(self._core)

    @cached_property
    def phone_numbers(self) -> PhoneNumbers:
        """What campaigns call from."""
        return PhoneNumbers(self._core)

    @cached_property
    def voices(self) -> Voices:
        """Who speaks."""
        return Voices(self._core)

    @cached_property
    def otp(self) -> Otps:
        """One-time passwords: send, list."""
        return Otps(self._core)

    @cached_property
    def surveys(self) -> Surveys:
        """Surveys: steps, run, answers."""
        return Surveys(self._core)

    @cached_property
    def survey_templates(self) -> SurveyTemplates:
        """Surveys to be used again."""
        return SurveyTemplates(self._core)

    @cached_property
    def reports(self) -> Reports:
        """What came of campaigns."""
        return Reports(self._core)

    @cached_property
    def dashboard(self) -> Dashboards:
        """The account's sums."""
        return Dashboards(self._core)
