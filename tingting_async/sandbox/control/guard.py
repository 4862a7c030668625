"""The guard of the page and the control interface: web pages of other sites can neither use nor read them."""

import re
from collections.abc import Iterable
from ipaddress import ip_address
from typing import cast

from aiohttp import web
from yarl import URL

_OWN_SITES = ("same-origin", "none")  # "none": the user typed the address or opened a bookmark.


class Guard:
    """Tells requests of the user and her programs from those that a page of another site makes in her browser.

    A browser lets any page send requests to this machine. It states the page in `Origin`, which a page cannot forge. A
    page can also have its own name resolve to this machine (DNS rebinding), so that both have the same origin. Then
    `Host` is that name. An IP address or a name of the loopback interface cannot be taken over in this way.

    A page that posts forms must not set the referrer policy `no-referrer`: the origin of its forms would be "null".

    Args:
        allowed_hosts: The host names under which the sandbox may be reached, beside IP addresses and `localhost`.
        bound: The host that the sandbox listens on, under whose name it may be reached as well.

    Raises:
        TypeError: `allowed_hosts` is not a list of host names.
        ValueError: One of the names is not a host name alone.
    """

    def __init__(self, allowed_hosts: Iterable[str], bound: str) -> None:
        if isinstance(allowed_hosts, str):
            raise TypeError(f"allowed_hosts={allowed_hosts!r} is a string: use a list of host names.")
        if not isinstance(cast("object", allowed_hosts), Iterable):
            raise TypeError(f"allowed_hosts={allowed_hosts!r} is not valid: use a list of host names.")
        self._names = frozenset((_canonical(bound), *map(_checked, allowed_hosts)))

    def refusal(self, request: web.Request, *, links: bool = True) -> str | None:
        """Return why a request must not be served; None if it may be.

        Args:
            request: The request.
            links: Whether the user may follow a link of another site to the address.
        """
        host = _parsed("http", request.headers.get("Host", ""))
        name = None if host is None else host.raw_host
        if name is None:
            return "The request has no valid `Host` header. Add one, such as `Host: localhost`."
        if not self._is_allowed(name):
            return (
                f"The host name {name!r} is not allowed. If it is a name of this sandbox, start the sandbox with "
                f"`--allowed-host {name}`, or use its IP address."
            )
        origin = request.headers.get("Origin")
        if origin is not None and not _is_same(origin, request.headers["Host"]):
            return (
                f"The request comes from a page of another site ({origin!r}). Send it from a program or the page at /."
            )
        if request.headers.get("Sec-Fetch-Site", "none") not in _OWN_SITES and not (links and _opens_a_tab(request)):
            return "The request comes from a page of another site. Send it from a program or the page at /."
        return None

    def _is_allowed(self, name: str) -> bool:
        name = _canonical(name)
        return name == "localhost" or name.endswith(".localhost") or _is_address(name) or name in self._names


def _checked(name: str) -> str:
    if not isinstance(cast("object", name), str) or not (re.fullmatch(r"[A-Za-z0-9._-]+", name) or _is_address(name)):
        raise ValueError(
            f"allowed_hosts: {name!r} is not a host name. Use the name alone, without scheme and port: 'sandbox'."
        )
    return _canonical(name)


def _canonical(name: str) -> str:
    return name.lower().removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _parsed(scheme: str, host: str) -> URL | None:
    try:
        return URL(f"{scheme}://{host}")
    except ValueError:
        return None


def _is_same(origin: str, host: str) -> bool:
    """Return whether a page's origin is the address that its request was sent to, behind a TLS proxy as well."""
    scheme, _, page = origin.partition("://")
    source, target = _parsed(scheme, page), _parsed(scheme, host)
    if scheme not in ("http", "https") or source is None or target is None:
        return False
    return (source.raw_host, source.port) == (target.raw_host, target.port)


def _opens_a_tab(request: web.Request) -> bool:
    """Return whether the browser opens the address in a tab, after a click on a link: no page can read that."""
    reads = request.method in ("GET", "HEAD")
    return reads and request.headers.get("Sec-Fetch-Dest") == "document"
