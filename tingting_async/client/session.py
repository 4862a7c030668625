"""The session: its settings and its life. What it does for its resources is in `core`."""

import functools
import inspect
import ssl as ssl_module
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Self, cast

from tingting_async.auth.flow import Auth, AuthScheme
from tingting_async.auth.tokens import Credentials, TokenStore
from tingting_async.client.core import Core
from tingting_async.client.environment import options_from_env
from tingting_async.client.hints import Hinting
from tingting_async.client.options import require_bool
from tingting_async.client.retries import RetryPolicy
from tingting_async.decoding.decoder import ResponseFormat
from tingting_async.errors import MisuseError, UsageError
from tingting_async.http.base_url import normalise_base_url
from tingting_async.http.rate_limits.queue import RateLimit
from tingting_async.http.timeouts import Timeout
from tingting_async.http.transport import ClientSession, Transport
from tingting_async.quantities import is_count, shown
from tingting_async.suggestions import suggest_name
from tingting_async.tracebacks import short_traceback

if TYPE_CHECKING:
    from tingting_async.client.guards import Guards
    from tingting_async.ledger.ledger import Ledger
    from tingting_async.observability.events import Listener

P = ParamSpec("P")

DEFAULT_BASE_URL = "https://app.tingting.io"


def _named_only(init: Callable[P, None]) -> Callable[P, None]:
    """Let positional and unknown arguments of a session be an error that says what to write."""
    _, *names = inspect.signature(init).parameters

    @functools.wraps(init)
    def check(self: "Session", *positional: object, **named: Any) -> None:
        if positional:
            raise MisuseError(
                f"{type(self).__name__} takes no positional arguments: write `TingTing(email=…, password=…)`, or "
                "`TingTing(api_token=…)`."
            )
        for name in named:
            if name not in names:
                hint = suggest_name(name, names)
                raise MisuseError(f"{type(self).__name__}() got an unexpected keyword argument {name!r}. {hint}")
        cast("Callable[..., None]", init)(self, **named)

    return cast("Callable[P, None]", check)


