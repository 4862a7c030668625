"""The classic API's session."""

from functools import cached_property

from tingting_async.classic.accounts import Accounts
from tingting_async.classic.auth import ClassicAuthScheme
from tingting_async.classic.campaigns import Campaigns
from tingting_async.classic.numbers import Numbers
from tingting_async.classic.otp import Otps
from tingting_async.classic.pages import READER
from tingting_async.classic.phone_numbers import PhoneNumbers
from tingting_async.client.session import Session


class TingTing(Session):
    """The session of the classic API; see `Session` for its arguments."""

    _auth_scheme = ClassicAuthScheme()
    _decoder = READER

    @cached_property
    def accounts(self) -> Accounts:
        """Who is signed in."""
        return Accounts(self._core)

    @cached_property
    def campaigns(self) -> Campaigns:
        """Campaigns: list, get, create, update, delete, run, test the voice."""
        return Campaigns(self._core)

    @cached_property
    def numbers(self) -> Numbers:
        """The numbers of a campaign: list, get, add, edit, delete."""
        return Numbers(self._core)

    @cached_property
    def phone_numbers(self) -> PhoneNumbers:
        """The account's own lines: owned, for sale, buy, release."""
        return PhoneNumbers(self._core)

    @cached_property
    def otp(self) -> Otps:
        """One-time passwords."""
        return Otps(self._core)
