"""The simulated service: the state that the handlers of both generations work on."""

from collections import Counter, deque

from aiohttp import web

from tingting_async.sandbox.changes import Changes
from tingting_async.sandbox.clock import Clock
from tingting_async.sandbox.faults import Faults
from tingting_async.sandbox.inbox import Inbox
from tingting_async.sandbox.options import Options
from tingting_async.sandbox.received import ReceivedRequest
from tingting_async.sandbox.records import SideEffect
from tingting_async.sandbox.running import run_due
from tingting_async.sandbox.tokens import Tokens
from tingting_async.sandbox.world import World


class Service:
    """A simulated service with one account, its faults and what it received, without the server around it.

    Args:
        options: How the service behaves, and how much there is at the start.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.changes: Changes = Changes()
        """Counts the changes that the inbox does not count."""
        self.clock: Clock = Clock(options.speed, changes=self.changes)
        self.world: World = self._make_world(options.seed)
        self.tokens: Tokens = self.make_tokens()
        self.faults: Faults = Faults(self.changes)
        self.requests: list[ReceivedRequest] = []
        """Every request in order of arrival; empty with `keep_requests=False`."""
        self.recent_requests: deque[ReceivedRequest] = deque(maxlen=200)
        """The last 200 requests. With `keep_requests=False`, only the first 10,000 bytes of a body are kept."""

    def _make_world(self, seed: int) -> World:
        options = self.options
        return World(
            self.clock,
            campaigns=options.campaigns,
            numbers=options.numbers,
            seed=seed,
            changes=self.changes,
        )

    def make_tokens(self) -> Tokens:
        """Return a store of tokens that is empty."""
        return Tokens(
            self.clock,
            access_lifetime=self.options.access_lifetime,
            refresh_lifetime=self.options.refresh_lifetime,
            rotate_refresh=self.options.rotate_refresh,
        )

    @property
    def inbox(self) -> Inbox:
        """Every call and text message up to now by the sandbox's clock, newest first."""
        run_due(self.world)
        return self.world.inbox

    @property
    def version(self) -> int:
        """A number that grows with every change: of the inbox, campaigns, accounts, requests, faults or the clock."""
        return self.changes.count + self.world.inbox.version

    def run_to_end(self) -> None:
        """Run all campaigns to their end, scheduled ones too, and move the clock accordingly.

        A campaign that is scheduled later than the clock can show (`Clock.end`) is not run.

        This may be called from any thread.
        """
        while run_due(self.world, ahead=True, most=1000):
            pass

    def reset(self) -> None:
        """Start over, as if the service had just been started, at the present time.

        The clock's speed, the seed, and the account's e-mail address, password and API token stay. Other tokens end.

        This may be called from any thread.
        """
        before = self.world
        with before.lock:
            before.timers.clear()
            self.clock.reset()
            world = self._make_world(before.seed)
            for name in ("email", "password", "api_token"):
                setattr(world.owner, name, getattr(before.owner, name))
            world.inbox.version = before.inbox.version + 1
            self.world, self.tokens = world, self.make_tokens()
        self.clock.wake.set()
        self.faults.clear()
        self.faults.struck.clear()
        self.requests.clear()
        self.recent_requests.clear()
        self.changes.note()

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
        self.changes.note()

    def revoke_refresh_tokens(self) -> None:
        """Revoke every refresh token issued so far."""
        self.tokens.revoke("refresh")
        self.changes.note()

    def change_password(self, password: str) -> None:
        """Change the account's password."""
        self.world.owner.password = password
        self.changes.note()


SERVICE = web.AppKey("service", Service)
