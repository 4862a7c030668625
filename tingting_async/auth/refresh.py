"""Token refresh: one for all requests that wait for it."""

import asyncio
import copy
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, cast

from tingting_async.auth.cooldown import Cooldown
from tingting_async.auth.flow import Auth
from tingting_async.auth.stored import StoredTokens
from tingting_async.auth.tokens import Tokens, prepare
from tingting_async.errors import (
    MAX_LENGTH,
    ApiError,
    AuthenticationError,
    NotSentError,
    RateLimitedError,
    ServerError,
    SessionClosedError,
    TingTingError,
    TokenStoreError,
)
from tingting_async.http.messages import Request, Response
from tingting_async.http.timeouts import Timeout
from tingting_async.persistence import BackgroundTask, run_to_completion
from tingting_async.redaction import shorten
from tingting_async.tracebacks import short_traceback

_log = logging.getLogger(__name__)

SAVE_PATIENCE = 1.0
"""Seconds for which a request waits for a repeated save of tokens. The request does not depend on that save."""

MAX_SAVE_INTERVAL = 60.0
"""The longest time between two attempts to save the same tokens, in seconds; it begins at one and doubles."""

_NOT_SENT = "nothing was sent, because signing in failed"


def _what(error: TingTingError) -> str:
    """Return what an error of the sign-in means for the request that needed it. Some say themselves that it stayed."""
    return "signing in failed" if isinstance(error, NotSentError) else _NOT_SENT


class SignInFailedError(Exception):
    """Carries the error of a refresh past the retries of the request that waits for it.

    The refresh had its own retries, and the request itself was never sent.
    """

    def __init__(self, error: TingTingError) -> None:
        super().__init__(error)
        self.error: TingTingError = error

    def about(self, operation: str) -> TingTingError:
        """Return the error, with a text that names the operation that needed the refresh."""
        if not isinstance(self.error, NotSentError):  # Its text names the operation.
            text = f"{operation}: {_what(self.error)}. {self.error}"
            self.error.args = (shorten(text, MAX_LENGTH),)
        return self.error


