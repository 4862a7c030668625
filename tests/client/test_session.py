"""The session against servers that misbehave, over real sockets."""

import asyncio
import gc
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import anyio
import pytest

from tingting_async import (
    ApiError,
    DecodeError,
    NotSentError,
    OutcomeUnknownError,
    RetryPolicy,
    SessionClosedError,
    Timeout,
    TingTing,
    TingTingError,
    TransportError,
    UsageError,
)
from tingting_async.http.base_url import normalise_base_url
from tingting_async.http.messages import Effect, Request, Response
from tingting_async.http.transport import Transport

pytestmark = pytest.mark.anyio

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
USER = b'{"data":{"user_details":{"first_name":"S","last_name":"E","email":"e"}}}'
ONCE = RetryPolicy(attempts=1)


class Server:
    """A server that says what it is told to, and remembers what it was asked."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.heads: list[str] = []
        self.connections = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        try:
            while head := await self.read(reader):
                self.heads.append(head)
                await self.talk(reader, writer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    @staticmethod
    async def read(reader: asyncio.StreamReader) -> str:
        """Read a request, and return its head."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:
            return ""
        for line in head.splitlines():
            if line.lower().startswith("content-length:"):
                await reader.readexactly(int(line.partition(":")[2]))
        return head


@asynccontextmanager
async def serving(talk: Talk, **options: Any) -> AsyncIterator[Server]:
    """Serve on a free port."""
    server = Server(talk)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, **options)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with listener:
        yield server


def saying(answer: bytes, *, close: bool = False) -> Talk:
    """Return what answers every request with these bytes."""

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        if close:
            await writer.drain()
            writer.close()

    return talk


