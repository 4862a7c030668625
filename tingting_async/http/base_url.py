"""Addresses: which are accepted, and the proxy on the way to them."""

import urllib.request
from ipaddress import ip_address
from urllib.parse import urlsplit

from tingting_async.errors import UsageError


def proxy_of_environment(base_url: str) -> str | None:
    """Return the proxy that `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` name for an address."""
    parts = urlsplit(base_url)
    if urllib.request.proxy_bypass(parts.netloc):
        return None
    return urllib.request.getproxies().get(parts.scheme)


def normalise_base_url(url: str, *, allow_plain_http: bool) -> str:
    """Return scheme, host and port of a base URL as other clients write it, with whatever prefix lies before `/api`.

    Raises:
        UsageError: It is no URL of a host, or would send the credentials in the clear.
    """
    if not isinstance(url, str):
        raise UsageError(f"`base_url` has to be a text, not {type(url).__name__}.")
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").rstrip("."), parts.port
        host = ip_address(host).compressed if ":" in host else host
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if "://" not in url:
        raise UsageError('`base_url` has to begin with "https://", or with "http://" for this machine.')
    if parts.scheme not in ("http", "https", ""):
        raise UsageError(f'`base_url` begins with "{parts.scheme}://"; it has to be "https://".')
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or "@" in parts.netloc:
        # Not quoted: a password may have been written into it.
        raise UsageError('`base_url` has to look like "https://app.tingting.io", without user, query or fragment.')
    if parts.scheme == "http" and not allow_plain_http and not _is_loopback(host):
        raise UsageError(
            f"{host} would be asked over plain http, which shows passwords and phone numbers to everyone on the way. "
            "Use https, or `allow_plain_http=True` if you mean it."
        )
    path = parts.path.rstrip("/").removesuffix("/v1").removesuffix("/api")
    # One spelling for one service: a ledger goes by it.
    netloc = f"[{host}]" if ":" in host else host
    if port not in (None, {"http": 80, "https": 443}[parts.scheme]):
        netloc = f"{netloc}:{port}"
    return f"{parts.scheme}://{netloc}{path}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
