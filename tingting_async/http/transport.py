"""The connections of a session. No other module imports aiohttp.

The transport sends a request and returns its status, headers and bytes. It does not rely on what aiohttp does by
itself: cookies, redirects, and resending a GET, PUT or DELETE after a dropped keep-alive connection.
"""

import asyncio
import copy
import functools
import math
import ssl as ssl_module
from collections.abc import Callable, Mapping
from http.cookies import SimpleCookie
from time import monotonic, time
from typing import Any, cast

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from yarl import URL

from tingting_async._version import __version__
from tingting_async.errors import NotSentError, TingTingError, UsageError
from tingting_async.http.attempts import Attempt, Attempts
from tingting_async.http.base_url import check_proxy, proxy_of_environment, redirect_target
from tingting_async.http.bodies import check_form, encode_json, too_large
from tingting_async.http.causes import closed_http_error, is_session_closed, late_error, network_error, short_cause
from tingting_async.http.clocks import Dated
from tingting_async.http.download import Inflater
from tingting_async.http.messages import File, Params, Request, Response, decode_error, encode_query
from tingting_async.http.rate_limits.queue import Permit, RateLimit
from tingting_async.http.throttle import Throttle, closed_error
from tingting_async.http.timeouts import Timeout

MAX_BODY_SIZE = 64 * 2**20
"""The largest response body that is read into memory, in bytes; a larger one is a `DecodeError`."""
MAX_REDIRECTS = 5
MAX_IDLE = 1.0
"""How long a connection may have been idle when a request that changes something is sent on it, in seconds."""

ClientSession = aiohttp.ClientSession
"""The type of a user's own session, for modules that must not import aiohttp."""


class _Body(aiohttp.Payload):
    """A body that notes when aiohttp begins to write the request, which is with its first byte."""

    attempt: Attempt | None = None

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        if self.attempt is not None:
            self.attempt.begin()  # aiohttp resends a PUT or DELETE that the service may have received.
        await super().write_with_length(writer, content_length)


class _Bytes(_Body, aiohttp.BytesPayload):
    """A body of bytes, which may be empty."""


class _Form(_Body, aiohttp.MultipartWriter):
    """A multipart/form-data body."""


class _NoCookies(aiohttp.DummyCookieJar):
    """The cookie jar of one of our own sessions, always empty. aiohttp's makes an empty container for each request."""

    def __init__(self) -> None:
        super().__init__()
        self._none: SimpleCookie = SimpleCookie()

    def filter_cookies(self, request_url: URL) -> SimpleCookie:  # noqa: ARG002 - no URL has cookies
        return self._none


class _Connector(aiohttp.TCPConnector):
    """Records which tasks have a connection: aiohttp does not say whether a request was sent when its time ran out.

    aiohttp calls `connect` in the task of the request. Tracing would tell, too, but costs a fifth of the request.
    """

    def __init__(self, attempts: Attempts, **options: Any) -> None:
        super().__init__(**options)  # pyright: ignore[reportUnknownMemberType] - aiohttp's deprecated options
        self._attempts = attempts
        self._used_by = asyncio.get_running_loop()

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        attempt = self._attempts.limits[asyncio.current_task(self._used_by)]
        if attempt.is_connected:
            # aiohttp wants a second connection only to resend a GET, PUT or DELETE that the service may have received.
            raise _ConnectionLostError("the connection was lost")
        connection = await super().connect(req, traces, timeout)
        if attempt.must_prepare:
            await attempt.prepare(connection)
        attempt.is_connected = True
        return connection


class _ConnectionLostError(aiohttp.ClientError):
    """A connection was lost after the request was sent on it."""