def http(body: bytes, status: str = "200 OK", *, length: int | None = None, **headers: str) -> bytes:
    """Return an HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def connect(url: str, **options: Any) -> TingTing:
    """Return a session."""
    return TingTing(base_url=url, api_token="t", **{"retries": RetryPolicy(initial_backoff=0), **options})


async def ring(tingting: TingTing) -> Any:
    """Do something that must not be done twice."""
    return await tingting.otp.send("9800000001", "{otp}", channel="text")


LOST = {
    "nothing": saying(b"", close=True),
    "half a head": saying(b"HTTP/1.1 200 OK\r\nContent-Le", close=True),
    "half a body": saying(http(USER, length=500), close=True),
    "no HTTP": saying(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", close=True),
    "bad chunks": saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", close=True),
    "bad gzip": saying(http(b"no gzip", Content_Encoding="gzip"), close=True),
    "huge head": saying(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", close=True),
}


@pytest.mark.parametrize("talk", LOST.values(), ids=LOST)
async def test_lost_answers(talk: Talk) -> None:
    """Without a whole answer a read is repeated, and what rings is sent once and said to be unknown."""
    async with serving(talk) as server, connect(server.url) as tingting:
        with pytest.raises(TransportError, match="It was sent") as caught:
            await tingting.accounts.user_details()
        assert (type(caught.value), caught.value.phase) == (TransportError, "response")
        assert len(server.heads) == 4
        with pytest.raises(OutcomeUnknownError, match="not repeated") as unknown:
            await ring(tingting)
        assert (unknown.value.operation, unknown.value.phase) == ("otp.send", "response")
        assert len(server.heads) == 5


ODD = {
    "HTML": http(b"<html>Welcome</html>", Content_Type="text/html"),
    "nothing": http(b""),
    "no text": http(b"\xff\xfe{}"),
    "another JSON": http(b"[1]"),
    "deep JSON": http(b"[" * 100_000),
}


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
async def test_odd_answers(answer: bytes) -> None:
    """A whole answer that cannot be read is a DecodeError; for what rings the outcome is then unknown."""
    async with serving(saying(answer)) as server, connect(server.url) as tingting:
        with pytest.raises(DecodeError) as caught:
            await tingting.accounts.user_details()
        assert (caught.value.status, caught.value.operation) == (200, "accounts.user_details")
        with pytest.raises(OutcomeUnknownError):
            await ring(tingting)
        assert len(server.heads) == 2


async def test_mistyped_answer() -> None:
    """JSON is read, whatever the content type claims."""
    async with serving(saying(http(USER, Content_Type="text/html"))) as server, connect(server.url) as tingting:
        assert (await tingting.accounts.user_details()).first_name == "S"


async def test_gigantic_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that is too large, says so or not, or only once it is unpacked, is not read to its end."""
    monkeypatch.setattr("tingting_async.http.transport.MAX_BODY_SIZE", 10_000)
    bomb = gzip.compress(b"0" * 1_000_000)
    chunk = b"2710\r\n" + b"0" * 10_000 + b"\r\n"
    for answer in (
        http(b"0" * 20_000),
        http(bomb, Content_Encoding="gzip"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 3 + b"0\r\n\r\n",
    ):
        async with serving(saying(answer)) as server, connect(server.url) as tingting:
            with pytest.raises(DecodeError, match="larger than"):
                await tingting.accounts.user_details()


async def test_packed_answer() -> None:
    """A packed answer is unpacked."""
    answer = http(gzip.compress(USER), Content_Encoding="gzip")
    async with serving(saying(answer)) as server, connect(server.url) as tingting:
        assert (await tingting.accounts.user_details()).first_name == "S"


async def test_refused_connection() -> None:
    """A refused connection was never sent: repeated for what rings as well, and said so in the end."""
    async with serving(saying(b"")) as server:
        pass
    async with connect(server.url) as tingting:
        with pytest.raises(NotSentError, match="Nothing was sent") as caught:
            await ring(tingting)
        assert caught.value.phase == "connect"
        assert tingting.requests_sent == 4


async def test_failed_lookup() -> None:
    """A name that nobody has was never asked."""
    async with connect("https://tingting.invalid", retries=ONCE) as tingting:
        with pytest.raises(NotSentError) as caught:
            await ring(tingting)
        assert caught.value.phase == "connect"


async def test_failed_tls() -> None:
    """A host that speaks no TLS was never asked."""
    async with (
        serving(saying(b"no TLS\r\n", close=True)) as server,
        connect(server.url.replace("http", "https"), retries=ONCE) as tingting,
    ):
        with pytest.raises(NotSentError) as caught:
            await ring(tingting)
        assert caught.value.phase == "connect"


async def stall(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Say nothing, until the other side goes away."""
    await reader.read()


async def test_stalled_connection() -> None:
    """Time that runs out while connecting is told apart from time that runs out while waiting for the answer."""
    limits = Timeout(connect=0.05, attempt=30, total=30)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    listener = await asyncio.start_server(silent, "127.0.0.1", 0)  # It accepts, and never shakes hands.
    url = f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with listener, connect(url, retries=ONCE, timeout=limits) as tingting:
        with pytest.raises(NotSentError, match="time ran out") as caught:
            await ring(tingting)
        assert caught.value.phase == "connect"
        with pytest.raises(NotSentError) as caught:
            await tingting.accounts.user_details(timeout=0.05)
        assert caught.value.phase == "connect"


async def test_stalled_answer() -> None:
    """Time that runs out while waiting for the answer leaves what rings unknown."""
    async with serving(stall) as server:
        async with connect(server.url, timeout=Timeout(attempt=0.05)) as tingting:
            with pytest.raises(OutcomeUnknownError, match="time ran out") as caught:
                await ring(tingting)
            assert caught.value.phase == "response"
        async with connect(server.url) as tingting:
            with pytest.raises(TransportError) as lost:
                await tingting.accounts.user_details(timeout=0.05)
            assert lost.value.phase == "response"
        assert len(server.heads) == 2


async def test_waiting_for_a_place() -> None:
    """Time that runs out while waiting for a place was never sent, and says so."""
    limits = Timeout(pool=0.05)
    async with serving(stall) as server, connect(server.url, max_in_flight=1, retries=ONCE, timeout=limits) as tingting:
        first = asyncio.create_task(tingting.accounts.user_details(timeout=60))
        while not server.heads:
            await asyncio.sleep(0)
        with pytest.raises(NotSentError, match="no place") as caught:
            await ring(tingting)
        assert caught.value.phase == "pool"
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert len(server.heads) == 1


async def test_place_that_comes_free() -> None:
    """Whoever waits for a place gets it."""
    async with serving(saying(http(USER))) as server, connect(server.url, max_in_flight=1) as tingting:
        users = await asyncio.gather(*(tingting.accounts.user_details() for _ in range(10)))
        assert len(users) == 10


async def test_kept_connection_that_was_closed() -> None:
    """A server that closes kept connections loses no read, and what rings does not use them at all."""

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http(USER))
        await writer.drain()
        writer.close()  # Without having said so.

    async with serving(talk) as server, connect(server.url) as tingting:
        for _ in range(5):
            await tingting.accounts.user_details()
    async with serving(saying(http(USER))) as server, connect(server.url) as tingting:
        await tingting.accounts.user_details()
        await tingting.accounts.user_details()
        assert server.connections == 1
        with pytest.raises(OutcomeUnknownError):
            await ring(tingting)
        assert server.connections == 2


async def test_redirects() -> None:
    """A GET follows a redirect on its own origin; nothing goes to another origin, and a POST goes nowhere."""
    async with serving(saying(http(USER))) as elsewhere:
        answers: list[bytes] = []

        async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(answers.pop(0))

        async with serving(talk) as server, connect(server.url) as tingting:
            for place in ("/elsewhere/", server.url + "/x/", "?a=1"):
                answers += [http(b"", "301 Moved", Location=place), http(USER)]
                await tingting.accounts.user_details()
            assert "GET /elsewhere/ HTTP/1.1" in server.heads[1]
            assert "Bearer t" in server.heads[1]
            for place in (elsewhere.url, "//localhost/", "https://127.0.0.1/", "http://[", "ftp://x/"):
                answers[:] = [http(b"", "302 Found", Location=place)]
                with pytest.raises(ApiError, match="base_url"):
                    await tingting.accounts.user_details()
            answers[:] = [http(b"", "302 Found", Location="/again/")] * 20
            with pytest.raises(ApiError):
                await tingting.accounts.user_details()
            server.heads.clear()
            answers[:] = [http(b"", "307 Temporary Redirect", Location="/x/")]
            with pytest.raises(ApiError) as caught:
                await ring(tingting)
            assert caught.value.status == 307
            answers[:] = [http(b"", "303 See Other", Location="/x/")]
            with pytest.raises(OutcomeUnknownError):
                await ring(tingting)
            assert len(server.heads) == 2
        assert elsewhere.heads == []


async def test_cookies_are_not_kept() -> None:
    """Cookies that the service sets are not sent back by themselves."""
    async with serving(saying(http(USER, Set_Cookie="a=b; Path=/"))) as server, connect(server.url) as tingting:
        await tingting.accounts.user_details()
        await tingting.accounts.user_details()
        assert not any("cookie" in head.lower() for head in server.heads)


async def test_retry_after_that_is_too_long() -> None:
    """A service that asks to wait for an hour is not waited for."""
    async with (
        serving(saying(http(b"{}", "429 Too Many", Retry_After="3600"))) as server,
        connect(server.url) as tingting,
    ):
        with pytest.raises(ApiError) as caught:
            await tingting.accounts.user_details()
        assert caught.value.retry_after == 3600  # type: ignore[attr-defined]
        assert len(server.heads) == 1


async def test_pause_beyond_the_deadline() -> None:
    """A pause that would reach beyond the whole call's time is not begun."""
    async with serving(saying(http(b"{}", "503 No", Retry_After="30"))) as server, connect(server.url) as tingting:
        with pytest.raises(ApiError):
            await tingting.accounts.user_details(timeout=5)
        assert len(server.heads) == 1


async def test_budget_of_many_tasks() -> None:
    """Fifty tasks on a dead server do not multiply its load."""
    async with serving(saying(http(b"{}", "503 No"))) as server, connect(server.url) as tingting:
        calls = [tingting.accounts.user_details() for _ in range(50)]
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(error, ApiError) for error in errors)
        assert len(server.heads) == 50 + 20


async def test_cancelling_leaves_the_session_usable() -> None:
    """A call that is cancelled at any moment leaves the session usable, and no place taken."""
    async with serving(saying(http(USER))) as server, connect(server.url, max_in_flight=1) as tingting:
        for turns in range(30):
            task = asyncio.create_task(tingting.accounts.user_details())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        assert (await tingting.accounts.user_details()).first_name == "S"


async def test_closed_session() -> None:
    """A closed session says so, and closing twice does no harm."""
    async with serving(saying(http(USER))) as server:
        tingting = connect(server.url)
        async with tingting:
            await tingting.accounts.user_details()
        await tingting.aclose()
        for call in (tingting.accounts.user_details(), tingting.campaigns.list().collect(), ring(tingting)):
            with pytest.raises(SessionClosedError):
                await call
        assert repr(tingting) == f"<tingting_async.classic.session.TingTing {server.url} closed>"


async def test_closing_ends_what_is_in_flight() -> None:
    """Closing ends reads with SessionClosedError; what rings is unknown; pages that are ahead are awaited."""
    async with serving(stall) as server:
        tingting = connect(server.url)
        calls = [tingting.accounts.user_details(), ring(tingting), tingting.campaigns.list().collect()]
        tasks = [asyncio.create_task(call) for call in calls]
        while len(server.heads) < 3:
            await asyncio.sleep(0)
        await tingting.aclose()
        errors = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(error) for error in errors] == [SessionClosedError, OutcomeUnknownError, SessionClosedError]


