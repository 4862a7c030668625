"""Every error of aiohttp becomes one of ours, of the right kind, and nothing of aiohttp escapes."""

import asyncio
import gc
import inspect
import ssl
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey, RequestInfo
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from tingting_async import NotSentError, SessionClosedError, TingTing, TingTingError, TransportError, UsageError
from tingting_async.http.messages import Effect, Request, Response
from tingting_async.http.transport import Transport

READ = Request("GET", "/things", Effect.READ, "things.list", Response)
RING = Request("POST", "/ring", Effect.SEND, "things.ring", Response)


def kinds(kind: type[Any]) -> Iterator[type[Any]]:
    """Yield a class and all below it."""
    yield kind
    for below in kind.__subclasses__():
        yield from kinds(below)


KINDS = sorted(
    {kind for kind in kinds(aiohttp.ClientError) if kind.__module__.startswith("aiohttp.")},
    key=lambda kind: kind.__name__,
)

# No byte of the request leaves before these.
NEVER_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ServerFingerprintMismatch,
)
ADDRESS = (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)

ARGUMENTS: dict[str, Any] = {
    "request_info": RequestInfo(
        URL("http://a.example"), "GET", CIMultiDictProxy(CIMultiDict()), URL("http://a.example")
    ),
    "history": (),
    "connection_key": ConnectionKey("a.example", 80, False, True, None, None, None),
    "os_error": OSError(111, "Connection refused"),
    "certificate_error": ssl.SSLError("bad certificate"),
    "path": "/socket",
    "expected": b"1",
    "got": b"2",
    "host": "a.example",
    "port": 80,
    "url": URL("http://a.example"),
}


def instance(kind: type[Any]) -> Exception:
    """Return an error of this kind, as aiohttp would raise it."""
    names = [
        parameter.name
        for parameter in inspect.signature(kind.__init__).parameters.values()
        if parameter.default is parameter.empty and parameter.name in ARGUMENTS
    ]
    error = kind(*(ARGUMENTS[name] for name in names))
    assert isinstance(error, Exception)
    return error


def transport() -> Transport:
    """Return a transport that is never used."""
    return Transport(
        base_url="http://a.example", max_in_flight=1, rate=None, http=None, proxy=None, ssl=None, trust_env=False
    )


def test_the_tree_is_there() -> None:
    """The walk finds the tree of aiohttp's errors."""
    assert {aiohttp.ClientConnectorDNSError, aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError} <= set(KINDS)


@pytest.mark.parametrize("is_connected", [True, False])
@pytest.mark.parametrize("request_", [READ, RING])
@pytest.mark.parametrize("kind", KINDS)
def test_each(kind: type[Any], request_: Request[Any], is_connected: bool) -> None:
    """Each error of aiohttp is never sent, lost, or an address that is none."""
    error = transport()._map_error(request_, instance(kind), is_connected=is_connected)
    if issubclass(kind, ADDRESS):
        assert type(error) is UsageError
    elif issubclass(kind, NEVER_SENT) or not is_connected:
        assert type(error) is NotSentError
        assert error.phase == "connect"
    else:
        assert type(error) is TransportError
        assert error.phase == "response"
    assert "things." in str(error)


@pytest.mark.parametrize(
    "error", [TimeoutError(), ConnectionResetError(104, "reset"), ssl.SSLError("eof"), OSError("x")]
)
@pytest.mark.parametrize(("is_connected", "expected"), [(True, TransportError), (False, NotSentError)])
def test_errors_of_the_system(error: Exception, is_connected: bool, expected: type) -> None:
    """Errors of the system and time-outs are lost or never sent, by how far the request came."""
    assert expected is type(transport()._map_error(RING, error, is_connected=is_connected))


@pytest.mark.anyio
async def test_closed_meanwhile() -> None:
    """On a closed session a failure is a SessionClosedError, but for what may have been done already."""
    closed = transport()
    await closed.aclose()
    lost = aiohttp.ServerDisconnectedError()
    expected: list[tuple[Request[Any], bool, type[TingTingError]]] = [
        (READ, True, SessionClosedError),
        (READ, False, SessionClosedError),
        (RING, False, SessionClosedError),
        (RING, True, TransportError),
    ]
    for request, is_connected, kind in expected:
        assert kind is type(closed._map_error(request, lost, is_connected=is_connected))


@pytest.mark.parametrize(("is_connected", "kind"), [(False, NotSentError), (True, TransportError)])
def test_error_below(is_connected: bool, kind: type[TingTingError]) -> None:
    """A RuntimeError from below is told as what it means for the request, like any other failure of the wire."""
    error = transport()._map_error(RING, RuntimeError("event loop stopped"), is_connected=is_connected)
    assert type(error) is kind
    assert "event loop stopped" in str(error)


def test_cancellation_is_not_translated() -> None:
    """No error that is translated is a cancellation."""
    assert not [kind for kind in KINDS if issubclass(kind, asyncio.CancelledError)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"http": "session"}, "`http` has to be a ClientSession, not str"),
        ({"proxy": 8080}, "`proxy` has to be a str, not int"),
        ({"ssl": True}, "`ssl` has to be a SSLContext, not bool"),
        ({"base_url": "app.tingting.io"}, '`base_url` has to begin with "https://", or with "http://" for this'),
        ({"base_url": "ftp://app.tingting.io"}, '`base_url` begins with "ftp://"; it has to be "https://"'),
        ({"api_token": None}, "TINGTING_API_TOKEN"),
    ],
)
def test_options_of_another_kind(options: dict[str, Any], said: str) -> None:
    """An option of another kind is refused at once, and says what it should have been."""
    with pytest.raises(UsageError, match=said):
        TingTing(**{"api_token": "t", **options})


def test_option_that_is_none() -> None:
    """An option that there is none of is a TypeError and nothing but that: what was never made is not closed."""
    with pytest.raises(TypeError, match="windows"):
        TingTing(api_token="t", windows=3)  # type: ignore[call-arg]
    gc.collect()  # An error in a finalizer would fail the test.
