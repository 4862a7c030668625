"""What the errors of aiohttp say about the operating system's error behind them."""

import os
from typing import Any


def connect_failure(error: Any) -> str:
    """Return the host and port of a failed connection, and the operating system's text for the failure."""
    cause: OSError | None = getattr(error, "os_error", None)
    if cause is None:  # Older versions of aiohttp, for a certificate that is not trusted: their text names both.
        return str(error)
    if cause.errno and "Connect call failed" in str(cause):  # The text of asyncio, which names the address only.
        return f"{error.host}:{error.port}: {os.strerror(cause.errno)}"
    return f"{error.host}:{error.port}: {cause.strerror or cause}"


def short_cause(error: Exception) -> OSError | None:
    """Return the operating system's part of an error of aiohttp, without the internals behind it.

    Other errors of aiohttp hold the headers of the request, or quote the response.
    """
    cause = getattr(error, "os_error", error)
    if not isinstance(cause, OSError) or isinstance(cause, TimeoutError):
        return None
    cause.__cause__ = cause.__context__ = None
    return cause.with_traceback(None)
