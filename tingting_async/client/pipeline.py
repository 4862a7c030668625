"""From a request to its response: authenticated, sent, judged, and retried if that is allowed."""

import asyncio
from collections.abc import Mapping
from typing import Any, Never

import attrs

from tingting_async.auth.flow import Auth
from tingting_async.auth.refresh import SignInFailedError, TokenRefresher
from tingting_async.client.retries import (
    RetryBudget,
    RetryPolicy,
    final_error,
    is_inconclusive,
    is_retryable,
    leaves_outcome_unknown,
    may_follow_own_success,
    retrying,
)
from tingting_async.decoding.api_errors import deleted_response
from tingting_async.decoding.decoder import Decoder
from tingting_async.errors import AuthenticationError, NotFoundError, SessionClosedError, TingTingError, TransportError
from tingting_async.http.messages import Params, Request, Response
from tingting_async.http.timeouts import Timeout
from tingting_async.http.transport import Transport
from tingting_async.observability.emitter import CallObserver, EventEmitter

REFRESH_TIMEOUT = 10.0
"""The minimum of seconds for a token refresh, even if calls have less: a refresh token may be usable only once."""


@attrs.define(eq=False, repr=False)
class _CallState:
    timeout: Timeout
    deadline: float
    """The time at which the call ends, by the clock of the event loop."""
    observer: CallObserver | None
    params: Params | None
    """Replace the parameters of the request."""
    defers_judgement: bool
    """Whether a response with status 200 is judged when it is decoded."""


class RequestPipeline:
    """Joins auth, retries, transport and the judging of responses.

    Args:
        transport: Exchanges requests and responses.
        auth: The auth state.
        decoder: Judges responses.
        timeout: The limits of a call without limits of its own.
        retries: How failures are retried.
        emitter: Reports every attempt.
    """

    def __init__(
        self,
        transport: Transport,
        auth: Auth,
        decoder: Decoder,
        *,
        timeout: Timeout,
        retries: RetryPolicy,
        emitter: EventEmitter,
    ) -> None:
        self._transport = transport
        self._auth = auth
        self._decoder = decoder
        self._timeout = timeout
        self._retries = retries
        self._budget = RetryBudget(retries.budget)
        self._emitter = emitter
        self.sign_in: TokenRefresher = TokenRefresher(auth, self.execute, transport.is_signing_in)
        auth.refresh_timeout = timeout.at_least(REFRESH_TIMEOUT)

    async def execute(
        self, request: Request[Any], params: Params | None = None, *, defers_judgement: bool = False
    ) -> Response:
        """Execute a request, and return the response, which is a success.

        Args:
            request: The request.
            params: Replace the parameters of the request, because the pages of a list differ in nothing else.
            defers_judgement: Whether to return a response with status 200 without looking at its body. Decoding a page
                finds a failure at no cost; looking for one first would scan it twice.

        Raises:
            TingTingError: The request failed, and is not retried any more.
        """
        timeout = request.timeout or self._timeout
        deadline = asyncio.get_running_loop().time() + timeout.total
        call = _CallState(timeout, deadline, self._emitter.observe(request), params, defers_judgement)
        try:
            try:
                # The retry machinery is entered only after a failure.
                response = await self._attempt(request, call)
            except TingTingError as failure:
                return await self._retry(request, call, failure)
        except SignInFailedError as failed:
            raise failed.about(request.operation) from failed.__cause__
        self._budget.earn()
        return response

    async def _retry(self, request: Request[Any], call: _CallState, failure: TingTingError) -> Response:
        """Retry a failed request as long as its effect, the deadline and the session's retry budget allow."""
        # If one attempt may have been carried out, a later attempt that was not carried out does not change that.
        lost = failure if leaves_outcome_unknown(failure) else None
        try:
            if not is_retryable(request.effect, failure):
                raise failure
            try:
                attempts = retrying(
                    request,
                    self._retries,
                    self._budget,
                    deadline=call.deadline,
                    sleep=lambda seconds: self._transport.throttle.sleep(request.operation, seconds, call.deadline),
                )
            except (ImportError, OSError):  # tenacity cannot be loaded, or there is no file descriptor left for that.
                raise failure from None
            async for attempt in attempts:
                with attempt:
                    if attempt.retry_state.attempt_number == 1:
                        raise failure
                    call.observer = call.observer or self._emitter.observe_retry(request)
                    call.observer.retried(failure, attempt.retry_state.upcoming_sleep)
                    try:
                        return await self._attempt(request, call)
                    except NotFoundError:
                        if request.method == "DELETE" and lost is not None:
                            return deleted_response()
                        raise
                    except TingTingError as error:
                        if leaves_outcome_unknown(error) and not isinstance(lost, TransportError):
                            lost = error
                        failure = error
                        raise
        except SignInFailedError as failed:
            if lost is None:
                raise
            raise_from(final_error(request, lost), failed.error)
        except TingTingError as error:
            is_closed_read = request.effect.is_safe and isinstance(error, SessionClosedError)
            is_unknown = not is_closed_read and (is_inconclusive(error) or may_follow_own_success(request, error))
            about = lost if lost is not None and is_unknown else error
            raise_from(final_error(request, about), error)
        raise AssertionError("the last attempt neither returned nor raised")

    async def _attempt(self, request: Request[Any], call: _CallState) -> Response:
        """Send a request with the access token. If the service refuses the token, refresh it once and send again."""
        auth = self._auth
        tokens = auth.tokens
        if request.authenticate and (tokens is None or tokens.needs_refresh()):
            await self.sign_in.refresh(request.operation, rejected=auth.access, deadline=call.deadline)
        elif auth.is_unsaved and request.authenticate:
            await self.sign_in.save_again()
        may_refresh = request.authenticate
        while True:
            tokens = auth.tokens
            headers = auth.headers(request.headers) if request.authenticate else request.headers
            if call.observer is None:
                response = await self._transport.send(
                    request, headers, call.timeout, deadline=call.deadline, params=call.params
                )
            else:
                response = await self._observed(request, headers, call, call.observer)
            if call.defers_judgement and response.status == 200:
                return response
            error = self._decoder.judge(request, response)
            if error is None:
                return response
            if request.without_effect is not None and not leaves_outcome_unknown(error):
                request.without_effect()
            # A gateway's 401 may follow a send that was carried out.
            is_repeatable = request.effect.is_idempotent or error.is_refusal
            if not (may_refresh and is_repeatable and isinstance(error, AuthenticationError)):
                raise error
            if not auth.can_refresh(error):
                raise error
            may_refresh = False
            rejected = None if tokens is None else tokens.access
            await self.sign_in.refresh(request.operation, rejected=rejected, deadline=call.deadline)

    async def _observed(
        self, request: Request[Any], headers: Mapping[str, str], call: _CallState, observer: CallObserver
    ) -> Response:
        """Send a request, and report the attempt."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        observer.started()
        try:
            response = await self._transport.send(
                request, headers, call.timeout, deadline=call.deadline, params=call.params
            )
        except BaseException as error:
            observer.failed(error, loop.time() - started)
            raise
        observer.received(response, loop.time() - started)
        return response


def raise_from(error: TingTingError, cause: TingTingError) -> Never:
    """Raise an error that was made from another one, or is the same one.

    The traceback of the attempt is cut off: it shows the internals of the retries, and the error says what happened.
    """
    cause.with_traceback(None)
    if error is cause:
        raise error
    raise error from cause
