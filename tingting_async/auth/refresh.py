"""Token refresh: one for all requests that wait for it."""

import asyncio
import copy
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any, cast

import attrs

from tingting_async.auth.flow import Auth
from tingting_async.auth.tokens import Tokens
from tingting_async.errors import (
    AuthenticationError,
    DecodeError,
    NotSentError,
    SessionClosedError,
    TingTingError,
    TokenStoreError,
    TransportError,
)
from tingting_async.http.messages import Request, Response

LOGIN_COOLDOWN = 30.0
"""Seconds for which a refused sign-in is not retried: a job with many requests could get the account locked."""


@attrs.define
class SignInFailedError(Exception):
    """Carries the error of a refresh past the retries of the request that waits for it.

    The refresh had its own retries, and the request itself was never sent.
    """

    error: TingTingError


@contextmanager
def _store_errors() -> Generator[None]:
    try:
        yield
    except TingTingError:
        raise
    except Exception as error:
        raise TokenStoreError(
            f"The token store failed with {type(error).__name__}, so nothing was sent. Its own error is the cause."
        ) from error


class TokenRefresher:
    """Refreshes a session's tokens, at most one refresh at a time, in a task of the session.

    Args:
        auth: The state whose tokens are refreshed.
        execute: Executes a request that needs no tokens, with retries.
        start_task: Starts a task that ends with the session.
    """

    def __init__(
        self,
        auth: Auth,
        execute: Callable[[Request[Any]], Awaitable[Response]],
        start_task: Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"],
    ) -> None:
        self._auth = auth
        self._execute = execute
        self._start_task = start_task
        self._task: asyncio.Task[None] | None = None
        self._refusal: AuthenticationError | None = None
        self._refused_until = 0.0

    async def set_tokens(self, tokens: Tokens) -> None:
        """Use these tokens from now on, and save them."""
        self.forget_refusal()
        self._auth.tokens = tokens
        with _store_errors():
            async with self._auth.store.lock():
                await self._auth.store.save(tokens)

    def forget_refusal(self) -> None:
        """End the cooldown after a refused sign-in."""
        self._refusal = None

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
        task = self._task
        if task is None or task.done():
            task = self._task = self._start_task(self._refresh_stored(rejected))
        try:
            async with asyncio.timeout_at(deadline):
                await asyncio.shield(task)  # A call that stops waiting does not stop the refresh for the others.
        except TimeoutError:
            message = f"{operation}: timed out while signing in. Nothing was sent."
            raise SignInFailedError(NotSentError(message, operation=operation, phase="sign-in")) from None
        except asyncio.CancelledError:
            # Only a session that closes cancels the refresh. The waiting call may have been cancelled at the same time.
            current = asyncio.current_task()
            if task.cancelled() and (current is None or not current.cancelling()):
                raise SessionClosedError(
                    f"{operation}: the session was closed while signing in. Nothing was sent."
                ) from None
            raise
        except (TransportError, DecodeError) as error:
            message = f"{operation}: nothing was sent, because signing in failed. {error}"
            raise SignInFailedError(NotSentError(message, operation=operation, phase="sign-in")) from error
        except TingTingError as error:
            # Each call that waits gets its own copy of the error, because a traceback belongs to one task.
            raise SignInFailedError(copy.copy(error)) from error.__cause__

    async def _refresh_stored(self, rejected: str | None) -> None:
        with _store_errors():
            async with self._auth.store.lock():
                stored = await self._auth.store.load()
                if stored is None or stored.access == rejected or stored.needs_refresh():
                    # Kept here first: if the store fails, a refresh token that can be used only once must not be lost.
                    stored = self._auth.tokens = await self._run_flow(stored or self._auth.tokens)
                    await self._auth.store.save(stored)
                self._auth.tokens = stored

    async def _run_flow(self, tokens: Tokens | None) -> Tokens:
        loop = asyncio.get_running_loop()
        if self._refusal is not None and loop.time() < self._refused_until:
            raise copy.copy(self._refusal)
        try:
            return await self._execute_flow(tokens)
        except AuthenticationError as error:
            self._refusal, self._refused_until = copy.copy(error), loop.time() + LOGIN_COOLDOWN
            raise

    async def _execute_flow(self, tokens: Tokens | None) -> Tokens:
        flow = self._auth.auth_flow(tokens)
        try:
            request = next(flow)
            while True:
                try:
                    response = await self._execute(request)
                except TingTingError as error:
                    request = flow.throw(error)
                else:
                    request = flow.send(response)
        except StopIteration as end:
            return cast("Tokens", end.value)