class Transport:
    """The connections of a session.

    Args:
        base_url: Scheme, host and port; the transport sends nothing to any other origin.
        max_in_flight: The maximum number of requests in flight.
        rate: The maximum number of requests per second, or a limit that others share; None for no limit.
        http: A user's own `aiohttp.ClientSession`; the transport never closes it.
        proxy: The URL of an HTTP proxy.
        ssl: A TLS context; None for aiohttp's default.
        trust_env: Whether to use the proxy that the environment names (`HTTPS_PROXY`, `NO_PROXY`, …).
        fresh_connections: Whether each request that changes something opens a connection of its own.

    Raises:
        UsageError: An argument has the wrong type or value.
    """

    def __init__(
        self,
        *,
        base_url: str,
        max_in_flight: int,
        rate: float | RateLimit | None,
        http: aiohttp.ClientSession | None,
        proxy: str | None,
        ssl: ssl_module.SSLContext | None,
        trust_env: bool,
        fresh_connections: bool,
    ) -> None:
        kinds = (("http", http, aiohttp.ClientSession), ("proxy", proxy, str), ("ssl", ssl, ssl_module.SSLContext))
        for name, value, kind in kinds:
            if value is not None and not isinstance(value, kind):
                raise UsageError(f"`{name}` must be a {kind.__name__}, not {type(value).__name__}.")
        self.base_url = base_url
        base = URL(base_url, encoded=True)
        self._base = (base.scheme, base.raw_authority, base.raw_path.rstrip("/"))
        self.throttle: Throttle = Throttle(max_in_flight=max_in_flight, rate=rate)
        self._user_session = http
        # Middlewares and subclasses may write another body than ours.
        self._notices_bodies = type(http) is aiohttp.ClientSession and not getattr(http, "_middlewares", True)
        # aiohttp's own `trust_env` would also add credentials from ~/.netrc, next to ours.
        self._proxy = check_proxy(proxy, "proxy") if proxy else proxy_of_environment(base_url) if trust_env else None
        self._ssl = ssl
        self._fresh_connections = fresh_connections
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self._view: aiohttp.ClientSession | None = None
        """The user's session without its cookies: the tokens of the v1 API are cookies, and its jar may have others."""
        self._attempts = Attempts()
        self.is_signing_in: Callable[[], bool] = self._attempts.has_sign_in
        self._is_closed = False
        self.sent: int = 0
        """The number of requests that were sent, or that the transport tried to send."""
        self.latest: Dated | None = None
        """The latest response, which shows what the service's clock says."""

    async def send(
        self,
        request: Request[Any],
        headers: Mapping[str, str],
        timeout: Timeout,
        *,
        deadline: float,
        params: Params | None = None,
    ) -> Response:
        """Send a request and read the whole response.

        Args:
            request: The request.
            headers: Its headers, including those that identify the account.
            timeout: The limits of this attempt.
            deadline: When the whole call ends, by the loop's clock.
            params: Replace the parameters of the request.

        Raises:
            NotSentError: No byte of the request left this machine.
            TransportError: The request was sent, and no complete response was received.
            DecodeError: The response is too large.
        """
        throttle = self.throttle
        if throttle.slots.free:
            throttle.slots.free -= 1
        else:
            await throttle.acquire_slot(request, timeout, deadline)
        try:
            permit = await throttle.acquire_rate(request, timeout, deadline) if throttle.has_rate else None
            url = self._url(request, request.params if params is None else params)
            body = _body(request)
            if request.before_send is not None:  # After everything that can fail before the request leaves.
                await request.before_send()
            response = await self._exchange(request, url, headers, body, timeout, deadline, permit)
            followed = 0
            # A POST would become a GET, and another origin would receive the token.
            while 300 <= response.status < 400 and request.method == "GET" and followed < MAX_REDIRECTS:
                if (target := redirect_target(url, response)) is None:
                    break
                url, followed = target, followed + 1
                permit = await throttle.acquire_rate(request, timeout, deadline)
                response = await self._exchange(request, url, headers, _body(request), timeout, deadline, permit)
            return response
        finally:
            throttle.slots.release()

    def stop(self) -> None:
        """Refuse new requests, and end those in flight, except sign-ins and token refreshes that may have arrived."""
        self._is_closed = True
        self.throttle.close()
        self._attempts.close_except_sign_ins()

    async def aclose(self) -> None:
        """Close the transport's own connections, even if this task is cancelled. Call `stop()` before."""
        self._attempts.close()
        if self._view is not None:
            self._view.detach()
        await asyncio.shield(asyncio.gather(*map(ClientSession.close, self._sessions.values()), return_exceptions=True))

    def _url(self, request: Request[Any], params: Params) -> URL:
        # Building a URL from its parts costs half of parsing one.
        scheme, authority, prefix = self._base
        try:
            path, query = prefix + request.path, encode_query(params)
            return URL.build(scheme=scheme, authority=authority, path=path, query_string=query, encoded=True)
        except UnicodeError as error:
            raise UsageError(f"{request.operation}: an argument cannot be encoded as text: {error}.") from None

    async def _exchange(
        self,
        request: Request[Any],
        url: URL,
        headers: Mapping[str, str],
        body: _Body | None,
        timeout: Timeout,
        deadline: float,
        permit: Permit | None,
    ) -> Response:
        if self._is_closed:  # While this request waited for a slot, or for another attempt.
            raise closed_error(request.operation)
        now = (loop := asyncio.get_running_loop()).time()
        if now >= deadline:  # `before_send` took too long. An idle connection of a user's session would still send it.
            raise late_error(request, self.base_url)
        self.sent += 1
        end = deadline if timeout.attempt is None else min(deadline, now + timeout.attempt)
        attempt = self._attempts.start(request, end, loop)  # aiohttp's `total` enters its timer three times.
        if permit is not None:
            attempt.renew_permit = lambda: self.throttle.renew_rate(permit, attempt, request, timeout, deadline)
        attempt.must_prepare = permit is not None or request.before_first_byte is not None
        is_noticed = self._notices_bodies and not request.effect.is_safe
        if request.before_first_byte is not None or is_noticed:
            body = _Bytes(b"") if body is None else body
            body.attempt = attempt
        try:
            with attempt:
                if self._user_session is not None:  # It does not have our connector.
                    if permit is not None:
                        await attempt.prepare()
                    attempt.is_connected = not is_noticed  # Unless aiohttp then says that it could not connect.
                received = await self._session(request).request(
                    request.method,
                    url,
                    headers=headers,
                    data=body,
                    allow_redirects=False,
                    raise_for_status=False,  # Overrides a user's session: an error status is a response, too.
                    timeout=_client_timeout(timeout.connect),
                    proxy=self._proxy,
                    auto_decompress=not request.must_prove_end,
                )
                self.latest = (received.headers, now, monotonic(), time())
                try:
                    content = await _read(request, received, is_ours=self._user_session is None)
                    return Response(received.status, received.headers, content)
                except BaseException:
                    received.close()  # A response that was read to its end has released its connection already.
                    raise
        except TingTingError:
            raise
        except Exception as error:  # noqa: BLE001 - also a module that cannot be loaded, e.g. for a host name
            is_resent = self._user_session is not None and attempt.is_connected and request.method in ("PUT", "DELETE")
            if is_resent and isinstance(error, aiohttp.ClientConnectionError | aiohttp.ClientHttpProxyError):
                error = _ConnectionLostError("the connection was lost")  # The error may come from aiohttp's resending.
            known, is_connected = request.with_secrets(headers), attempt.is_connected  # aiohttp quotes header lines.
            failure = map_error(known, error, self.base_url, is_connected=is_connected, is_closed=self._is_closed)
            failure = attempt.refusal or failure
            if isinstance(failure, NotSentError):
                attempt.is_connected = False
            cause = None if attempt.refusal else short_cause(error)
        finally:
            if request.without_effect is not None and not attempt.is_connected:
                request.without_effect()
        raise failure from cause  # Outside of the `except` block, where the error of aiohttp would become its context.

    def _session(self, request: Request[Any]) -> aiohttp.ClientSession:
        """Return the session whose connections suit the request.

        A server may close an idle connection when the next request is written to it; nobody knows then whether it read
        the request. So one that changes something or gets tokens gets a connection that was just in use, or a new one.
        """
        if self._user_session is not None:
            if self._view is None:
                self._view = copy.copy(self._user_session)
                self._view._cookie_jar = aiohttp.DummyCookieJar()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            return self._view
        session = self._sessions.get(may_be_idle := request.effect.is_safe and request.authenticate)
        if session is None:
            # `limit=0`: the throttle counts the slots, so that an error can say what the request waited for.
            options: dict[str, Any] = {"limit": 0, "ssl": True if self._ssl is None else self._ssl}
            if not may_be_idle:
                options |= {"force_close": True} if self._fresh_connections else {"keepalive_timeout": MAX_IDLE}
            connector = _Connector(self._attempts, **options)
            session = self._sessions[may_be_idle] = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=_NoCookies(),
                headers={"User-Agent": f"tingting_async/{__version__}", "Accept": "application/json, */*;q=0.5"},
            )
        return session


