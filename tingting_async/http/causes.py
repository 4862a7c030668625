"""What the errors of aiohttp and of the operating system behind them say, and what to do about them."""

import errno
import os
import re
import ssl
from typing import Any

from yarl import URL

from tingting_async.errors import NotSentError, SessionClosedError, TransportError
from tingting_async.http.messages import Request

_CHECK = "Check `base_url` and the network."
_CHECK_PROXY = "Check `proxy`, or the proxy that the environment names."
PROXY_SIGN_IN = "Give the proxy's user and password in `proxy`: `http://user:password@host:port`."
_TRUST = (
    "Check `base_url` and the network. If a proxy of your network replaces certificates, give `ssl` a context that "
    "trusts it: `ssl.create_default_context(cafile=…)`."
)
_CERTIFICATES = {
    9: "Check this machine's clock: by it, the certificate is not valid yet.",
    10: "Check this machine's clock. If it is right, the server needs a new certificate.",
    62: "The certificate is for another host: check the host in `base_url`.",
    64: "The certificate is for another host: use the name of the host in `base_url`, not its IP address.",
}
"""What to do about a certificate, by OpenSSL's code for what is wrong with it (`X509_V_ERR_…`)."""
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG")
"""OpenSSL's names for a response that is not TLS."""
_CONNECT_CALL = re.compile(r"\[Errno (\d+)\] Connect call failed \([^)]*\)")
"""asyncio's text, which has an address instead of the operating system's text."""


def late_error(request: Request[Any], base_url: str) -> NotSentError:
    """Return the error for a request whose time ran out before it could be sent."""
    return NotSentError(
        f"{request.operation}: {request.method} {request.path} on {base_url}: timed out before the request was sent. "
        "Nothing was sent.",
        operation=request.operation,
        method=request.method,
        path=request.path,
        phase="connect",
    )


def network_error(
    request: Request[Any], error: Exception, base_url: str, *, is_connected: bool, is_closed: bool, is_proxy: bool
) -> TransportError:
    """Return our error for an error of the network.

    The arguments are those of `map_error` in `http/transport.py`. `is_proxy` says whether it is an error of the proxy.
    """
    if isinstance(error, TimeoutError):
        what, advice = ("the session was closed", "") if is_closed else ("timed out", _CHECK)
    else:
        cause: Any = getattr(error, "certificate_error", None) or getattr(error, "os_error", error)
        is_proxy = is_proxy or _is_elsewhere(error, base_url)
        what, advice = _explanation(request, error, cause), _advice(cause, is_proxy=is_proxy)
    kind: type[TransportError] = NotSentError
    phase, said = "connect", "could not connect to the proxy" if is_proxy else "could not connect"
    if is_proxy and hasattr(error, "status"):
        said = "the proxy refused to connect"
    end = f"Nothing was sent. {advice}".rstrip()
    if is_connected:
        kind, end = TransportError, "The request was sent."
        phase, said = "response", "no complete response was received"
    text = f"{request.operation}: {request.method} {request.path} on {base_url}: {said} ({what}). {end}"
    return kind(text, operation=request.operation, method=request.method, path=request.path, phase=phase)


def is_session_closed(error: Exception) -> bool:
    """Return whether aiohttp refused a request, because its session was closed before."""
    return isinstance(error, RuntimeError) and "Session is closed" in str(error)


def closed_http_error(operation: str) -> SessionClosedError:
    """Return the error for a user's session that is closed."""
    return SessionClosedError(
        f"{operation}: the aiohttp.ClientSession that was given as `http` is closed. Nothing was sent. Give an open "
        "one, and close it after this session."
    )


def _is_elsewhere(error: Any, base_url: str) -> bool:
    """Return whether a connection to another address than the service's failed, which can only be the proxy's."""
    base = URL(base_url)
    host, port = getattr(error, "host", None), getattr(error, "port", None)
    return bool(host and port) and (host, port) != (base.raw_host, base.port)


def _explanation(request: Request[Any], error: Any, cause: Exception) -> str:
    """Return what an error says, with secrets masked, but not the address: it is in `base_url` or `proxy` anyway."""
    host, port = getattr(error, "host", None), getattr(error, "port", None)
    if not host or cause is error:
        status, message = getattr(error, "status", None), getattr(error, "message", None)
        said = f"{status} {message}" if status and message else str(error)
        return request.redact(said) or type(error).__name__
    said = _CONNECT_CALL.sub(lambda match: os.strerror(int(match[1])), str(cause))
    if said == str(cause) and isinstance(cause, OSError):
        said = re.sub(r" \(_ssl\.c:\d+\)$", "", cause.strerror or said)
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"{address}: {host.join(map(request.redact, said.split(host)))}"


def _advice(cause: Exception, *, is_proxy: bool) -> str:
    """Return what to do about a connection that failed; empty for what is not an error of the network."""
    if isinstance(cause, OSError) and cause.errno in (errno.EMFILE, errno.ENFILE):
        return "Close files and connections of this process, or raise its limit of open files (`ulimit -n`)."
    if getattr(cause, "status", None) == 407:
        return PROXY_SIGN_IN
    if is_proxy:
        return _CHECK_PROXY
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _CERTIFICATES.get(getattr(cause, "verify_code", 0), _TRUST)
    if isinstance(cause, ssl.SSLError) and getattr(cause, "reason", None) in _NO_TLS:
        return "The server does not speak TLS at this port: check `base_url` (`http://` or `https://`, and the port)."
    return _CHECK if isinstance(cause, OSError) else ""


def short_cause(error: Exception) -> OSError | None:
    """Return the operating system's part of an error of aiohttp, without the internals behind it.

    Other errors of aiohttp hold the headers of the request, or quote the response.
    """
    cause = getattr(error, "os_error", error)
    if not isinstance(cause, OSError) or isinstance(cause, TimeoutError):
        return None
    cause.__cause__ = cause.__context__ = None
    return cause.with_traceback(None)
