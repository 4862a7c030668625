"""The session: joins requests, auth, policy and transport. One way for a request, one for a list of pages."""

import asyncio
import inspect
import ssl as ssl_module
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import attrs

from tingting_async.auth.flow import Auth, Dialect
from tingting_async.auth.refresh import SignInFailedError
from tingting_async.auth.tokens import Credentials, Tokens, TokenStore
from tingting_async.client.environment import complete
from tingting_async.client.pipeline import Exchange, raise_from
from tingting_async.client.retries import Retries, settle
from tingting_async.decoding.decoder import Reader, read_payload
from tingting_async.errors import DecodeError, SessionClosedError, TingTingError, UsageError
from tingting_async.http.base_url import normalise_base_url
from tingting_async.http.messages import Effect, Params, Request, Response
from tingting_async.http.timeouts import Timeout
from tingting_async.http.transport import ClientSession, Transport
from tingting_async.observability.emitter import Watch
from tingting_async.observability.events import Listener
from tingting_async.observability.opentelemetry import find_listener
from tingting_async.pagination.page import Page, merge
from tingting_async.pagination.paginator import Paginator
from tingting_async.pagination.prefetch import Crowd
from tingting_async.pagination.styles import Convention

if TYPE_CHECKING:
    from tingting_async.ledger.sqlite import SendLedger

T = TypeVar("T")

DEFAULT_BASE_URL = "https://app.tingting.io"


