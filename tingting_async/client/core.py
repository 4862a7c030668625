"""What the resources of a session share: how requests are executed, and how lists are paginated."""

import asyncio
import functools
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, cast

from tingting_async.auth.flow import Auth
from tingting_async.auth.refresh import SignInFailedError
from tingting_async.client.pipeline import RequestPipeline, raise_from
from tingting_async.client.retries import RetryPolicy, final_error
from tingting_async.decoding.decoder import Decoder, ResponseFormat
from tingting_async.errors import DecodeError, SessionClosedError, TingTingError, UsageError
from tingting_async.http.clocks import note_clocks, read_clocks
from tingting_async.http.messages import Effect, Params, Request, Response, T
from tingting_async.http.timeouts import Timeout, running_loop
from tingting_async.http.transport import Transport
from tingting_async.late_imports import loading
from tingting_async.ledger.expected import check_expected
from tingting_async.observability.emitter import EventEmitter
from tingting_async.outcomes import Clocks, Reconcilable, attach_sleep

if TYPE_CHECKING:
    from tingting_async.client.guards import Guards
    from tingting_async.ledger.jobs import Job
    from tingting_async.ledger.ledger import Ledger
    from tingting_async.pagination.page import Page
    from tingting_async.pagination.paginator import Paginator
    from tingting_async.pagination.prefetch import FairShare
    from tingting_async.pagination.styles import PaginationStyle

PageMaker = Callable[[Decoder, Request[list[T]], Response, int, list[T], dict[str, Any]], "Page[T]"]
"""Makes a page of its number, its rows and the fields beside them; the decoder and the response are for errors."""


