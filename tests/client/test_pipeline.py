"""Requests through the whole pipeline: slots, redirects, bodies."""

import asyncio
import gzip
import math
from typing import Any

import pytest
from support.messages import READ, SEND, UPDATE
from support.servers import succeed

from tingting_async import (
    ApiError,
    DecodeError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    RetryPolicy,
    SessionClosedError,
    Timeout,
    TingTing,
    TransportError,
    UsageError,
)
from tingting_async.http.messages import Effect, File, Request, Response
from tingting_async.http.transport import MAX_BODY_SIZE

pytestmark = pytest.mark.anyio


def connect(url: str, **options: Any) -> TingTing:
    """Return a session with a fixed token."""
    return TingTing(
        base_url=url, **{"api_token": "key", "retries": RetryPolicy(initial_backoff=0, attempts=3), **options}
    )


async def test_no_free_slot(serve: Any) -> None:
    """A request that waits too long for a slot fails, and is never sent."""

    async def hold(received: Any) -> None:
        arrived.set()
        await release.wait()
        await succeed(received)

    arrived, release = asyncio.Event(), asyncio.Event()
    server = await serve(hold)
    async with connect(server.url, max_in_flight=1, retries=RetryPolicy(attempts=1)) as tingting:
        first = asyncio.create_task(tingting._core.execute(READ))
        await arrived.wait()
        waiting = Request("POST", "/send", Effect.SEND, "things.send", Response, timeout=Timeout(pool=0.02))
        with pytest.raises(NotSentError, match="waiting for a free slot") as caught:
            await tingting._core.execute(waiting)
        assert caught.value.phase == "pool"
        short = Request("POST", "/send", Effect.SEND, "things.send", Response, timeout=Timeout(pool=None, total=0.02))
        with pytest.raises(NotSentError, match="waiting for a free slot"):
            await tingting._core.execute(short)
        release.set()
        assert (await first).json() == {"a": 1}
        await tingting._core.execute(SEND)  # The slot was released.
    assert [received.target for received in server.requests] == ["/things", "/send"]


async def test_slots_are_given_in_order(serve: Any) -> None:
    """Waiting requests get slots in order, even if one of them is cancelled."""

    async def hold(received: Any) -> None:
        arrived.set()
        await release.wait()
        await succeed(received)

    arrived, release = asyncio.Event(), asyncio.Event()
    server = await serve(hold)
    async with connect(server.url, max_in_flight=1) as tingting:
        first, second, third = (asyncio.create_task(tingting._core.execute(READ)) for _ in range(3))
        await arrived.wait()
        second.cancel()
        release.set()
        assert [(await first).status, (await third).status] == [200, 200]
        with pytest.raises(asyncio.CancelledError):
            await second
    assert len(server.requests) == 2


async def test_cancelled_request(serve: Any) -> None:
    """A cancelled request releases its slot, and the session remains usable."""

    async def hold(received: Any) -> None:
        if received.number == 0:
            arrived.set()
            await server.released.wait()
        await succeed(received)

    arrived = asyncio.Event()
    server = await serve(hold)
    async with connect(server.url, max_in_flight=1) as tingting:
        task = asyncio.create_task(tingting._core.execute(READ))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await tingting._core.execute(READ)).status == 200


async def test_nothing_is_sent_after_closing(serve: Any) -> None:
    """A request that waits for a slot when the session is closed is never sent."""

    async def hold(received: Any) -> None:
        arrived.set()
        await server.released.wait()

    arrived = asyncio.Event()
    server = await serve(hold)
    async with connect(server.url, max_in_flight=1) as tingting:
        first = asyncio.create_task(tingting._core.execute(READ))
        await arrived.wait()
        waiting = [asyncio.create_task(tingting._core.execute(request)) for request in (SEND, READ)]
        await asyncio.sleep(0)
    errors = await asyncio.gather(first, *waiting, return_exceptions=True)
    assert [type(error) for error in errors] == [SessionClosedError] * 3
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["/elsewhere/?a=%26b", "elsewhere/?a=%26b", "{url}/elsewhere/?a=%26b#part"])
async def test_redirect_on_the_same_origin(serve: Any, status: int, location: str) -> None:
    """A read follows a redirect on the same origin, with its credentials."""

    async def script(received: Any) -> None:
        if received.target == "/things":
            await received.respond(b"", status, location=location.format(url=server.url))
        else:
            await succeed(received)

    server = await serve(script)
    async with connect(server.url) as tingting:
        assert (await tingting._core.execute(READ)).json() == {"a": 1}
    assert [received.target for received in server.requests] == ["/things", "/elsewhere/?a=%26b"]
    assert [received.headers["authorization"] for received in server.requests] == ["Bearer key"] * 2


