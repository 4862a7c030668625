"""Attempts to send a request: how far each has come, and what it does before the request leaves."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import attrs

from tingting_async.errors import TingTingError
from tingting_async.http.deadlines import Deadlines, Limit
from tingting_async.http.messages import Request


class Connection(Protocol):
    """A connection of aiohttp."""

    @property
    def closed(self) -> bool:
        """Whether one side has closed it."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


@attrs.define(eq=False, repr=False)
class Attempt(Limit):
    """An attempt of the current task to send a request, and its time limit.

    `prepare` is called when the request has a connection, and `begin` when its first byte is about to be written.
    """

    request: Request[Any] | None = None
    """The request; `Attempts.start` sets it."""
    is_connected: bool = False
    """Whether the request has a connection."""
    has_begun: bool = False
    """Whether the first byte of the request was about to be written."""
    refusal: TingTingError | None = None
    """The error that `before_first_byte` raised."""
    must_prepare: bool = False
    """Whether something has to be done before the request is sent, once it has a connection."""
    renew_permit: Callable[[], Awaitable[None]] | None = None
    """Awaited before the request is sent; None without a rate limit."""

    def is_sign_in(self) -> bool:
        """Return whether the request gets new tokens."""
        return self.request is not None and not self.request.authenticate

    async def prepare(self, connection: Connection | None = None) -> None:
        """Do the work that is due before the request is sent. If that fails, close the connection.

        A connection that waited is never given back for later requests, which need one that was just in use.

        Raises:
            ConnectionError: The service has closed the connection meanwhile.
        """
        try:
            if self.renew_permit is not None:
                await self.renew_permit()
            if self.request is not None and self.request.before_first_byte is not None:
                assert self.request.before_send is not None
                await self.request.before_send()
            if connection is not None and connection.closed:
                raise ConnectionError("the connection was lost before the request was sent")  # noqa: TRY301
        except BaseException:
            if connection is not None:
                connection.close()
            raise

    def begin(self) -> None:
        """Note that the first byte of the request is about to be written.

        Raises:
            ConnectionError: It was written before, to a connection that was lost.
        """
        if self.has_begun:
            raise ConnectionError("the connection was lost")
        if self.request is not None and self.request.before_first_byte is not None:
            try:
                self.request.before_first_byte()
            except TingTingError as error:
                self.refusal, self.is_connected = error, False
                raise
        self.has_begun = self.is_connected = True


class Attempts(Deadlines[Attempt]):
    """The attempts of a session that are under way, each in a task of its own."""

    def __init__(self) -> None:
        super().__init__(Attempt)

    def start(self, request: Request[Any], when: float, loop: asyncio.AbstractEventLoop) -> Attempt:
        """Return an attempt of the current task to send a request, which expires at a time of the loop's clock."""
        attempt = self.limit(when, loop)
        attempt.request = request
        return attempt

    def has_sign_in(self) -> bool:
        """Return whether a sign-in or a token refresh may have reached the service, and has no response yet."""
        return any(attempt.is_sign_in() and attempt.is_connected for attempt in self.limits.values())

    def close_except_sign_ins(self) -> None:
        """Make all attempts expire now, except sign-ins and token refreshes that have a connection."""
        for attempt in self.limits.values():
            if not (attempt.is_sign_in() and attempt.is_connected):
                attempt.expire()