def map_error(
    request: Request[Any], error: Exception, base_url: str, *, is_connected: bool, is_closed: bool
) -> TingTingError:
    """Return our error for an error of aiohttp or of the operating system.

    Args:
        request: The request that failed.
        error: The error that ended its attempt.
        base_url: The service's base URL.
        is_connected: Whether the request had a connection, so that it may have been sent.
        is_closed: Whether the session was closed by then.
    """
    if is_session_closed(error) and not is_closed:  # Only a user's session is closed before ours.
        return closed_http_error(request.operation)
    if is_closed and (not is_connected or request.effect.is_safe):
        return closed_error(request.operation)
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return UsageError(f"{request.operation}: `base_url` {base_url!r} is not a valid URL.")
    is_refused = isinstance(error, ValueError) and not isinstance(error, aiohttp.ClientError | OSError)
    if is_refused and not (is_connected and not request.effect.is_safe):
        # An invalid host name, a line break in a token, or a user's session with credentials of its own.
        return UsageError(f"{request.operation}: the request cannot be sent: {request.redact(str(error))}")
    if isinstance(
        error,
        aiohttp.ClientConnectorError
        | aiohttp.ConnectionTimeoutError
        | aiohttp.ClientHttpProxyError
        | aiohttp.ServerFingerprintMismatch,
    ):
        is_connected = False
    is_proxy = isinstance(error, aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError)
    return network_error(request, error, base_url, is_connected=is_connected, is_closed=is_closed, is_proxy=is_proxy)