async def test_closing_while_signing_in() -> None:
    """A call that waits for a sign-in when the session is closed ends with SessionClosedError."""
    async with serving(stall) as server:
        tingting = TingTing(base_url=server.url, email="e", password="p")
        task = asyncio.create_task(ring(tingting))
        while not server.heads:
            await asyncio.sleep(0)
        await tingting.aclose()
        with pytest.raises(SessionClosedError):
            await task


async def test_slow_sign_in() -> None:
    """Where signing in takes longer than the whole call may, nothing was sent; where it fails, as well."""
    async with serving(stall) as server, TingTing(base_url=server.url, email="e", password="p") as tingting:
        with pytest.raises(NotSentError) as caught:
            await tingting.otp.send("9800000001", "{otp}", channel="text", timeout=0.05)
        assert (caught.value.phase, caught.value.operation) == ("sign-in", "otp.send")
    async with TingTing(base_url=server.url, email="e", password="p", retries=ONCE) as tingting:
        with pytest.raises(NotSentError, match="signing in failed") as caught:
            await ring(tingting)
        assert caught.value.phase == "sign-in"
    async with (
        serving(saying(http(b"{}", "500 Oops"))) as server,
        TingTing(base_url=server.url, email="e", password="p", retries=ONCE) as tingting,
    ):
        with pytest.raises(ApiError) as refused:
            await ring(tingting)
        assert refused.value.operation == "accounts.login"
        with pytest.raises(ApiError):
            await tingting.accounts.refresh()


