"""Every error of aiohttp and of the operating system is mapped to the right error of the package."""

import asyncio
import inspect
import ssl
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey, RequestInfo
from multidict import CIMultiDict, CIMultiDictProxy
from support.messages import READ
from yarl import URL

from tingting_async import NotSentError, SessionClosedError, TingTingError, TransportError, UsageError
from tingting_async.http.messages import Effect, Request, Response
from tingting_async.http.transport import map_error

SEND = Request("POST", "/send", Effect.SEND, "things.send", Response)


def kinds(kind: type[Any]) -> Iterator[type[Any]]:
    """Yield a class and all its subclasses."""
    yield kind
    for subclass in kind.__subclasses__():
        yield from kinds(subclass)


KINDS = sorted(
    {kind for kind in kinds(aiohttp.ClientError) if kind.__module__.startswith("aiohttp.")},
    key=lambda kind: kind.__name__,
)

# aiohttp raises these before it sends a byte of the request.
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


def mapped(error: Exception, *, request: Request[Any], is_connected: bool, is_closed: bool = False) -> TingTingError:
    """Return our error for an error of a request."""
    return map_error(request, error, "http://a.example", is_connected=is_connected, is_closed=is_closed)


def test_list_of_errors_is_complete() -> None:
    """The list of errors contains those of aiohttp's tree."""
    assert {aiohttp.ClientConnectorDNSError, aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError} <= set(KINDS)


@pytest.mark.parametrize("is_connected", [True, False])
@pytest.mark.parametrize("request_", [READ, SEND])
@pytest.mark.parametrize("kind", KINDS)
def test_each(kind: type[Any], request_: Request[Any], is_connected: bool) -> None:
    """Each error of aiohttp means that nothing was sent, that the response was lost, or that the URL is invalid."""
    error = mapped(instance(kind), request=request_, is_connected=is_connected)
    if issubclass(kind, ADDRESS):
        assert UsageError is type(error)
    elif issubclass(kind, NEVER_SENT) or not is_connected:
        assert (NotSentError, "connect") == (type(error), getattr(error, "phase", ""))
    else:
        assert (TransportError, "response") == (type(error), getattr(error, "phase", ""))
    assert "things." in str(error)


class NamelessError(aiohttp.ClientError):
    """An error of a newer aiohttp, without a text."""


@pytest.mark.parametrize(("is_connected", "expected"), [(True, TransportError), (False, NotSentError)])
def test_unknown_error(is_connected: bool, expected: type[TingTingError]) -> None:
    """An error that this version of aiohttp does not have is judged by whether the request had a connection."""
    error = mapped(NamelessError(), request=SEND, is_connected=is_connected)
    assert expected is type(error)
    assert "(NamelessError)" in str(error)


@pytest.mark.parametrize(
    "error", [TimeoutError(), ConnectionResetError(104, "reset"), ssl.SSLError("eof"), OSError("x")]
)
@pytest.mark.parametrize(("is_connected", "expected"), [(True, TransportError), (False, NotSentError)])
def test_errors_of_the_system(error: Exception, is_connected: bool, expected: type) -> None:
    """After an error of the system or a timeout, only a request that had a connection may have been sent."""
    assert expected is type(mapped(error, request=SEND, is_connected=is_connected))


@pytest.mark.parametrize(
    ("request_", "is_connected", "expected"),
    [
        (READ, True, SessionClosedError),
        (READ, False, SessionClosedError),
        (SEND, False, SessionClosedError),
        (SEND, True, TransportError),
    ],
)
def test_closed_session(request_: Request[Any], is_connected: bool, expected: type[TingTingError]) -> None:
    """On a closed session a failure is a SessionClosedError, unless the request may have changed something."""
    lost = aiohttp.ServerDisconnectedError()
    assert expected is type(mapped(lost, request=request_, is_connected=is_connected, is_closed=True))


@pytest.mark.parametrize(("is_connected", "expected"), [(False, NotSentError), (True, TransportError)])
def test_runtime_error(is_connected: bool, expected: type[TingTingError]) -> None:
    """A RuntimeError of aiohttp or of the event loop is a failure like any other."""
    error = mapped(RuntimeError("event loop stopped"), request=SEND, is_connected=is_connected)
    assert expected is type(error)
    assert "event loop stopped" in str(error)


@pytest.mark.parametrize(
    ("request_", "is_connected", "expected"),
    [(READ, True, UsageError), (READ, False, UsageError), (SEND, False, UsageError), (SEND, True, TransportError)],
)
def test_value_error(request_: Request[Any], is_connected: bool, expected: type[TingTingError]) -> None:
    """A ValueError means that the request cannot be sent, unless it may have been sent and changed something."""
    assert expected is type(mapped(ValueError("line break"), request=request_, is_connected=is_connected))


def test_cancellation_is_not_mapped() -> None:
    """None of the errors that are mapped is a cancellation."""
    assert [] == [kind for kind in KINDS if issubclass(kind, asyncio.CancelledError)]