class Core:
    """Executes the operations of a session's resources.

    Every request goes through `execute`, every list through `paginate`.

    Args:
        transport: Exchanges requests and responses.
        auth: The auth state.
        response_format: How the generation of the API writes its responses.
        timeout: The limits of a call without limits of its own.
        retries: How failures are retried.
        window: The maximum number of pages of a list in flight at the same time.
        max_in_flight: The maximum number of requests in flight at the same time.
        ledger: Records sends, so that none happens twice; None for no ledger.
        guards: The user's own limits for sends; None for none.
        telemetry: Whether to subscribe the OpenTelemetry listener if the process has a tracer provider.
    """

    def __init__(
        self,
        transport: Transport,
        auth: Auth,
        response_format: ResponseFormat,
        *,
        timeout: Timeout,
        retries: RetryPolicy,
        window: int,
        max_in_flight: int,
        ledger: "Ledger | None",
        guards: "Guards | None",
        telemetry: bool,
    ) -> None:
        self.auth = auth
        self.transport = transport
        self.base_url: str = transport.base_url
        self.emitter: EventEmitter = EventEmitter(transport.base_url)
        self.decoder: Decoder = Decoder(response_format, auth.secrets)
        self.is_closed: bool = False
        self.max_in_flight: int = max_in_flight
        self._timeout = timeout
        self._window = window
        self._share: FairShare | None = None  # The first list makes it.
        self._ledger = ledger
        self.guards: Guards | None = guards
        self._has_telemetry = telemetry
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pipeline = RequestPipeline(
            transport, auth, self.decoder, timeout=timeout, retries=retries, emitter=self.emitter
        )

    async def execute(self, request: Request[T]) -> T:
        """Execute an operation, and return its result.

        Raises:
            TingTingError: See `tingting_async.errors`.
        """
        ledger = self._require_ledger(request)
        self.decoder.prepare(request)
        send: Callable[[Request[T]], Awaitable[T]] = self._send
        if self.guards is not None and (request.reaches is not None or request.effect is Effect.SEND):
            send = await self._admit(self.guards, request)
        try:
            if ledger is None or request.is_claimed:  # As those of `create` and of `open_job` are.
                return await send(request)
            return await ledger.execute(self.base_url, request, send, self.read_clocks)
        except Reconcilable as error:
            attach_sleep(error, functools.partial(self.sleep, request.operation))
            raise

    async def create(self, request: Request[T], call: Callable[[Request[T]], Awaitable[T]]) -> T:
        """Execute a creation, once for its `idempotency_key`, and return what was created.

        Args:
            request: The request. With a key, it has a `creation`.
            call: Executes it, in the end by `execute`.

        Raises:
            TingTingError: See `tingting_async.errors`.
        """
        ledger = self._require_ledger(request)
        if ledger is None:
            return await call(request)
        with loading(request.operation):
            from tingting_async.ledger.creations import ensure_created  # noqa: PLC0415 - few programs need it

        sleep = functools.partial(self.sleep, request.operation)
        limit = request.timeout or self._timeout
        try:
            return await ensure_created(
                ledger, self.base_url, request, call, read_clocks=self.read_clocks, sleep=sleep, timeout=limit
            )
        except Reconcilable as error:
            attach_sleep(error, sleep)
            raise

    async def open_job(self, request: Request[Any]) -> "Job":
        """Begin or continue an operation of many requests, once for its `idempotency_key`.

        Args:
            request: Stands for the whole operation; see `tingting_async.ledger.jobs.open_job`.

        Raises:
            TingTingError: See there.
        """
        ledger = self._require_ledger(request)
        assert ledger is not None, "it has a key"
        with loading(request.operation):
            from tingting_async.ledger.jobs import open_job  # noqa: PLC0415 - few programs need it

        sleep = functools.partial(self.sleep, request.operation)
        limit = request.timeout or self._timeout
        deadline = asyncio.get_running_loop().time() + limit.total
        try:
            return await open_job(
                ledger, self.base_url, request, read_clocks=self.read_clocks, sleep=sleep, deadline=deadline
            )
        except Reconcilable as error:
            attach_sleep(error, sleep)
            raise

    async def sleep(self, operation: str, seconds: float) -> None:
        """Wait between two requests of an operation.

        Raises:
            SessionClosedError: The session is closed, or was closed meanwhile.
        """
        self.ensure_open()
        await self.transport.throttle.sleep(operation, seconds)

    def read_clocks(self) -> Clocks:
        """Return the times of this machine's clock and the service's clock now."""
        return read_clocks(self.transport.latest)

    def note_clocks(self) -> Callable[[], Clocks]:
        """Return a function that returns the present times of the clocks, whenever it is called."""
        return note_clocks(self.transport.latest)

    async def refuse_duplicate(self, request: Request[Any]) -> None:
        """Refuse a send that the ledger has, before other requests change anything in preparation for it.

        Raises:
            DuplicateSendError: The send was made before, or may have been.
        """
        if (ledger := self._require_ledger(request)) is not None:
            try:
                await ledger.refuse_duplicate(self.base_url, request)
            except Reconcilable as error:
                attach_sleep(error, functools.partial(self.sleep, request.operation))
                raise

    async def prepare(self, request: Request[Any], preparation: Callable[[], Awaitable[T]]) -> T:
        """Prepare a send by what reads or changes the state of the service, unless the ledger has the send.

        A send that was made has changed this state: the preparation's own error would hide that.

        Raises:
            DuplicateSendError: The send was made before, or may have been, also by another process meanwhile.
        """
        await self.refuse_duplicate(request)
        try:
            return await preparation()
        except TingTingError:
            await self.refuse_duplicate(request)
            raise

    @property
    def ledger(self) -> "Ledger | None":
        """The ledger that records the sends; None without a ledger."""
        return self._ledger

    def _require_ledger(self, request: Request[Any]) -> "Ledger | None":
        """Return the ledger that has to record a request, if one has to; `ensure_sent` checks the request first."""
        if request.effect is Effect.READ:
            return None
        if self._ledger is None and request.idempotency_key is not None:
            raise UsageError(
                f"{request.operation}: `idempotency_key` needs a ledger, which records the key: `TingTing(ledger=…)`."
            )
        has_ledger = self._ledger is not None
        check_expected(
            request, self.base_url, functools.partial(self.refuse_duplicate, request) if has_ledger else None
        )
        is_recorded = request.effect is Effect.SEND or request.idempotency_key is not None
        return self._ledger if is_recorded else None

    async def _admit(self, guards: "Guards", request: Request[T]) -> Callable[[Request[T]], Awaitable[T]]:
        """Let the guards check a request. Return the function that sends it; a send is checked again first."""
        from tingting_async.client.guards import admit  # noqa: PLC0415 - few programs need it

        if request.effect is not Effect.SEND:
            await admit(guards, request)
            return self._send
        # A send that was made before may no longer be allowed. The error that it was made says more.
        admission = await self.prepare(request, functools.partial(admit, guards, request))
        return lambda claimed: self._send(admission.protect(claimed))

    async def suppressed_numbers(self, operation: str) -> frozenset[str]:
        """Return the national digits of the numbers that a guard does not allow to add; empty without that guard.

        Raises:
            GuardError: The suppression list cannot be read.
        """
        return frozenset() if self.guards is None else await self.guards.suppressed_numbers(operation)

    async def _send(self, request: Request[T]) -> T:
        response = await self.fetch(request)
        if request.model is Response:
            return cast("T", response)
        try:
            return self.decoder.decode(request, response)
        except DecodeError as error:
            raise_from(final_error(request, error), error)

    async def login(self, request: Request[Any]) -> Response:
        """Sign in by this request, use its tokens from now on, save them, and return the response."""
        self.ensure_open()
        try:
            return await self._pipeline.sign_in.login(request, request.timeout or self._timeout)
        except SignInFailedError as failed:
            raise failed.error from failed.__cause__

    async def refresh(self) -> None:
        """Get new tokens now, even if the present ones are valid.

        Raises:
            UsageError: The session uses a fixed API token.
            AuthenticationError: Neither the refresh token nor the credentials are accepted.
        """
        if self.auth.is_fixed:
            raise UsageError("accounts.refresh: a fixed API token cannot be refreshed.")
        self.ensure_open()
        self._pipeline.sign_in.forget_refusal()  # The caller asks for it explicitly.
        try:
            await self._pipeline.sign_in.refresh(
                "accounts.refresh",
                rejected=self.auth.access,
                deadline=asyncio.get_running_loop().time() + self._timeout.total,
            )
        except SignInFailedError as failed:
            raise failed.error from failed.__cause__

    def fetch(self, request: Request[Any]) -> Coroutine[Any, Any, Response]:
        """Execute a request, and return the response."""
        self.ensure_open()
        return self._pipeline.execute(request)

    def paginate(
        self,
        request: Request[list[T]],
        style: "PaginationStyle",
        make_page: PageMaker[T],
        *,
        window: int | None = None,
        exact: bool = False,
        max_cost: float | None = None,
        resume: str | None = None,
    ) -> "Paginator[T]":
        """Return the paginator of a list.

        Args:
            request: The request for the first page.
            style: How the other pages are requested.
            make_page: Makes a page of a decoded response.
            window: The maximum number of pages in flight; None for the session's `window`, with a slow start.
            exact: Whether to repeat the iteration until no row can be missing.
            max_cost: How many times the requests of a plain iteration an exact one may send; None for the default.
            resume: The resume token of an earlier iterator.
        """
        from tingting_async.pagination.page import merge  # noqa: PLC0415 - the resource has imported them
        from tingting_async.pagination.paginator import Paginator  # noqa: PLC0415
        from tingting_async.pagination.prefetch import FairShare  # noqa: PLC0415

        self.decoder.prepare(request)
        self._share = self._share or FairShare(slots=self.max_in_flight)

        def fetch(params: Params, *, defers_judgement: bool = False) -> Coroutine[Any, Any, Response]:
            if not defers_judgement:  # The tasks that prefetch pages end with the session.
                self.ensure_open()
            merged = merge(request.params, params) if request.params else params
            return self._pipeline.execute(request, merged, defers_judgement=defers_judgement)

        def decode_page(response: Response, number: int) -> "Page[T]":
            rows, beside = self.decoder.decode_rows(request, response)
            return make_page(self.decoder, request, response, number, rows, beside)

        return Paginator(
            fetch,
            self.start_task,
            style,
            self._share,
            default_window=self._window,
            prefetch=functools.partial(fetch, defers_judgement=True),
            decode=decode_page,
            window=window,
            fingerprint=f"{request.operation} {request.path}?{request.query}",
            exact=exact,
            max_cost=max_cost,
            resume=resume,
        )

    def start_task(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task that is cancelled when the session is closed."""
        try:
            self.ensure_open()
        except SessionClosedError:
            coroutine.close()
            raise
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # Marks it as retrieved, even if no one awaits the task any more.

    @property
    def is_open(self) -> bool:
        """Whether the session was used and not closed since."""
        return self._loop is not None and not self.is_closed

    def ensure_open(self) -> None:
        """Refuse to continue if the session is closed, or belongs to another event loop.

        Raises:
            SessionClosedError: It is closed, or was first used in another event loop.
            MisuseError: No asyncio event loop is running here.
        """
        if self.is_closed:
            raise SessionClosedError("The session is closed. Open a new one.")
        loop = running_loop()
        if self._loop is not loop:
            if self._loop is not None:
                raise SessionClosedError(
                    "The session was first used in another event loop. Open one session for each event loop."
                )
            self._loop = loop
            # A process that has a tracer provider has imported this module; no other process pays for the import.
            if self._has_telemetry and "opentelemetry.trace" in sys.modules:
                from tingting_async.observability.opentelemetry import find_listener  # noqa: PLC0415

                if (listener := find_listener()) is not None:
                    self.emitter.subscribe(listener)

    async def aclose(self) -> None:
        """Close the session: cancel its requests, and wait for them to end. A second call is harmless.

        A token refresh that has left is completed before, because its refresh token may be usable only once.
        """
        self.is_closed = True
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            # Not at once: a task that is cancelled before its first step cannot notify the tasks that wait for it.
            task.get_loop().call_soon(task.cancel)
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self.transport.stop()
            try:
                await self._pipeline.sign_in.aclose()
            finally:
                await self.transport.aclose()
