"""Requests over sockets: the only room that knows aiohttp.

A request in; status, headers and bytes out. Of what aiohttp does on its own account nothing is relied on: no cookies,
no redirects, and no second sending (it repeats GET, PUT and DELETE on a dropped keep-alive connection by itself).
"""

import asyncio
import functools
import math
import ssl as ssl_module
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio
from aiohttp import hdrs
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from yarl import URL

from tingting_async._version import __version__
from tingting_async.errors import (
    NotSentError,
    SessionClosedError,
    TingTingError,
    TransportError,
    UsageError,
)
from tingting_async.http.base_url import proxy_of_environment
from tingting_async.http.deadlines import DeadlineTimer
from tingting_async.http.json import dumps
from tingting_async.http.messages import Effect, File, Params, Request, Response, decode_error, encode_query
from tingting_async.http.timeouts import Timeout

if TYPE_CHECKING:
    from aiolimiter import AsyncLimiter

MAX_BODY_SIZE = 64 * 2**20
"""Bytes of an answer that are read into memory; a larger one is a `DecodeError`."""
MAX_REDIRECTS = 5
_USER_AGENT = f"tingting_async/{__version__}"


ClientSession = aiohttp.ClientSession
"""The type of a user's own session, for modules that must not import aiohttp."""


class _Connector(aiohttp.TCPConnector):
    """Notes on an attempt that it is connected.

    aiohttp does not tell in which phase its total time ran out, and tracing every request to learn it costs a fifth of
    the request. The connector is asked in the task of its request: this is how it finds the attempt.
    """

    def __init__(self, attempts: DeadlineTimer, **options: Any) -> None:
        super().__init__(**options)  # pyright: ignore[reportUnknownMemberType] - aiohttp's, of its deprecated options
        self._attempts = attempts

    async def connect(self, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout) -> Connection:
        attempt = self._attempts.current()
        if attempt.is_connected:
            # aiohttp asks for another connection only to repeat by itself what may have been done: GET, PUT and DELETE.
            raise _LostError("the connection was lost")
        connection = await super().connect(req, traces, timeout)
        attempt.is_connected = True
        return connection


class _LostError(aiohttp.ClientError):
    """A connection was lost."""


