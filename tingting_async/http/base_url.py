"""Base URLs: validation, normalisation, the proxy that the environment names for them, and redirects within them."""

import urllib.request
from ipaddress import ip_address
from urllib.parse import urlsplit

from yarl import URL

from tingting_async.errors import UsageError
from tingting_async.http.messages import Response


def proxy_of_environment(base_url: str) -> str | None:
    """Return the proxy that `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` name for a base URL.

    Raises:
        UsageError: The variable is not the URL of an HTTP proxy.
    """
    parts = urlsplit(base_url)
    if urllib.request.proxy_bypass(parts.netloc):
        return None
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy is None:
        return None
    # curl and requests accept a proxy without a scheme, so these variables often have none.
    return check_proxy(proxy if "://" in proxy else f"http://{proxy}", f"{parts.scheme.upper()}_PROXY")


def check_proxy(url: str, name: str) -> str:
    """Return the URL of an HTTP proxy.

    Args:
        url: The URL.
        name: The argument or environment variable that has it, for the message.

    Raises:
        UsageError: The URL is invalid, or of another kind of proxy. The text does not show it: it may hold a password.
    """
    try:
        parts = urlsplit(url)
        is_valid = bool(parts.hostname) and parts.port != 0 and not any(map(str.isspace, url))
    except ValueError:
        is_valid = False
    else:
        is_valid = is_valid and parts.scheme in ("http", "https")
    if not is_valid:
        raise UsageError(f'`{name}` must be the URL of an HTTP proxy, such as "http://proxy.example:8080".')
    return url


def normalise_base_url(url: str, *, allow_plain_http: bool) -> str:
    """Return the scheme, host and port of a base URL, with the path prefix in front of `/api`.

    Args:
        url: The URL, with or without `/api/v1/` or a trailing slash.
        allow_plain_http: Whether `http://` is accepted for hosts other than this machine.

    Raises:
        UsageError: The URL is invalid, or would send the credentials unencrypted.
    """
    if not isinstance(url, str):
        raise UsageError(f"`base_url` must be a string, not {type(url).__name__}.")
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").rstrip("."), parts.port
        host = ip_address(host).compressed if ":" in host else host
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if "://" not in url:
        raise UsageError('`base_url` must begin with "https://", or with "http://" for this machine.')
    if parts.scheme not in ("http", "https", ""):
        raise UsageError(f'`base_url` must begin with "https://", not with "{parts.scheme}://".')
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or "@" in parts.netloc:
        # The text does not show the URL: it may hold a password.
        raise UsageError('`base_url` must look like "https://app.tingting.io", without user, query or fragment.')
    if parts.scheme == "http" and not allow_plain_http and not _is_loopback(host):
        raise UsageError(
            f"`base_url` uses plain http to reach {host}, which shows passwords and phone numbers to every network in "
            "between. Use https, or pass `allow_plain_http=True`."
        )
    path = parts.path.rstrip("/").removesuffix("/v1").removesuffix("/api")
    # Each service has one spelling, because a ledger tells services apart by it.
    netloc = f"[{host}]" if ":" in host else host
    if port not in (None, {"http": 80, "https": 443}[parts.scheme]):
        netloc = f"{netloc}:{port}"
    return f"{parts.scheme}://{netloc}{path}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def redirect_target(url: URL, response: Response) -> URL | None:
    """Return the target of a redirect if it is on the same origin, else None."""
    try:
        target = url.join(URL(response.headers["Location"]))
        # aiohttp would turn a user name in the URL into credentials, next to ours.
        return target if target.origin() == url.origin() and target.user is None else None
    except (LookupError, ValueError):
        return None