@pytest.mark.parametrize(
    "location",
    [
        "{other}/things",
        "//127.0.0.1:{port}/things",
        "http://localhost:{own_port}/things",
        "https://127.0.0.1:{own_port}/things",
        "http://user:secret@127.0.0.1:{own_port}/things",
        "ftp://127.0.0.1:{own_port}/",
        "http://[/",
        "http://127.0.0.1:99999/",
        "javascript:0",
        "",
    ],
)
async def test_redirect_to_another_origin(serve: Any, location: str) -> None:
    """A redirect to another origin, or with a user in it, is not followed: no credential is sent."""

    async def script(received: Any) -> None:
        if received.number == 0:
            target = location.format(other=other.url, port=other.port, own_port=server.port)
            await received.respond(b"", 302, **({"location": target} if target else {}))
        else:
            await succeed(received)

    other = await serve(succeed)
    server = await serve(script)
    async with connect(server.url) as tingting:
        with pytest.raises(ApiError, match="same origin") as caught:
            await tingting._core.execute(READ)
        assert caught.value.status == 302
    assert (len(server.requests), other.requests) == (1, [])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("request_", [SEND, UPDATE])
async def test_redirected_write(serve: Any, status: int, request_: Request[Any]) -> None:
    """Only reads follow redirects; the outcome of a send that is redirected is unknown."""

    async def script(received: Any) -> None:
        await received.respond(b"", status, location="/elsewhere")

    server = await serve(script)
    async with connect(server.url) as tingting:
        with pytest.raises(OutcomeUnknownError if request_ is SEND else ApiError) as caught:
            await tingting._core.execute(request_)
        assert caught.value.status == status
    assert [received.method for received in server.requests] == [request_.method]


async def test_redirect_loop(serve: Any) -> None:
    """Redirects are followed five times at most."""

    async def script(received: Any) -> None:
        await received.respond(b"", 302, location="/things")

    server = await serve(script)
    async with connect(server.url) as tingting:
        with pytest.raises(ApiError):
            await tingting._core.execute(READ)
    assert len(server.requests) == 6


async def test_redirects_count_against_the_call(serve: Any) -> None:
    """The limit of a call includes its redirects."""

    async def script(received: Any) -> None:
        await asyncio.sleep(0.3)
        await received.respond(b"", 302, location="/things")

    server = await serve(script)
    async with connect(server.url) as tingting:
        with pytest.raises(TransportError, match="timed out"):
            await tingting._core.execute(Request("GET", "/things", Effect.READ, "things.list", Response, timeout=0.5))
    assert len(server.requests) == 2


async def test_announced_body_that_is_too_large(serve: Any) -> None:
    """A body whose announced length is too large is refused before it is read."""

    async def script(received: Any) -> None:
        await received.raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY_SIZE + 1))
        await server.released.wait()

    server = await serve(script)
    async with connect(server.url) as tingting:
        with pytest.raises(DecodeError, match="larger than 64 MiB") as caught:
            await tingting._core.execute(READ)
        assert (caught.value.operation, caught.value.status) == ("things.list", 200)


async def test_endless_body(serve: Any) -> None:
    """A body of unknown length is read up to the limit, and not further."""

    async def script(received: Any) -> None:
        await received.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(MAX_BODY_SIZE // 2**22 + 8):
            await received.raw(b"400000\r\n" + bytes(2**22) + b"\r\n")

    server = await serve(script)
    async with connect(server.url) as tingting:
        with pytest.raises(DecodeError, match="larger than 64 MiB"):
            await tingting._core.execute(READ)


async def test_compressed_body_that_is_too_large(serve: Any) -> None:
    """A small body that decompresses to a huge one is read up to the limit, and not further."""
    bomb = gzip.compress(bytes(MAX_BODY_SIZE + 2**20), 1)

    async def script(received: Any) -> None:
        await received.respond(bomb, content_encoding="gzip")

    server = await serve(script)
    async with connect(server.url) as tingting:
        with pytest.raises(DecodeError, match="larger than 64 MiB"):
            await tingting._core.execute(READ)
        with pytest.raises(OutcomeUnknownError):
            await tingting._core.execute(SEND)


@pytest.mark.parametrize(
    "sent",
    [
        {"body": gzip.compress(b'{"a": 1}'), "content_encoding": "gzip"},
        {"body": b'{"a": 1}', "content_type": "text/html; charset=utf-7"},
        {"body": b"8\r\n" + b'{"a": 1}' + b"\r\n0\r\n\r\n", "transfer_encoding": "chunked"},
    ],
)
async def test_body_is_read_completely(serve: Any, sent: dict[str, Any]) -> None:
    """A body is read completely, as bytes: compressed, chunked, and whatever its content type."""

    async def script(received: Any) -> None:
        if "transfer_encoding" in sent:
            await received.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + sent["body"])
        else:
            await received.respond(**sent)

    server = await serve(script)
    async with connect(server.url) as tingting:
        response = await tingting._core.execute(READ)
        assert (response.status, response.body, response.json()) == (200, b'{"a": 1}', {"a": 1})


