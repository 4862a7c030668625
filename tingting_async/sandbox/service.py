"""The simulated service: the state that the handlers of both generations work on."""

from collections import Counter

from aiohttp import web

from tingting_async.sandbox.clock import Clock
from tingting_async.sandbox.options import Options
from tingting_async.sandbox.records import SideEffect
from tingting_async.sandbox.running import run_due
from tingting_async.sandbox.tokens import Tokens
from tingting_async.sandbox.world import World


class Service:
    """A simulated service with one account, without the server around it.

    Args:
        options: How the service behaves, and how much there is at the start.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.clock: Clock = Clock()
        self.world: World = World(self.clock, campaigns=options.campaigns, numbers=options.numbers, seed=options.seed)
        self.tokens: Tokens = Tokens(
            self.clock,
            access_lifetime=options.access_lifetime,
            refresh_lifetime=options.refresh_lifetime,
            rotate_refresh=options.rotate_refresh,
        )

    @property
    def email(self) -> str:
        """The account's e-mail address."""
        return self.world.owner.email

    @property
    def password(self) -> str:
        """The account's password."""
        return self.world.owner.password

    @property
    def api_token(self) -> str:
        """The account's API token."""
        return self.world.owner.api_token

    @property
    def side_effects(self) -> list[SideEffect]:
        """The side effects up to now by the sandbox's clock, in order."""
        run_due(self.world)
        return self.world.side_effects

    def tally(self) -> Counter[tuple[str, str]]:
        """Count the side effects by kind and target.

        ::

            assert sandbox.tally()["otp", "9800000001"] == 1
        """
        return Counter((effect.kind, effect.target) for effect in self.side_effects)

    def expire_access_tokens(self) -> None:
        """Revoke every access token issued so far."""
        self.tokens.revoke("access")

    def revoke_refresh_tokens(self) -> None:
        """Revoke every refresh token issued so far."""
        self.tokens.revoke("refresh")

    def change_password(self, password: str) -> None:
        """Change the account's password."""
        self.world.owner.password = password


SERVICE = web.AppKey("service", Service)