class Session:
    """What both generations' `TingTing` are: the auth state, one connection pool, the limits, the tasks.

    Use it with `async with`, from as many tasks of one event loop as you like. It may be opened in one task and closed
    in another.

    Args:
        base_url: The service's address, with or without `/api/v1/` or a trailing slash.
        email: Signs in on first use, together with `password`.
        password: Goes with `email`.
        api_token: A fixed token, instead of signing in.
        token_store: Where tokens are kept between sessions; in memory by default.
        timeout: The limits of every call: a `Timeout`, or the seconds that a whole call may take.
        window: How many pages of a list are fetched ahead, at most.
        max_in_flight: How many requests are on their way at the same time, at most.
        rate: How many requests leave in a second, at most, evenly spaced; waiting for a turn counts to `Timeout.pool`.
        retries: How failures are repeated, where the operation allows it: a `Retries`, or the number of attempts.
        ledger: Writes down what rings or sends before it leaves, so that nothing is sent twice: a `SendLedger`.
        http: Your own `aiohttp.ClientSession`; it is never closed, and its proxy and TLS settings are used.
        proxy: The URL of an HTTP proxy.
        ssl: A TLS context.
        trust_env: Whether the proxy is taken from the environment (`HTTPS_PROXY`, `NO_PROXY`, …).
        allow_plain_http: Whether `http://` is accepted for another host than this machine: whoever is on the way can
            then read the password, the tokens and every phone number.
        telemetry: Whether to make OpenTelemetry spans, where a tracer provider was set up before the first request.

    Raises:
        UsageError: The arguments contradict each other, or the address would give the credentials away.
    """

    _dialect: Dialect
    _reader: Reader
    _transport: Transport | None = None
    """None where the arguments were refused."""

    def __init__(
        self,
        *,
        base_url: str = DEFAULT_BASE_URL,
        email: str | None = None,
        password: str | None = None,
        api_token: str | None = None,
        token_store: TokenStore | None = None,
        timeout: Timeout | float = Timeout(),  # noqa: B008 - a frozen value
        window: int = 4,
        max_in_flight: int = 32,
        rate: float | None = None,
        retries: Retries | int = Retries(),  # noqa: B008 - a frozen value
        ledger: "SendLedger | None" = None,
        http: ClientSession | None = None,
        proxy: str | None = None,
        ssl: ssl_module.SSLContext | None = None,
        trust_env: bool = False,
        allow_plain_http: bool = False,
        telemetry: bool = True,
    ) -> None:
        credentials = Credentials.of(email, password)
        if credentials is None and api_token is None and token_store is None:
            raise UsageError(
                "Give `email` and `password`, or `api_token`, or a `token_store` that holds tokens; `from_env()` takes "
                "them from TINGTING_EMAIL and TINGTING_PASSWORD, or TINGTING_API_TOKEN."
            )
        for name, number in (("window", window), ("max_in_flight", max_in_flight)):
            if type(number) is not int or number < 1:
                raise UsageError(f"`{name}` is {number!r}; it has to be an integer from 1 up.")
        if http is not None and (proxy or ssl or trust_env):
            raise UsageError("`proxy`, `ssl` and `trust_env` are settings of your own `http` session: set them there.")
        self._auth = Auth(self._dialect, credentials=credentials, api_token=api_token, store=token_store)
        self._timeout = Timeout.of(timeout)
        self._window = window
        self._crowd = Crowd(places=max_in_flight)
        self._ledger = ledger
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False
        self._transport = Transport(
            base_url=normalise_base_url(base_url, allow_plain_http=allow_plain_http),
            max_in_flight=max_in_flight,
            rate=rate,
            http=http,
            proxy=proxy,
            ssl=ssl,
            trust_env=trust_env,
        )
        self._watch = Watch(self._transport.base_url)
        self._has_telemetry = telemetry
        self._exchange = Exchange(
            self._transport,
            self._auth,
            timeout=self._timeout,
            retries=Retries.of(retries),
            watch=self._watch,
            spawn=self.spawn,
        )

    @classmethod
    def from_env(cls, **options: Any) -> Self:
        """Make a session from the environment.

        Reads `TINGTING_BASE_URL`, `TINGTING_API_TOKEN`, `TINGTING_EMAIL` and `TINGTING_PASSWORD`; with an API token the
        other two are not used. What is given by keyword counts more.

        Args:
            **options: As of the class.

        Raises:
            UsageError: Neither a token nor an e-mail address with a password is there.
        """
        return cls(**complete(options, inspect.signature(cls).parameters))

    @property
    def base_url(self) -> str:
        """The service's address, as it is used."""
        assert self._transport is not None
        return self._transport.base_url

    @property
    def requests_sent(self) -> int:
        """How many requests the session has made so far: signing in, pages ahead and repeats included."""
        assert self._transport is not None
        return self._transport.sent

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__qualname__} {self.base_url}{' closed' * self._is_closed}>"

    async def __aenter__(self) -> Self:
        self._enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the session: what is in flight is cancelled and awaited. Closing twice does no harm."""
        self._is_closed = True
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            # Not at once: one that is cancelled before its first step never gets to tell those who wait for it.
            task.get_loop().call_soon(task.cancel)
        assert self._transport is not None
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            await self._transport.aclose()

    def __del__(self) -> None:
        if self._transport is not None and not self._is_closed:
            self._transport.warn_if_open()

    async def call(self, request: Request[T]) -> T:
        """Carry out an operation: the one way in which anything is asked.

        Raises:
            TingTingError: See `tingting_async.errors`.
        """
        ledger = self._ledger_for(request)
        if ledger is None:
            return await self._call(request)
        return await ledger.carry_out(self.base_url, request, self._call)

    async def refuse_duplicate(self, request: Request[Any]) -> None:
        """Refuse what rings if the ledger knows of it, ahead of what is changed for it in requests of their own.

        Raises:
            DuplicateSendError: It was sent before, or may have been.
        """
        if (ledger := self._ledger_for(request)) is not None:
            await ledger.refuse_duplicate(self.base_url, request)

    def _ledger_for(self, request: Request[Any]) -> "SendLedger | None":
        if request.effect is not Effect.RINGS:
            return None
        if self._ledger is None and request.once is not None:
            raise UsageError(f"{request.operation}: `once` needs a ledger, which keeps count: `TingTing(ledger=…)`.")
        return self._ledger

    async def _call(self, request: Request[T]) -> T:
        response = await self.exchange(request)
        if request.model is Response:
            return cast("T", response)
        try:
            return cast("T", self.read(request, response, read_payload))
        except DecodeError as error:
            raise_from(settle(request, error), error)

    def read(self, request: Request[Any], response: Response, read: Callable[..., T], *more: Any) -> T:
        """Read an answer; `read` takes the reader, the request, the response, and what more there is."""
        try:
            return read(self._reader, request, response, *more)
        except TingTingError:
            known = self._exchange.with_secrets(request)
        # Once more, to say it without the secrets that the service may have quoted, and not in the wake of the first.
        return read(self._reader, known, response, *more)

    @property
    def auth(self) -> Auth:
        """The auth state, for the generation's accounts."""
        return self._auth

    async def adopt(self, tokens: Tokens) -> None:
        """Use these tokens from now on."""
        await self._exchange.sign_in.adopt(tokens)

    async def renew(self) -> None:
        """Get new tokens now.

        Raises:
            UsageError: The session uses a fixed API token.
            AuthenticationError: Neither the refresh token nor the credentials are accepted.
        """
        if self._auth.is_fixed:
            raise UsageError("A fixed API token cannot be renewed.")
        self._enter()
        self._exchange.sign_in.forget_refusal()  # It is asked for by name.
        deadline = asyncio.get_running_loop().time() + self._timeout.total
        try:
            await self._exchange.sign_in.renew("accounts.refresh", rejected=self._auth.access, deadline=deadline)
        except SignInFailedError as failed:
            raise failed.error from failed.__cause__

    def exchange(self, request: Request[Any], params: Params | None = None) -> Coroutine[Any, Any, Response]:
        """Carry out a request, with other parameters where some are given, and return the answer to be read."""
        self._enter()
        return self._exchange.carry_out(request, params)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell a function of every `RequestEvent`: started, answered, failed, repeated.

        Args:
            listener: Takes an event; called in the event loop, so that it must not block. What it raises is logged.

        Returns:
            What ends it.

        Raises:
            UsageError: It is a coroutine function, which nobody would await.
        """
        return self._watch.subscribe(listener)

    def paginate(
        self,
        request: Request[list[T]],
        convention: Convention,
        read: Callable[[Reader, Request[list[T]], Response, int], Page[T]],
        *,
        window: int | None = None,
        exact: bool = False,
        resume: str | None = None,
    ) -> Paginator[T]:
        """Return the pages of a list.

        Args:
            request: What asks for the first page.
            convention: How the others are asked for.
            read: Reads a page from an answer; also takes which one was asked for, from 1.
            window: How many pages are in flight at once; None for the session's, with a slow start.
            exact: Whether to walk until no row can have been missed.
            resume: The token of a walk that is to be gone on with.
        """
        request = attrs.evolve(request, glance=self._reader.glance(request.model, request.payload))

        def fetch(params: Params) -> Coroutine[Any, Any, Response]:
            return self.exchange(request, merge(request.params, params))

        def read_page(came: Response, number: int) -> Page[T]:
            return self.read(request, came, read, number)

        return Paginator(
            fetch,
            self.spawn,
            convention,
            self._crowd,
            window=self._window,
            read=read_page,
            given=window,
            identity=f"{request.operation} {request.path}?{request.query}",
            exact=exact,
            resume=resume,
        )

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task that ends with the session at the latest."""
        try:
            self._enter()
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
            task.exception()  # Seen, even where nobody waits for it any more.

    def _enter(self) -> None:
        if self._is_closed:
            raise SessionClosedError("The session is closed: open another.")
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._loop is not None:
                raise SessionClosedError("The session was first used in another event loop: open one session for each.")
            self._loop = loop
            if self._has_telemetry and (spans := find_listener()) is not None:
                self.subscribe(spans)