async def test_body_without_a_length(serve: Any) -> None:
    """A body without a length ends with its connection."""

    async def script(received: Any) -> None:
        await received.raw(b'HTTP/1.0 200 OK\r\n\r\n{"a": 1}')
        received.close()

    server = await serve(script)
    async with connect(server.url) as tingting:
        assert (await tingting._core.execute(READ)).json() == {"a": 1}


async def test_body_that_is_not_utf8(serve: Any) -> None:
    """A body that is not UTF-8 is a DecodeError for a success, and an ApiError for a failure."""

    async def script(received: Any) -> None:
        await received.respond(b'{"a": "\xff\xfe"}', 200 if received.number == 0 else 404)

    server = await serve(script)
    async with connect(server.url) as tingting:
        with pytest.raises(DecodeError, match="not JSON"):
            await tingting.campaigns.get(1)
        with pytest.raises(NotFoundError):
            await tingting.campaigns.get(1)


async def test_request_is_sent_unchanged(serve: Any) -> None:
    """A request is sent unchanged: method, path, query, headers, JSON as UTF-8, no cookies."""

    async def script(received: Any) -> None:
        await received.respond(set_cookie="a=b; Path=/")

    server = await serve(script)
    async with connect(server.url) as tingting:
        params = (("q", "a b"), ("q", "%2F"))
        for path in ("/things/%2F/", "/things//x/"):
            request = Request("POST", path, Effect.CREATE, "x", Response, params=params, json={"m": "नमस्ते"})
            await tingting._core.execute(request)
    first, second = server.requests
    assert (first.method, first.target) == ("POST", "/things/%2F/?q=a+b&q=%252F")
    assert second.target == "/things//x/?q=a+b&q=%252F"
    assert first.body == '{"m":"नमस्ते"}'.encode()
    assert first.headers["content-type"] == "application/json"
    assert first.headers["authorization"] == "Bearer key"
    assert first.headers["accept"].startswith("application/json")
    assert first.headers["user-agent"].startswith("tingting_async/")
    assert "cookie" not in second.headers


async def test_form(serve: Any) -> None:
    """A form is sent as multipart, with or without files."""
    server = await serve(succeed)
    async with connect(server.url) as tingting:
        form = Request("POST", "/things", Effect.CREATE, "x", Response)
        await tingting._core.execute(
            form.with_form({"name": "न", "status": ["a", "b"]}, {"f": File("n.xlsx", b"\0PK", "x/y")})
        )
        await tingting._core.execute(form.with_form({"name": "n"}, {}))
    both, bare = server.requests
    assert both.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert 'name="name"\r\n\r\nन'.encode() in both.body
    assert both.body.count(b'name="status"') == 2
    assert b'Content-Type: x/y\r\nContent-Disposition: form-data; name="f"; filename="n.xlsx"' in both.body
    assert b"\r\n\r\n\0PK\r\n" in both.body
    assert bare.headers["content-type"].startswith("multipart/form-data; boundary=")


@pytest.mark.parametrize("content", ["\ud800", 2**70, math.nan, object(), {1: 2}, {(1,): 2}, {"a": {"b": b"c"}}])
async def test_value_that_cannot_be_encoded(serve: Any, content: Any) -> None:
    """A value that JSON or a query cannot represent is refused before anything is sent."""
    server = await serve(succeed)
    async with connect(server.url) as tingting:
        with pytest.raises(UsageError, match=r"things\.send"):
            await tingting._core.execute(SEND.with_json({"a": content}))
        with pytest.raises(UsageError):
            await tingting._core.execute(Request("GET", "/", Effect.READ, "x", Response, params=(("q", "\ud800"),)))
    assert server.requests == []


@pytest.mark.parametrize("token", ["a\r\nX: y", "a\0b"])
async def test_token_that_cannot_be_sent(serve: Any, token: str) -> None:
    """A token that would inject a header is refused, and not shown."""

    async def script(received: Any) -> None:
        escaped = token.encode("unicode_escape").replace(b"\\x00", b"\\u0000")
        await received.respond(
            b'{"data": {"token": {"access": "%s", "refresh": "r"},'
            b' "user_data": {"first_name": "", "last_name": "", "email": ""}}}' % escaped
        )

    server = await serve(script)
    async with TingTing(base_url=server.url, email="a@example.com", password="hunter2") as tingting:
        with pytest.raises(UsageError, match="cannot be sent") as caught:
            await tingting._core.execute(READ)
        assert token not in str(caught.value)
    assert [received.target for received in server.requests] == ["/api/accounts/login/"]


@pytest.mark.parametrize(
    "url", ["https://a..b.invalid", "https://exa mple.invalid", "https://" + "a" * 64 + ".invalid"]
)
async def test_invalid_host(url: str) -> None:
    """A request to an invalid base URL is a UsageError, or is never sent."""
    async with connect(url, retries=RetryPolicy(attempts=1)) as tingting:
        with pytest.raises((UsageError, NotSentError)):
            await tingting._core.execute(READ)