def test_second_event_loop() -> None:
    """A session that is used from a second event loop says so."""
    tingting = connect("http://127.0.0.1:9", retries=ONCE)

    async def use() -> None:
        with pytest.raises(TingTingError) as caught:
            await tingting.accounts.user_details()
        kinds.append(type(caught.value))
        assert tingting._core.transport is not None
        await tingting._core.transport.aclose()

    kinds: list[type] = []
    anyio.run(use)
    anyio.run(use)
    assert kinds == [NotSentError, SessionClosedError]


def drop(holder: list[TingTing]) -> None:
    """Let go of a session."""
    holder.clear()
    gc.collect()


async def test_session_that_is_never_closed() -> None:
    """A session that was used and never closed warns when it is collected."""
    async with serving(saying(http(USER))) as server:
        tingting = connect(server.url)
        await tingting.accounts.user_details()
        sessions = list(tingting._core.transport._sessions.values())  # type: ignore[union-attr]
        holder = [tingting]
        del tingting
        with pytest.warns(RuntimeWarning, match="was never closed: use `async with`"):
            drop(holder)
        for session in sessions:
            await session.close()


async def test_borrowed_session() -> None:
    """A user's own session is used with its settings, and never closed."""
    async with serving(saying(http(USER))) as server, aiohttp.ClientSession(headers={"X-Own": "yes"}) as own:
        async with connect(server.url, http=own) as tingting:
            await tingting.accounts.user_details()
            with pytest.raises(OutcomeUnknownError):
                await ring(tingting)
        assert "X-Own: yes" in server.heads[0]
        assert not own.closed
    async with connect(server.url, http=own) as tingting:
        with pytest.raises(SessionClosedError):
            await tingting.accounts.user_details()
    with pytest.raises(UsageError, match="on your own `http` session, not here"):
        connect(server.url, http=own, trust_env=True)