class TokenRefresher:
    """Refreshes and saves a session's tokens, at most one refresh at a time.

    A refresh token may be usable only once. So a refresh that has left is completed even if no call waits for it any
    more, and new tokens are saved again and again until the store has them.

    Args:
        auth: The state whose tokens are refreshed.
        execute: Executes a request that needs no tokens, with retries.
        is_in_flight: Returns whether such a request may have reached the service, and has no response yet.
    """

    def __init__(
        self,
        auth: Auth,
        execute: Callable[[Request[Any]], Awaitable[Response]],
        is_in_flight: Callable[[], bool],
    ) -> None:
        self._auth = auth
        self._execute = execute
        self._is_in_flight = is_in_flight
        self._tasks: set[BackgroundTask] = set()
        self._refreshing: BackgroundTask | None = None
        self._saving: BackgroundTask | None = None
        self._next_save: asyncio.TimerHandle | None = None
        self._save_interval = 1.0
        self._stored = StoredTokens(auth)
        self._cooldown = Cooldown()
        self._is_closed = False

    async def login(self, request: Request[Any], timeout: Timeout) -> Response:
        """Sign in by this request, use its tokens from now on, save them, and return the response.

        Raises:
            AuthenticationError: The service does not accept the credentials.
            TokenStoreError: The session uses the new tokens, but they are not saved yet.
        """
        self.forget_refusal()
        responses: list[Response] = []

        async def sign_in(task: BackgroundTask) -> None:
            task.must_finish(self._is_in_flight)
            try:
                response = await self._execute(request)
            except ApiError as error:
                raise self._auth.sign_in_error(error) from None
            task.must_finish()
            responses.append(response)
            self._auth.keep(self._auth.scheme.read_login(request, response), outranks_store=True)
            async with self._stored.locked():
                with suppress(TokenStoreError):  # An explicit sign-in replaces even tokens that cannot be loaded.
                    self._auth.supersede(await self._stored.load())
                await self._stored.save(task)

        task = self._start(sign_in, request.operation)
        try:
            async with asyncio.timeout(timeout.total + 0.2):  # The request has its own limit, which comes first.
                await self._wait(task, request.operation)
        except TimeoutError:
            raise TokenStoreError(
                f"{request.operation}: the token store did not save the new tokens in time. They are saved later."
            ) from None
        return responses[0]

    def forget_refusal(self) -> None:
        """End the cooldown after a refused sign-in."""
        self._cooldown.end()

    async def refresh(self, operation: str, *, rejected: str | None, deadline: float) -> None:
        """Wait until the session has another access token than the rejected one. One refresh serves all that wait.

        Args:
            operation: The name of the operation that waits.
            rejected: The access token that was refused or is about to expire; None if there was none.
            deadline: When the call that waits ends, by the loop's clock.

        Raises:
            SignInFailedError: The refresh failed, or took too long.
            SessionClosedError: The session was closed during the refresh.
        """
        if self._auth.access != rejected and not self._auth.needs_refresh():
            return
        task = self._refreshing
        if task is None or task.has_ended:
            task = self._refreshing = self._start(lambda task: self._refresh_stored(task, rejected), operation)
        try:
            async with asyncio.timeout_at(deadline):
                await self._wait(task, operation)
        except TimeoutError:
            message = f"{operation}: timed out while signing in. Nothing was sent."
            raise SignInFailedError(NotSentError(message, operation=operation, phase="sign-in")) from None
        except SessionClosedError:
            raise
        except (AuthenticationError, RateLimitedError, ServerError, TokenStoreError) as error:
            # Each call that waits gets its own copy of the error, because a traceback belongs to one task.
            raise SignInFailedError(copy.copy(error)) from error.__cause__
        except TingTingError as error:
            # As it is, a `NotFoundError` would look as if the object of the operation did not exist.
            message = f"{operation}: {_what(error)}. {error}"
            raise SignInFailedError(NotSentError(message, operation=operation, phase="sign-in")) from error

    async def save_again(self) -> None:
        """Save tokens whose save failed. Wait for that for a moment only: the caller does not depend on it."""
        is_busy = any(not task.has_ended for task in self._tasks)  # Each task saves the tokens, or waits to do so.
        if not is_busy and not self._is_closed:
            with suppress(TimeoutError):
                async with asyncio.timeout(SAVE_PATIENCE):
                    await self._start_saving().wait()

    async def aclose(self) -> None:
        """Complete the refreshes that have left, save tokens that are not saved yet, and end all other work.

        This takes some seconds at most, even if this task is cancelled.
        """
        self._is_closed = True
        if self._next_save is not None:
            self._next_save.cancel()
        if self._auth.is_unsaved and (self._saving is None or self._saving.has_ended):
            self._start_saving()
        if self._tasks:
            await run_to_completion(asyncio.gather(*[task.stop() for task in self._tasks], return_exceptions=True))

    def _start(self, work: Callable[[BackgroundTask], Coroutine[Any, Any, None]], operation: str) -> BackgroundTask:
        if self._is_closed:
            raise SessionClosedError(f"{operation}: the session was closed during the call. Nothing was sent.")
        return self._start_task(work)

    def _start_task(self, work: Callable[[BackgroundTask], Coroutine[Any, Any, None]]) -> BackgroundTask:
        task = BackgroundTask(work)
        self._tasks.add(task)
        task.guard.add_done_callback(lambda _: self._end(task))
        return task

    def _start_saving(self) -> BackgroundTask:
        self._saving = self._start_task(self._save_stored)
        return self._saving

    def _end(self, task: BackgroundTask) -> None:
        self._tasks.discard(task)
        if not self._auth.is_unsaved:
            self._save_interval = 1.0
        elif task.is_ending:
            if not self._tasks:
                _log.warning("The token store did not save the session's last tokens, and the session has ended.")
        elif self._next_save is None:
            loop = asyncio.get_running_loop()
            self._next_save = loop.call_later(self._save_interval, self._save_later)
            self._save_interval = min(2 * self._save_interval, MAX_SAVE_INTERVAL)

    def _save_later(self) -> None:
        self._next_save = None
        if self._auth.is_unsaved and not self._tasks:  # Otherwise the end of a task sets the timer again.
            self._start_saving()

    async def _wait(self, task: BackgroundTask, operation: str) -> None:
        """Wait for the end of a task, and raise its error. A call that stops waiting does not stop the task."""
        await task.wait()
        error = task.error
        if task.was_stopped:
            raise SessionClosedError(f"{operation}: the session was closed while signing in. Nothing was sent.")
        if isinstance(error, Exception) and not isinstance(error, TingTingError):  # Such as a module that is missing.
            message = f"{operation}: {_NOT_SENT} with {type(error).__name__}."
            raise SignInFailedError(NotSentError(message, operation=operation, phase="sign-in")) from error
        if error is not None:
            raise error.with_traceback(None)

    @short_traceback  # It is a task: error trackers that watch tasks see its error first.
    async def _refresh_stored(self, task: BackgroundTask, rejected: str | None) -> None:
        if self._saving is not None:
            await self._saving.wait()  # Older tokens must not be saved after newer ones.
        async with self._stored.locked():
            stored = await self._stored.load()
            newest = self._auth.newest(stored)
            if newest is None or newest.access == rejected or newest.needs_refresh():
                new = await self._get_new(task, newest)
                # Kept here first: if the store fails, a refresh token that can be used only once must not be lost.
                self._auth.keep(new)
                self._auth.supersede(stored)
            elif newest is stored:
                self._auth.adopt(newest)
            if self._auth.tokens is not stored:
                await self._stored.save(task)

    async def _save_stored(self, task: BackgroundTask) -> None:
        task.must_finish()
        try:
            async with self._stored.locked():
                stored = await self._stored.load() if self._auth.is_unsaved else None
                if stored is not None and self._auth.newest(stored) is stored:
                    self._auth.adopt(stored)  # Another session has saved newer tokens meanwhile.
                if self._auth.is_unsaved:
                    await self._stored.save(task)
        except TokenStoreError as error:
            _log.warning("The session's tokens are not saved yet. %s", error)

    async def _get_new(self, task: BackgroundTask, tokens: Tokens | None) -> Tokens:
        """Return new tokens, by a refresh or a sign-in."""
        self._cooldown.check(tokens)
        try:
            return await self._run_flow(task, tokens)
        except AuthenticationError as error:
            if error.status:  # The service has refused, so that another attempt might lock the account.
                self._cooldown.start(error, tokens)
            raise

    async def _run_flow(self, task: BackgroundTask, tokens: Tokens | None) -> Tokens:
        prepare()
        flow = self._auth.auth_flow(tokens)
        try:
            request = next(flow)
            while True:
                task.must_finish(self._is_in_flight)
                try:
                    response = await self._execute(request)
                except TingTingError as error:
                    request = flow.throw(error)
                else:
                    task.must_finish()
                    request = flow.send(response)
        except StopIteration as end:
            return cast("Tokens", end.value)
