"""The claim of one call: it is stored before the request leaves, and renewed before each further attempt."""

from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

import attrs

from tingting_async.errors import TingTingError
from tingting_async.http.messages import Request
from tingting_async.ledger.claims import MAX_DELAY, Claim, Elapsed, require_in_time
from tingting_async.outcomes import Send

FRESH = 0.05
"""Seconds after a claim was stored or renewed in which it need not be renewed if the request is only now connected.

They count from when this task learnt of it: a task that waited for its turn until then has not waited for a connection.
"""
_OLD = MAX_DELAY / 5
"""Seconds since a claim was stored or renewed, after which it is renewed in any case."""


@attrs.define(eq=False, repr=False)
class Claiming:
    """Stores the claim of one call, and notes how far the call has come. Its three methods are callbacks of a request.

    Attributes:
        claim: The claim.
        stored: The send that the ledger has stored for it; None before that.
        has_claim: Whether the ledger may have the claim.
        may_have_effect: Whether the present attempt may have reached the service.
    """

    claim: Claim
    _store: Callable[[], Awaitable[Send]]
    _renew: Callable[[], Awaitable[Elapsed]]
    stored: Send | None = attrs.field(default=None, init=False)
    has_claim: bool = attrs.field(default=False, init=False)
    may_have_effect: bool = attrs.field(default=False, init=False)
    _renewed: Elapsed | None = attrs.field(default=None, init=False)
    _noted: float = attrs.field(default=0.0, init=False)
    """When this task learnt that the claim was stored or renewed."""

    def attach(self, request: Request[Any]) -> Request[Any]:
        """Return the request with the callbacks."""
        return request.replaced(
            before_send=self.before_send,
            before_first_byte=self.before_first_byte,
            without_effect=self.without_effect,
        )

    async def before_send(self) -> None:
        """Store the claim, or renew it if it is stored already.

        Raises:
            DuplicateSendError: The same send was made before, or may have been.
            LedgerError: The ledger failed.
        """
        if self.stored is None or self._renewed is None:
            self.has_claim = True  # From here on: if this is cancelled while the storage works, the claim is deleted.
            try:
                self.stored = await self._store()
            except TingTingError:
                self.has_claim = False
                raise
            assert self.stored.clocks is not None
            self._renewed = Elapsed(self.stored.clocks.monotonic, self.stored.clocks.local.timestamp())
            self._noted = monotonic()
        elif not self.may_have_effect or monotonic() - self._noted > FRESH or self._renewed.seconds() > _OLD:
            # A further attempt, or connecting took long. Most requests get a connection at once.
            self._renewed = await self._renew()
            self._noted = monotonic()
        self.may_have_effect = True

    def before_first_byte(self) -> None:
        """Make sure that not too much time has passed since the claim was stored or renewed.

        Raises:
            LedgerError: Too much has passed. The request must not leave.
        """
        require_in_time(self._renewed, self.claim.operation)

    def without_effect(self) -> None:
        """Note that the present attempt has not reached the service, or was refused."""
        self.may_have_effect = False