async def test_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy is used where it is given, or is in the environment and asked for there; `NO_PROXY` is heeded."""
    async with serving(saying(http(USER))) as proxy:
        plain = {"allow_plain_http": True}
        async with connect("http://tingting.invalid", proxy=proxy.url, **plain) as tingting:
            await tingting.accounts.user_details()
        assert proxy.heads[0].startswith("GET http://tingting.invalid/api/accounts/user_details/ ")
        monkeypatch.setenv("http_proxy", proxy.url)
        async with connect("http://tingting.invalid", trust_env=True, **plain) as tingting:
            await tingting.accounts.user_details()
        assert len(proxy.heads) == 2
        monkeypatch.setenv("no_proxy", "tingting.invalid")
        for trust_env in (True, False):
            async with connect("http://tingting.invalid", trust_env=trust_env, retries=ONCE, **plain) as tingting:
                with pytest.raises(NotSentError):
                    await tingting.accounts.user_details()
        assert len(proxy.heads) == 2


async def test_refusing_proxy() -> None:
    """A proxy that refuses was never asked to pass anything on."""
    async with (
        serving(saying(http(b"no", "407 Proxy Authentication Required"), close=True)) as proxy,
        connect("https://tingting.invalid", proxy=proxy.url, retries=ONCE) as tingting,
    ):
        with pytest.raises(NotSentError):
            await ring(tingting)


async def test_tls_context() -> None:
    """A TLS context of the user's is used."""
    context = ssl.create_default_context()
    async with connect("https://127.0.0.1:9", ssl=context, retries=ONCE) as tingting:
        with pytest.raises(NotSentError):
            await tingting.accounts.user_details()
        assert tingting._core.transport is not None
        (session,) = tingting._core.transport._sessions.values()
        assert session.connector._ssl is context  # type: ignore[union-attr]


def every(kind: type[Exception]) -> list[type[Exception]]:
    """Return an exception's subclasses, all the way down."""
    return [kind, *(each for child in kind.__subclasses__() for each in every(child))]


@pytest.mark.parametrize("kind", sorted(set(every(aiohttp.ClientError)), key=lambda kind: kind.__name__))
async def test_errors_of_aiohttp(kind: type[Exception]) -> None:
    """Every error of aiohttp is one of ours, and says whether it was sent."""
    error = kind.__new__(kind)
    error.__dict__.update(
        _conn_key=None, _os_error=OSError(1, "x"), request_info=None, status=0, message="", host="h", port=1, ssl=None,
        _certificate_error=ValueError("x"), expected=b"", got=b"", _path="p",
    )  # fmt: skip
    connections = Transport(
        base_url="http://h", max_in_flight=1, rate=None, http=None, proxy=None, ssl=None, trust_env=False
    )
    request = Request("POST", "/p/", Effect.SEND, "things.do", Response)
    try:
        str(error)
    except Exception:  # noqa: BLE001 - made without its arguments, some cannot be shown
        error.__class__ = type(kind.__name__, (kind,), {"__str__": lambda _: "x"})
    ours = connections._map_error(request, error, is_connected=True)
    assert isinstance(ours, TingTingError)
    before = issubclass(
        kind, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError | aiohttp.ServerFingerprintMismatch
    )
    if before or issubclass(kind, aiohttp.ClientHttpProxyError):
        assert isinstance(ours, NotSentError)
    elif not isinstance(ours, UsageError):
        assert type(ours) is TransportError


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("https://app.tingting.io", "https://app.tingting.io"),
        ("https://app.tingting.io/", "https://app.tingting.io"),
        ("https://app.tingting.io/api/v1/", "https://app.tingting.io"),
        ("https://app.tingting.io/api/v1", "https://app.tingting.io"),
        ("https://app.tingting.io/api/", "https://app.tingting.io"),
        (" https://app.tingting.io:8443/gateway/api/v1/ ", "https://app.tingting.io:8443/gateway"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
        ("http://localhost/", "http://localhost"),
        ("HTTPS://App.TingTing.io:443", "https://app.tingting.io"),
        ("http://LOCALHOST:80/Gateway/api", "http://localhost/Gateway"),
        ("https://app.tingting.io:/", "https://app.tingting.io"),
        ("https://app.tingting.io./", "https://app.tingting.io"),
        ("https://app.tingting.io:0443", "https://app.tingting.io"),
        ("http://[0:0:0:0:0:0:0:1]:80", "http://[::1]"),
        ("http://localhost.:0", "http://localhost:0"),
    ],
)
def test_base_urls(given: str, used: str) -> None:
    """A base URL is taken as other clients write it."""
    assert normalise_base_url(given, allow_plain_http=False) == used