class Transport:
    """The connections of a session.

    Args:
        base_url: Scheme, host and port; nothing is ever sent elsewhere.
        max_in_flight: How many requests are on their way at the same time, at most.
        rate: How many requests are sent in a second, at most; None for any number.
        http: A user's own `aiohttp.ClientSession`; borrowed, and never closed by us.
        proxy: The URL of an HTTP proxy.
        ssl: A TLS context; None for aiohttp's default.
        trust_env: Whether the proxy is taken from the environment (`HTTPS_PROXY`, `NO_PROXY`, …).
    """

    def __init__(
        self,
        *,
        base_url: str,
        max_in_flight: int,
        rate: float | None,
        http: aiohttp.ClientSession | None,
        proxy: str | None,
        ssl: ssl_module.SSLContext | None,
        trust_env: bool,
    ) -> None:
        for name, value, kind in (
            ("http", http, aiohttp.ClientSession),
            ("proxy", proxy, str),
            ("ssl", ssl, ssl_module.SSLContext),
        ):
            if value is not None and not isinstance(value, kind):
                raise UsageError(f"`{name}` has to be a {kind.__name__}, not {type(value).__name__}.")
        self.base_url = base_url
        base = URL(base_url, encoded=True)
        self._base = (base.scheme, base.raw_authority, base.raw_path.rstrip("/"))
        self._slots = anyio.Semaphore(max_in_flight)
        self._limiter = None if rate is None else _limiter(rate)
        self._rate_lock = asyncio.Lock()
        self._user_session = http
        # Not aiohttp's own `trust_env`: that one adds credentials from ~/.netrc as well, beside ours.
        self._proxy = proxy or (proxy_of_environment(base_url) if trust_env else None)
        self._ssl = ssl
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self._deadlines = DeadlineTimer()
        self._is_closed = False
        self.sent = 0
        """Requests that were put on the wire, or tried to be."""

    async def send(
        self,
        request: Request[Any],
        headers: Mapping[str, str],
        timeout: Timeout,
        *,
        deadline: float,
        params: Params | None = None,
    ) -> Response:
        """Send a request and read the whole answer.

        Args:
            request: What to send.
            headers: The request's, and those that identify the account.
            timeout: The limits of this attempt.
            deadline: When the whole call ends, by the loop's clock.
            params: In the place of the request's own.

        Raises:
            NotSentError: Nothing left this machine.
            TransportError: It was sent, and no whole answer came.
            DecodeError: The answer is too large.
        """
        if self._slots.value:
            self._slots.acquire_nowait()
        else:
            place = "no place among the requests in flight came free"
            await self._wait(request, self._slots.acquire, timeout, deadline, phase="pool", what=place)
        try:
            # After the place: those who waited for one with their turns would leave in a crowd.
            if self._limiter is not None:
                await self._acquire_rate_slot(request, timeout, deadline)
            url = self._url(request, request.params if params is None else params)
            if request.before_send is not None:
                await request.before_send()
            response = await self._exchange(request, url, headers, timeout, deadline)
            followed = 0
            # Only GETs are followed, and only home: a POST would become a GET, and the token would leave.
            while 300 <= response.status < 400 and request.method == "GET" and followed < MAX_REDIRECTS:
                target = _target(url, response)
                if target is None:
                    break
                url, followed = target, followed + 1
                if self._limiter is not None:
                    await self._acquire_rate_slot(request, timeout, deadline)
                response = await self._exchange(request, url, headers, timeout, deadline)
            return response
        finally:
            self._slots.release()

    async def aclose(self) -> None:
        """End what is on its way, and close what is ours, also in a task that is being cancelled."""
        self._is_closed = True
        self._deadlines.close()
        closing = [asyncio.ensure_future(session.close()) for session in self._sessions.values()]
        await asyncio.shield(asyncio.gather(*closing, return_exceptions=True))

    async def _acquire_rate_slot(self, request: Request[Any], timeout: Timeout, deadline: float) -> None:
        limiter = self._limiter
        assert limiter is not None

        async def acquire() -> None:
            async with self._rate_lock:  # In order: else whoever comes when a turn is due takes it from those who wait.
                await limiter.acquire()

        turn = "no turn under the session's `rate` came"
        await self._wait(request, acquire, timeout, deadline, phase="rate", what=turn)

    async def _wait(
        self,
        request: Request[Any],
        acquire: Callable[[], Awaitable[object]],
        timeout: Timeout,
        deadline: float,
        *,
        phase: str,
        what: str,
    ) -> None:
        """Wait for what comes before sending."""
        self._refuse_if_closed(request)
        now = asyncio.get_running_loop().time()
        limit = deadline - now if timeout.pool is None else min(timeout.pool, deadline - now)
        waiting = self._deadlines.begin(now + limit, is_connected=False)
        try:
            await acquire()
        except asyncio.CancelledError:
            if not waiting.consume_cancellation():
                raise
            self._refuse_if_closed(request)
            raise self._failure(NotSentError, request, phase, f"{what} within {limit:.3g} s") from None
        finally:
            self._deadlines.end(waiting)

    def _refuse_if_closed(self, request: Request[Any]) -> None:
        if self._is_closed:
            raise SessionClosedError(f"{request.operation}: the session was closed meanwhile.")

    def _url(self, request: Request[Any], params: Params) -> URL:
        # Put together of what is known, a URL costs half of one that is parsed.
        scheme, authority, prefix = self._base
        try:
            return URL.build(
                scheme=scheme,
                authority=authority,
                path=prefix + request.path,
                query_string=encode_query(params),
                encoded=True,
            )
        except UnicodeError as error:
            raise UsageError(f"{request.operation}: what was given cannot be written as text: {error}.") from None

    async def _exchange(
        self, request: Request[Any], url: URL, headers: Mapping[str, str], timeout: Timeout, deadline: float
    ) -> Response:
        self._refuse_if_closed(request)  # While this request waited for a place, or between two attempts.
        self.sent += 1
        if timeout.attempt is not None:
            deadline = min(deadline, asyncio.get_running_loop().time() + timeout.attempt)
        # A borrowed session has not our connector. There only aiohttp's own word for it, an error of connecting, counts
        # as never sent: the benefit of any other doubt would be a second call.
        # Its end is not aiohttp's own `total`, which enters and leaves its timer thrice for each request.
        attempt = self._deadlines.begin(deadline, is_connected=self._user_session is not None)
        try:
            answer = await self._session(request.effect).request(
                request.method,
                url,
                headers=headers,
                data=_body(request),
                allow_redirects=False,
                raise_for_status=False,  # Whatever a borrowed session says: a refusal is an answer.
                timeout=_client_timeout(timeout.connect),
                proxy=self._proxy,
            )
            try:
                return Response(answer.status, answer.headers, await _read(request, answer))
            except BaseException:
                answer.close()  # The connection of one that was read to its end is back already.
                raise
        except asyncio.CancelledError as error:
            if not attempt.consume_cancellation():
                raise
            raise self._map_error(request, TimeoutError(), is_connected=attempt.is_connected) from error
        except (TimeoutError, aiohttp.ClientError, OSError, RuntimeError) as error:
            known = request.with_secrets(headers)  # aiohttp quotes what it cannot read.
            failure = self._map_error(known, error, is_connected=attempt.is_connected)
            # Others hold the request's headers, or quote what came.
            cause = error if isinstance(error, OSError) else None
        except UsageError:
            raise
        except ValueError as error:  # A host that is no name, a line break in a token, a second way to sign in.
            known = request.with_secrets(headers)
            if attempt.is_connected and request.effect is not Effect.READ:  # Or an answer that upsets aiohttp.
                raise self._map_error(known, error, is_connected=True) from None
            raise UsageError(f"{request.operation}: it cannot be sent: {known.redact(str(error))}") from None
        finally:
            self._deadlines.end(attempt)
        raise failure from cause  # Out here, where the error is not its context: from there it would be shown, too.

    def _session(self, effect: Effect) -> aiohttp.ClientSession:
        """Return the connections for a request.

        A server may close an idle keep-alive connection in the very moment in which the next request is written to it;
        whether that was read is then unknown. So whatever changes something goes out on a fresh connection.
        """
        if self._user_session is not None:
            return self._user_session
        fresh = effect is not Effect.READ
        session = self._sessions.get(fresh)
        if session is None:
            # `limit=0`: the places in flight are counted above, where it can be told that it was them one waited for.
            tls = True if self._ssl is None else self._ssl
            connector = _Connector(self._deadlines, limit=0, force_close=fresh, ssl=tls)
            session = self._sessions[fresh] = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": _USER_AGENT, "Accept": "application/json, */*;q=0.5"},
            )
        return session

    def _map_error(self, request: Request[Any], error: Exception, *, is_connected: bool) -> TingTingError:
        closed = SessionClosedError(f"{request.operation}: the session was closed meanwhile.")
        if isinstance(error, RuntimeError) and "Session is closed" in str(error):
            return closed  # aiohttp's words for one that was closed before it was asked.
        if self._is_closed and (not is_connected or request.effect is Effect.READ):
            return closed
        if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
            return UsageError(f"{request.operation}: {self.base_url!r} is no address that can be asked.")
        never = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
        if never or isinstance(error, aiohttp.ClientHttpProxyError | aiohttp.ServerFingerprintMismatch):
            is_connected = False
        what = request.redact(str(error)) or type(error).__name__
        if isinstance(error, TimeoutError):
            what = "the session was closed" if self._is_closed else "time ran out"
        if is_connected:
            return self._failure(TransportError, request, "response", f"no whole answer came ({what})")
        return self._failure(NotSentError, request, "connect", f"no connection came about ({what})")

    def _failure(self, kind: type[TransportError], request: Request[Any], phase: str, what: str) -> TransportError:
        done = "Nothing was sent." if kind is NotSentError else "It was sent."
        return kind(
            f"{request.operation}: {request.method} {request.path} on {self.base_url}: {what}. {done}",
            operation=request.operation,
            method=request.method,
            path=request.path,
            phase=phase,
        )


def _limiter(rate: float) -> "AsyncLimiter":
    if type(rate) not in (int, float) or not 0 < rate < math.inf:
        raise UsageError(f"`rate` is {rate!r}; it has to be a number of requests per second, more than 0.")
    from aiolimiter import AsyncLimiter  # noqa: PLC0415 - for the sessions that ask for it

    # A bucket for one: requests leave evenly, and no second holds more of them than any other.
    return AsyncLimiter(1, 1 / rate)


@functools.lru_cache(maxsize=64)
def _client_timeout(connect: float | None) -> aiohttp.ClientTimeout:
    # `ceil_threshold`: aiohttp rounds longer limits up to whole seconds unless told otherwise.
    return aiohttp.ClientTimeout(connect=None if connect is None else max(connect, 0.001), ceil_threshold=math.inf)


def _target(url: URL, response: Response) -> URL | None:
    """Return where a redirect leads, if that is on the same origin."""
    try:
        target = url.join(URL(response.headers["Location"]))
        # A user in it would become a second way to sign in, beside ours.
        return target if target.origin() == url.origin() and target.user is None else None
    except (LookupError, ValueError):
        return None


def _body(request: Request[Any]) -> bytes | aiohttp.FormData | aiohttp.BytesPayload | None:
    if request.form:
        form = aiohttp.FormData(default_to_multipart=True)
        for name, value in request.form:
            if isinstance(value, File):
                form.add_field(name, value.content, filename=value.name, content_type=value.content_type)
            else:
                form.add_field(name, value)
        return form
    if request.json is None:
        return None
    try:
        return aiohttp.BytesPayload(dumps(request.json), content_type="application/json")
    except (TypeError, ValueError, RecursionError) as error:  # Names types, never values.
        raise UsageError(f"{request.operation}: what was given cannot be written as JSON: {error}.") from None


async def _read(request: Request[Any], answer: aiohttp.ClientResponse) -> bytes:
    if request.sink is not None and answer.status == 200:
        await request.sink.start()
        async for piece in answer.content.iter_any():
            await request.sink.write(piece)
        return b""
    length = answer.content_length
    if length is None or hdrs.CONTENT_ENCODING in answer.headers:  # Only reading tells how much it is.
        body = bytearray()
        async for chunk in answer.content.iter_any():
            body += chunk
            if len(body) > MAX_BODY_SIZE:
                break
        else:
            return bytes(body)
    elif length <= MAX_BODY_SIZE:
        return await answer.read()
    what = f"is larger than {MAX_BODY_SIZE // 2**20} MiB, and was not read to its end"
    raise decode_error(request, Response(answer.status), what)