class Session(Hinting):
    """What both generations' `TingTing` share: the auth state, the connections, the limits and the tasks.

    Use a session with `async with`, from as many tasks of one event loop as you like. You may open it in one task and
    close it in another. All times are in seconds.

    Args:
        base_url: The address of the service, with or without `/api/v1/` or a trailing slash.
        email: Signs in on first use, together with `password`.
        password: The password for `email`.
        api_token: A fixed token, instead of signing in.
        token_store: Where tokens are kept between sessions. In memory by default.
        timeout: The limits of every call: a `Timeout`, or the seconds that a whole call may take.
        window: The maximum number of pages of a list in flight at the same time.
        max_in_flight: The maximum number of requests in flight.
        rate: The maximum number of requests per second across all tasks, evenly spaced; for several processes, a
            `RedisRateLimit` or `PostgresRateLimit` that they share. Waiting for it counts towards `Timeout.pool`.
        retries: How failures are retried if the operation allows it: a `RetryPolicy`, or the number of attempts.
        ledger: Records sends, so that none happens twice: a `SqliteLedger` or a `PostgresLedger`.
        guards: Your own limits for everything that calls, texts or spends: `Guards(max_recipients=500)`.
        http: Your own `aiohttp.ClientSession`. Its proxy and TLS settings are used. It is never closed.
        proxy: The URL of an HTTP proxy.
        ssl: A TLS context.
        trust_env: Whether to take the proxy from the environment (`HTTPS_PROXY`, `NO_PROXY`, …).
        allow_plain_http: Whether to allow `http://` to another machine. Anyone on the network path can then read the
            password, the tokens and every phone number.
        fresh_connections: Whether each request that changes something opens a connection of its own. By default it may
            use a connection that was in use less than a second ago, which saves up to three round trips.
        telemetry: Whether to make OpenTelemetry spans if a tracer provider was set up before the first request.

    Raises:
        UsageError: The arguments contradict each other, or the address would expose the credentials.
    """

    _auth_scheme: AuthScheme
    _response_format: ResponseFormat
    _core: Core

    @short_traceback
    @_named_only
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
        rate: "float | RateLimit | None" = None,
        retries: RetryPolicy | int = RetryPolicy(),  # noqa: B008 - a frozen value
        ledger: "Ledger | None" = None,
        guards: "Guards | None" = None,
        http: ClientSession | None = None,
        proxy: str | None = None,
        ssl: ssl_module.SSLContext | None = None,
        trust_env: bool = False,
        allow_plain_http: bool = False,
        fresh_connections: bool = False,
        telemetry: bool = True,
    ) -> None:
        for name, given in (
            ("trust_env", trust_env),
            ("allow_plain_http", allow_plain_http),
            ("fresh_connections", fresh_connections),
            ("telemetry", telemetry),
        ):
            require_bool(given, name)
        credentials = Credentials.of(email, password)
        if credentials is None and api_token is None and token_store is None:
            raise UsageError(
                "Give `email` and `password`, or `api_token`, or a `token_store` that holds tokens. `from_env()` reads "
                "TINGTING_EMAIL and TINGTING_PASSWORD, or TINGTING_API_TOKEN."
            )
        for name, number in (("window", window), ("max_in_flight", max_in_flight)):
            if not is_count(number):
                raise UsageError(f"`{name}` must be an integer of 1 or more, not {shown(number)}.")
        if http is not None and (proxy or ssl or trust_env or fresh_connections):
            raise UsageError(
                "Set `proxy`, `ssl` and `trust_env` on your own `http` session, not here. For `fresh_connections`, "
                "give it a connector with `force_close=True`."
            )
        for name, part, needed, example in (
            ("ledger", ledger, "execute", 'SqliteLedger("sends.sqlite")'),
            ("guards", guards, "suppressed_numbers", "Guards(max_recipients=500)"),
            ("token_store", token_store, "load", 'FileTokenStore("tokens.json")'),
        ):
            if part is not None and (isinstance(part, type) or not hasattr(part, needed)):
                # Only its type is named: it may hold a password, tokens or phone numbers.
                found = f"the class {part.__name__}" if isinstance(part, type) else type(part).__name__
                raise UsageError(f"`{name}` must be an object such as `{example}`, not {found}.")
        transport = Transport(
            base_url=normalise_base_url(base_url, allow_plain_http=allow_plain_http),
            max_in_flight=max_in_flight,
            rate=rate,
            http=http,
            proxy=proxy,
            ssl=ssl,
            trust_env=trust_env,
            fresh_connections=fresh_connections,
        )
        self._core = Core(
            transport,
            Auth(self._auth_scheme, credentials=credentials, api_token=api_token, store=token_store),
            self._response_format,
            timeout=Timeout.of(timeout),
            retries=RetryPolicy.of(retries),
            window=window,
            max_in_flight=max_in_flight,
            ledger=ledger,
            guards=guards,
            telemetry=telemetry,
        )

    @classmethod
    @short_traceback
    def from_env(cls, **options: Any) -> Self:
        """Make a session from environment variables.

        Reads `TINGTING_BASE_URL`, `TINGTING_API_TOKEN`, `TINGTING_EMAIL` and `TINGTING_PASSWORD`. An API token takes
        precedence over the e-mail address and password, and keyword arguments over all of them. With
        `TINGTING_API_TOKEN`, a `token_store` is not used, because a fixed token needs none.

        Args:
            **options: The arguments of the class.

        Raises:
            MisuseError: An argument is unknown; the message suggests the nearest one. It is a `TypeError`.
            UsageError: There is neither a token nor an e-mail address with a password.
        """
        return cls(**options_from_env(options, inspect.signature(cls).parameters))

    @property
    def base_url(self) -> str:
        """The address of the service, in its normal form."""
        return self._core.base_url

    @property
    def requests_sent(self) -> int:
        """How many requests the session has sent, including sign-ins, prefetched pages and retries."""
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
        """Close the session: cancel the requests in flight and wait for them to end. Closing twice is harmless.

        A call that waits for a slot, for the rate limit or for a retry ends at once with `SessionClosedError`.
        A sign-in or token refresh that has left is completed first, within five seconds, and its tokens are saved.
        """
        await self._core.aclose()

    def __del__(self) -> None:
        core: Core | None = getattr(self, "_core", None)  # There is none if the arguments were refused.
        if core is not None and core.is_open:
            text = f"{self!r} was never closed: use `async with`, or call `await tingting.aclose()`."
            warnings.warn(text, RuntimeWarning, stacklevel=2, source=self)

    if not TYPE_CHECKING:  # A type checker then still reports these mistakes.

        def __enter__(self) -> None:
            raise MisuseError("A session is an async context manager: write `async with TingTing(…) as tingting:`.")

        def __exit__(self, *_: object) -> None: ...

    def subscribe(self, listener: "Listener") -> Callable[[], None]:
        """Call a function for every `RequestEvent` of the session: started, received, failed, retried.

        Args:
            listener: Takes an event. It is called in the event loop and must not block. What it raises is logged.

        Returns:
            A function that ends the subscription.

        Raises:
            UsageError: `listener` is not a function, or is a coroutine function, which would not be awaited.
        """
        return self._core.emitter.subscribe(listener)


def core_of(session: Session) -> Core:
    """Return the core that the resources of a session share, for modules above the generations."""
    core: Core = vars(session)["_core"]  # It is not part of the public interface.
    return core


def continue_as(session: Session, fresh: Session) -> None:
    """Let a closed session continue as a new one, so that another event loop can use it.

    The session keeps its resources and its listeners: its `Core` stays the same object, with the state of the new one.

    Args:
        session: The session, closed.
        fresh: A session that nobody has used or will use, with the same arguments, but without telemetry: the listener
            for that is among the listeners already.
    """
    core, state = core_of(session), vars(core_of(fresh))
    core_of(fresh).emitter.listeners = core.emitter.listeners
    vars(core).update(state)
