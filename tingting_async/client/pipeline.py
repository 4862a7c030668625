"""A request's way to its answer: signed in, sent, repeated where that is allowed. All that is asked goes this way."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
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
from tingting_async.decoding import api_errors
from tingting_async.errors import AuthenticationError, NotFoundError, TingTingError, TransportError
from tingting_async.http.messages import Params, Request, Response
from tingting_async.http.timeouts import Timeout
from tingting_async.http.transport import Transport
from tingting_async.observability.emitter import CallObserver, EventEmitter


@attrs.define
class _CallState:
    timeout: Timeout
    deadline: float
    """When it ends, by the loop's clock."""
    watched: CallObserver | None
    params: Params | None
    """In the place of the request's own."""


class RequestPipeline:
    """Joins auth, policy and transport.

    Args:
        transport: Sends.
        auth: Says who asks.
        timeout: The limits of a call that has none of its own.
        retries: How failures are repeated.
        watch: Is told of every attempt.
        spawn: Starts a task that ends with the session.
    """

    def __init__(
        self,
        transport: Transport,
        auth: Auth,
        *,
        timeout: Timeout,
        retries: RetryPolicy,
        watch: EventEmitter,
        spawn: Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"],
    ) -> None:
        self._transport = transport
        self._auth = auth
        self._timeout = timeout
        self._retries = retries
        self._budget = RetryBudget(retries.budget)
        self._watch = watch
        self.sign_in = TokenRefresher(auth, self.execute, spawn)

    async def execute(self, request: Request[Any], params: Params | None = None) -> Response:
        """Carry out a request, and return the answer to be read.

        Args:
            request: What is asked.
            params: In the place of its own: a page's request differs from the next one's in them alone.

        Raises:
            TingTingError: It failed, and is not repeated any more.
        """
        timeout = request.timeout or self._timeout
        deadline = asyncio.get_running_loop().time() + timeout.total
        call = _CallState(timeout, deadline, self._watch.observe(request), params)
        try:
            try:
                # The first attempt goes bare: what repeats is entered only once something has failed.
                response = await self._attempt(request, call)
            except TingTingError as failure:
                return await self._repeated(request, call, failure)
        except SignInFailedError as failed:
            raise failed.error from failed.__cause__
        self._budget.earn()
        return response

    def with_secrets(self, request: Request[Any]) -> Request[Any]:
        """Return the request with all that no text about it may show."""
        if not request.authenticate:
            return request
        return attrs.evolve(request, secrets=request.secrets + self._auth.secrets())

    async def _repeated(self, request: Request[Any], call: _CallState, failure: TingTingError) -> Response:
        """Repeat a failed request for as long as its effect, the deadline and the session's budget allow."""
        # Whether an earlier attempt may have done it is not forgotten over a later one that cannot have.
        lost = failure if leaves_outcome_unknown(failure) else None
        try:
            if not is_retryable(request.effect, failure):
                raise failure
            async for attempt in retrying(request, self._retries, self._budget, deadline=call.deadline):
                with attempt:
                    if attempt.retry_state.attempt_number == 1:
                        raise failure
                    call.watched = call.watched or self._watch.observe_retry(request)
                    call.watched.repeated(failure, attempt.retry_state.upcoming_sleep)
                    try:
                        return await self._attempt(request, call)
                    except NotFoundError:
                        if request.method == "DELETE" and lost is not None:
                            return api_errors.deleted_response()
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
            is_open = is_inconclusive(error) or may_follow_own_success(request, error)
            about = lost if lost is not None and is_open else error
            raise_from(final_error(request, about), error)
        raise AssertionError("the last attempt returns or raises")

    async def _attempt(self, request: Request[Any], call: _CallState) -> Response:
        """Send a request as the account; if the token is refused, renew it once and send the request again."""
        auth = self._auth
        if request.authenticate and auth.needs_refresh():
            await self.sign_in.refresh(request.operation, rejected=auth.access, deadline=call.deadline)
        may_renew = request.authenticate
        while True:
            used = auth.access
            headers = auth.headers(request.headers) if request.authenticate else request.headers
            if call.watched is None:
                response = await self._transport.send(
                    request, headers, call.timeout, deadline=call.deadline, params=call.params
                )
            else:
                response = await self._watched(request, headers, call, call.watched)
            if request.glance is not None and request.glance.begins_well(response):
                return response  # Judged when it is read.
            if api_errors.error_status(response) is None:
                return response
            refusal = api_errors.error_from_response(self.with_secrets(request), response)
            assert refusal is not None
            if not may_renew or not isinstance(refusal, AuthenticationError) or not auth.can_refresh(refusal):
                raise refusal
            may_renew = False
            await self.sign_in.refresh(request.operation, rejected=used, deadline=call.deadline)

    async def _watched(
        self, request: Request[Any], headers: Mapping[str, str], call: _CallState, watched: CallObserver
    ) -> Response:
        """Send a request, and tell of it."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        watched.started()
        try:
            response = await self._transport.send(
                request, headers, call.timeout, deadline=call.deadline, params=call.params
            )
        except BaseException as error:
            watched.failed(error, loop.time() - started)
            raise
        watched.answered(response, loop.time() - started)
        return response


def raise_from(error: TingTingError, cause: TingTingError) -> Never:
    """Raise an error that was made of another one, or is that one."""
    if error is cause:
        raise error
    raise error from cause
