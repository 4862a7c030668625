"""The session: joins requests, auth, policy and transport. One way for a request, one for a list of pages."""

import inspect
import ssl as ssl_module
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from tingting_async.auth.flow import Auth, AuthScheme
from tingting_async.auth.tokens import Credentials, TokenStore
from tingting_async.client.core import Core
from tingting_async.client.environment import options_from_env
from tingting_async.client.retries import RetryPolicy
from tingting_async.decoding.decoder import Decoder
from tingting_async.errors import UsageError
from tingting_async.http.base_url import normalise_base_url
from tingting_async.http.timeouts import Timeout
from tingting_async.http.transport import ClientSession, Transport
from tingting_async.observability.events import Listener

if TYPE_CHECKING:
    from tingting_async.ledger.sqlite import SqliteLedger

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
        retries: How failures are repeated, where the operation allows it: a `RetryPolicy`, or the number of attempts.
        ledger: Writes down what rings or sends before it leaves, so that nothing is sent twice: a `SqliteLedger`.
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

    _auth_scheme: AuthScheme
    _decoder: Decoder
    _core: Core

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
        retries: RetryPolicy | int = RetryPolicy(),  # noqa: B008 - a frozen value
        ledger: "SqliteLedger | None" = None,
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
        transport = Transport(
            base_url=normalise_base_url(base_url, allow_plain_http=allow_plain_http),
            max_in_flight=max_in_flight,
            rate=rate,
            http=http,
            proxy=proxy,
            ssl=ssl,
            trust_env=trust_env,
        )
        self._core = Core(
            transport,
            Auth(self._auth_scheme, credentials=credentials, api_token=api_token, store=token_store),
            self._decoder,
            timeout=Timeout.of(timeout),
            retries=RetryPolicy.of(retries),
            window=window,
            max_in_flight=max_in_flight,
            ledger=ledger,
            telemetry=telemetry,
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
        return cls(**options_from_env(options, inspect.signature(cls).parameters))

    @property
    def base_url(self) -> str:
        """The service's address, as it is used."""
        return self._core.base_url

    @property
    def requests_sent(self) -> int:
        """How many requests the session has made so far: signing in, pages ahead and repeats included."""
        return self._core.transport.sent

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__qualname__} {self.base_url}{' closed' * self._core.is_closed}>"

    async def __aenter__(self) -> Self:
        self._core.ensure_open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the session: what is in flight is cancelled and awaited. Closing twice does no harm."""
        await self._core.aclose()

    def __del__(self) -> None:
        core: Core | None = getattr(self, "_core", None)  # There is none if the arguments were refused.
        if core is not None and not core.is_closed:
            core.transport.warn_if_open()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell a function of every `RequestEvent`: started, answered, failed, repeated.

        Args:
            listener: Takes an event; called in the event loop, so that it must not block. What it raises is logged.

        Returns:
            What ends it.

        Raises:
            UsageError: It is a coroutine function, which nobody would await.
        """
        return self._core.emitter.subscribe(listener)