@pytest.mark.parametrize(
    "url",
    [
        "",
        "app.tingting.io",
        "ftp://a",
        "https://",
        "https://u:secret@a",
        "https://a?b",
        "http://[",
        "https://.",
    ],
)
def test_bad_base_urls(url: str) -> None:
    """What is no address is refused, and not quoted: a password may stand in it."""
    with pytest.raises(UsageError, match="base_url") as caught:
        TingTing(base_url=url, api_token="t")
    assert "secret" not in str(caught.value)


def test_plain_http() -> None:
    """Plain http to another host is refused, unless it is asked for by name."""
    with pytest.raises(UsageError, match="plain http"):
        TingTing(base_url="http://app.tingting.io", api_token="t")
    assert TingTing(base_url="http://10.0.0.1", api_token="t", allow_plain_http=True).base_url == "http://10.0.0.1"


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"email": "e"},
        {"password": "p"},
        {"api_token": " "},
        {"api_token": "a\nb"},
        {"api_token": "t", "email": "e", "password": "p"},
        {"api_token": "t", "window": 0},
        {"api_token": "t", "window": "4"},
        {"api_token": "t", "max_in_flight": 2.5},
        {"api_token": "t", "base_url": None},
        {"api_token": "t", "timeout": None},
        {"api_token": "t", "timeout": -5},
        {"api_token": "t", "retries": None},
        {"api_token": "t", "retries": 0},
        {"api_token": "t", "max_in_flight": 0},
        {"api_token": "t", "rate": 0},
        {"api_token": "t", "rate": -1.0},
        {"api_token": "t", "rate": True},
        {"api_token": "t", "rate": "5"},
        {"api_token": "t", "rate": float("nan")},
        {"api_token": "t", "rate": float("inf")},
    ],
)
def test_bad_arguments(arguments: dict[str, Any]) -> None:
    """Arguments that say nothing, or contradict each other, are refused."""
    with pytest.raises(UsageError):
        TingTing(**arguments)


def test_from_env(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is read; a token counts more than a password, and an argument more than the environment."""
    for name in ("BASE_URL", "API_TOKEN", "EMAIL", "PASSWORD"):
        monkeypatch.delenv(f"TINGTING_{name}", raising=False)
    with pytest.raises(UsageError, match="TINGTING_API_TOKEN"):
        TingTing.from_env()
    monkeypatch.setenv("TINGTING_BASE_URL", "https://a/api/v1/")
    monkeypatch.setenv("TINGTING_EMAIL", "e")
    monkeypatch.setenv("TINGTING_PASSWORD", "p")
    tingting = TingTing.from_env(window=2)
    assert (tingting.base_url, tingting._core.auth.is_fixed, tingting._core.auth.credentials is None) == (
        "https://a",
        False,
        False,
    )
    monkeypatch.setenv("TINGTING_API_TOKEN", "t")
    assert TingTing.from_env(retries=3)._core.auth.access == "t"
    with pytest.raises(UsageError, match="no option windw"):
        TingTing.from_env(windw=3)
    assert TingTing.from_env(base_url="https://b").base_url == "https://b"
    assert not TingTing.from_env(email="e", password="p")._core.auth.is_fixed
    with pytest.raises(UsageError, match="`window` must be an integer of 1 or more, not 0") as refused:
        TingTing.from_env(window=0)
    assert "TINGTING" not in str(refused.value)
    with pytest.raises(UsageError, match="nothing to sign in with"):
        TingTing.from_env(email="another's")