@functools.lru_cache(maxsize=64)
def _client_timeout(connect: float | None) -> aiohttp.ClientTimeout:
    # `ceil_threshold`: by default, aiohttp rounds limits above 5 s up to whole seconds.
    return aiohttp.ClientTimeout(connect=None if connect is None else max(connect, 0.001), ceil_threshold=math.inf)


def _body(request: Request[Any]) -> _Body | None:
    if not request.form:
        return None if request.json is None else _Bytes(encode_json(request), content_type="application/json")
    check_form(request)
    form = aiohttp.FormData(default_to_multipart=True, quote_fields=False)  # Django expects file names in UTF-8.
    for name, value in request.form:
        if isinstance(value, File):
            form.add_field(name, value.content, filename=value.name, content_type=value.content_type)
        else:
            form.add_field(name, value)
    body = _Form("form-data")
    for part, *_ in cast("aiohttp.MultipartWriter", form()):
        body.append_payload(part)
    return body


async def _read(request: Request[Any], received: aiohttp.ClientResponse, *, is_ours: bool) -> bytes:
    length, sink = received.content_length, request.sink if received.status == 200 else None
    inflater = Inflater(received.headers) if request.must_prove_end else None
    if inflater is not None and received.status == 200 and inflater.doubt:
        raise decode_error(request, Response(received.status), inflater.doubt)
    if sink is not None:
        await sink.start()
    elif (length or 0) > MAX_BODY_SIZE:
        raise too_large(request, received.status, MAX_BODY_SIZE)
    elif length is not None and aiohttp.hdrs.CONTENT_ENCODING not in received.headers:
        is_whole = is_ours and request.effect.is_safe and received.content.is_eof()  # `read` costs three coroutines.
        return received.content.read_nowait() if is_whole else await received.read()
    body = bytearray()  # The size of a compressed body is known only after reading.
    async for chunk in received.content.iter_any():
        for piece in (chunk,) if inflater is None else inflater.feed(chunk):
            if sink is not None:
                await sink.write(piece)
                continue
            body += piece
            if len(body) > MAX_BODY_SIZE:
                raise too_large(request, received.status, MAX_BODY_SIZE)
    if inflater is not None and not inflater.is_complete:
        raise aiohttp.ClientPayloadError("the compressed body was cut short")
    return bytes(body)
