"""The classic API's session. It imports a resource on first use, because few programs need all of them."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from tingting_async.classic.auth import ClassicAuthScheme
from tingting_async.classic.pages import RESPONSES
from tingting_async.client.session import Session
from tingting_async.late_imports import loading

if TYPE_CHECKING:
    from tingting_async.classic.accounts import Accounts
    from tingting_async.classic.campaigns import Campaigns
    from tingting_async.classic.numbers import Numbers
    from tingting_async.classic.otp import Otps
    from tingting_async.classic.phone_numbers import PhoneNumbers

_V1_ONLY = ("voices", "surveys", "survey_templates", "reports", "dashboard")


class TingTing(Session):
    """A session of the classic API.

    `tingting_async.Session` describes its arguments. New accounts use the v1 API: see `tingting_async.v1.TingTing`. The
    operations are grouped by resource:

    - `accounts`: who is signed in, signing in, refreshing the token.
    - `campaigns`: list, get, create, update, delete and run campaigns; read a message aloud.
    - `numbers`: list, get, add, edit and delete the numbers of a campaign.
    - `phone_numbers`: the account's own lines: list, buy and release them.
    - `otp`: send one-time passwords.
    """

    _auth_scheme = ClassicAuthScheme()
    _response_format = RESPONSES
    _elsewhere: ClassVar[Mapping[str, str]] = {
        "contacts": "The v1 API has `contacts`: `from tingting_async.v1 import TingTing`. Here they are `numbers`.",
        **{name: f"The v1 API has `{name}`: `from tingting_async.v1 import TingTing`." for name in _V1_ONLY},
    }

    @cached_property
    def accounts(self) -> "Accounts":
        """Who is signed in, and signing in."""
        with loading("accounts"):
            from tingting_async.classic.accounts import Accounts
        return Accounts(self._core)

    @cached_property
    def campaigns(self) -> "Campaigns":
        """Campaigns: list, get, create, update, delete, run, read a message aloud."""
        with loading("campaigns"):
            from tingting_async.classic.campaigns import Campaigns
        return Campaigns(self._core)

    @cached_property
    def numbers(self) -> "Numbers":
        """The numbers of a campaign: list, get, add, edit, delete."""
        with loading("numbers"):
            from tingting_async.classic.numbers import Numbers
        return Numbers(self._core)

    @cached_property
    def phone_numbers(self) -> "PhoneNumbers":
        """The account's own lines: list, buy, release."""
        with loading("phone_numbers"):
            from tingting_async.classic.phone_numbers import PhoneNumbers
        return PhoneNumbers(self._core)

    @cached_property
    def otp(self) -> "Otps":
        """One-time passwords: send."""
        with loading("otp"):
            from tingting_async.classic.otp import Otps
        return Otps(self._core)
