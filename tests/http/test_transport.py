"""How a session handles responses of every kind, and connections that fail."""

import asyncio
import gzip
import ssl
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.servers import Script, closed_port, http_response, replies, stall

from tingting_async import (
    DecodeError,
    File,
    NotSentError,
    OutcomeUnknownError,
    RetryPolicy,
    Timeout,
    TingTing,
    TransportError,
    UsageError,
)

pytestmark = pytest.mark.anyio

USER = b'{"data":{"user_details":{"first_name":"S","last_name":"E","email":"e"}}}'
ONCE = RetryPolicy(attempts=1)
SELF_SIGNED = Path(__file__).parents[1] / "support" / "self_signed.pem"
"""A key and its certificate, for 127.0.0.1 and localhost, which nobody trusts."""


def connect(url: str, **options: Any) -> TingTing:
    """Return a session that retries without backoff."""
    return TingTing(base_url=url, api_token="token", **{"retries": RetryPolicy(initial_backoff=0), **options})


async def send(tingting: TingTing) -> Any:
    """Send a message, which must not happen twice."""
    return await tingting.otp.send("9800000001", "{otp}", channel="text")


LOST = {
    "nothing": replies(b"", close=True),
    "half a head": replies(b"HTTP/1.1 200 OK\r\nContent-Le", close=True),
    "half a body": replies(http_response(USER, content_length="500"), close=True),
    "no HTTP": replies(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", close=True),
    "bad chunks": replies(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", close=True),
    "bad gzip": replies(http_response(b"no gzip", content_encoding="gzip"), close=True),
    "huge head": replies(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", close=True),
}


@pytest.mark.parametrize("script", LOST.values(), ids=LOST)
async def test_incomplete_response_to_a_read(serve: Any, script: Script) -> None:
    """A read without a complete response is retried, and then fails as a TransportError."""
    server = await serve(script)
    async with connect(server.url) as tingting:
        with pytest.raises(TransportError, match="The request was sent") as caught:
            await tingting.accounts.user_details()
    assert (TransportError, "response") == (type(caught.value), caught.value.phase)
    assert 4 == len(server.requests)


@pytest.mark.parametrize("script", LOST.values(), ids=LOST)
async def test_incomplete_response_to_a_send(serve: Any, script: Script) -> None:
    """A send without a complete response is sent once, and its outcome is unknown."""
    server = await serve(script)
    async with connect(server.url) as tingting:
        with pytest.raises(OutcomeUnknownError, match="not retried") as caught:
            await send(tingting)
    assert ("otp.send", "response") == (caught.value.operation, caught.value.phase)
    assert 1 == len(server.requests)


ODD = {
    "HTML": http_response(b"<html>Welcome</html>", content_type="text/html"),
    "nothing": http_response(b""),
    "no text": http_response(b"\xff\xfe{}"),
    "another JSON": http_response(b"[1]"),
    "deep JSON": http_response(b"[" * 100_000),
}


@pytest.mark.parametrize("response", ODD.values(), ids=ODD)
async def test_undecodable_response(serve: Any, response: bytes) -> None:
    """A complete response that cannot be decoded is a DecodeError; the outcome of a send is then unknown."""
    server = await serve(replies(response))
    async with connect(server.url) as tingting:
        with pytest.raises(DecodeError) as caught:
            await tingting.accounts.user_details()
        assert (200, "accounts.user_details") == (caught.value.status, caught.value.operation)
        with pytest.raises(OutcomeUnknownError):
            await send(tingting)
    assert 2 == len(server.requests)


async def test_wrong_content_type(serve: Any) -> None:
    """JSON is decoded whatever the content type says."""
    server = await serve(replies(http_response(USER, content_type="text/html")))
    async with connect(server.url) as tingting:
        assert "S" == (await tingting.accounts.user_details()).first_name


CHUNK = b"2710\r\n" + b"0" * 10_000 + b"\r\n"
LARGE = {
    "with its length": http_response(b"0" * 20_000),
    "after decompression": http_response(gzip.compress(b"0" * 1_000_000), content_encoding="gzip"),
    "in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNK * 3 + b"0\r\n\r\n",
}


@pytest.mark.parametrize("response", LARGE.values(), ids=LARGE)
async def test_large_response(serve: Any, monkeypatch: pytest.MonkeyPatch, response: bytes) -> None:
    """A response that is too large is not read to its end, whether or not it states its length."""
    monkeypatch.setattr("tingting_async.http.transport.MAX_BODY_SIZE", 10_000)
    server = await serve(replies(response))
    async with connect(server.url) as tingting:
        with pytest.raises(DecodeError, match="larger than"):
            await tingting.accounts.user_details()


async def test_compressed_response(serve: Any) -> None:
    """A compressed response is decompressed."""
    server = await serve(replies(http_response(gzip.compress(USER), content_encoding="gzip")))
    async with connect(server.url) as tingting:
        assert "S" == (await tingting.accounts.user_details()).first_name


async def test_refused_connection() -> None:
    """A send whose connection is refused is retried, and then fails as a NotSentError."""
    async with connect(f"http://127.0.0.1:{closed_port()}") as tingting:
        with pytest.raises(NotSentError, match="Nothing was sent") as caught:
            await send(tingting)
        assert "connect" == caught.value.phase
        assert 4 == tingting.requests_sent


@pytest.mark.parametrize("attempts", [1, 4])
async def test_traceback_of_a_refused_connection(attempts: int) -> None:
    """The traceback of a refused connection is short, and names host, port and the operating system's error."""
    port = closed_port()
    async with connect(
        f"http://127.0.0.1:{port}", retries=RetryPolicy(attempts=attempts, initial_backoff=0)
    ) as tingting:
        with pytest.raises(NotSentError) as caught:
            await tingting.accounts.user_details()
    shown = "".join(traceback.format_exception(caught.value))
    assert len(shown.splitlines()) < 40, shown
    assert "aiohttp" not in shown
    assert f"could not connect (127.0.0.1:{port}: Connection refused)" in str(caught.value)
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


async def test_failed_lookup() -> None:
    """A request to an unknown host name is never sent."""
    async with connect("https://tingting.invalid", retries=ONCE) as tingting:
        with pytest.raises(NotSentError) as caught:
            await send(tingting)
    assert "connect" == caught.value.phase


async def test_failed_tls(serve: Any) -> None:
    """A request to a host that does not speak TLS is never sent."""

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"no TLS\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as listener:
        url = f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        async with connect(url, retries=ONCE) as tingting:
            with pytest.raises(NotSentError) as caught:
                await send(tingting)
    assert "connect" == caught.value.phase


@pytest.mark.parametrize(
    ("limits", "call"),
    [
        (Timeout(connect=0.05, attempt=30, total=30), send),
        (Timeout(), lambda tingting: tingting.accounts.user_details(timeout=0.05)),
    ],
    ids=["of connecting", "of the call"],
)
async def test_timeout_while_connecting(limits: Timeout, call: Callable[[TingTing], Any]) -> None:
    """A request that times out before it has a connection is never sent."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    listener = await asyncio.start_server(
        silent, "127.0.0.1", 0
    )  # It accepts connections, and never responds to the handshake.
    url = f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with listener, connect(url, retries=ONCE, timeout=limits) as tingting:
        with pytest.raises(NotSentError, match="timed out") as caught:
            await call(tingting)
    assert "connect" == caught.value.phase


async def test_timeout_while_waiting_for_the_response(serve: Any) -> None:
    """The outcome of a send that times out after it was sent is unknown; a read then fails as a TransportError."""
    server = await serve(stall)
    async with connect(server.url, timeout=Timeout(attempt=0.05)) as tingting:
        with pytest.raises(OutcomeUnknownError, match="timed out") as unknown:
            await send(tingting)
    async with connect(server.url) as tingting:
        with pytest.raises(TransportError) as lost:
            await tingting.accounts.user_details(timeout=0.05)
    assert ("response", "response") == (unknown.value.phase, lost.value.phase)
    assert 2 == len(server.requests)


async def test_kept_connection_that_the_server_closes(serve: Any) -> None:
    """Reads succeed on a server that closes its keep-alive connections without notice."""
    server = await serve(replies(http_response(USER), close=True))
    async with connect(server.url) as tingting:
        for _ in range(5):
            await tingting.accounts.user_details()
    assert 5 == len(server.requests)


async def test_connection_of_a_send(serve: Any) -> None:
    """Reads share a connection; a send gets a fresh one."""
    server = await serve(replies(http_response(USER)))
    async with connect(server.url) as tingting:
        await tingting.accounts.user_details()
        await tingting.accounts.user_details()
        assert 1 == server.connections
        with pytest.raises(OutcomeUnknownError):
            await send(tingting)
        assert 2 == server.connections


async def test_cookies_are_not_kept(serve: Any) -> None:
    """Cookies that the service sets are not sent back."""
    server = await serve(replies(http_response(USER, set_cookie="a=b; Path=/")))
    async with connect(server.url) as tingting:
        await tingting.accounts.user_details()
        await tingting.accounts.user_details()
    assert [False, False] == ["cookie" in received.headers for received in server.requests]


async def test_self_signed_certificate(serve: Any) -> None:
    """A request to a host whose certificate is not trusted is never sent, and the error says why."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(SELF_SIGNED)
    server = await serve(stall, tls=context)
    async with connect(server.url, retries=ONCE) as tingting:
        with pytest.raises(NotSentError, match=rf"127\.0\.0\.1:{server.port}.*self.signed certificate") as caught:
            await send(tingting)
    assert ("connect", []) == (caught.value.phase, server.requests)


async def test_tls_context() -> None:
    """A session uses the TLS context of its user: the server is offered the protocols of that context."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["protocol-of-the-user"])
    hellos: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hellos.append(await reader.read(4096))
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as listener:
        url = f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        async with connect(url, ssl=context, retries=ONCE) as tingting:
            with pytest.raises(NotSentError):
                await tingting.accounts.user_details()
    assert [True] == [b"protocol-of-the-user" in hello for hello in hellos]


async def test_form_that_cannot_be_encoded(serve: Any) -> None:
    """A form with a lone surrogate is refused before anything is sent, and the error names the field, not its text."""
    server = await serve(replies(http_response()))
    async with connect(server.url) as tingting:
        with pytest.raises(UsageError, match="`description` contains half a character") as refused:
            await tingting.campaigns.create("a", "PHONE", description="secret \ud800", file=File("a.xlsx", b"0"))
    assert "secret" not in str(refused.value)
    assert [] == server.requests
