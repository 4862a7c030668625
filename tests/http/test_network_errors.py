"""The texts of network errors: which address failed, why, that nothing was sent, and what to do."""

import errno
import os
import re
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from support.messages import READ
from support.servers import closed_port, http_response, replies, serving, succeed

from tingting_async import NotSentError, RetryPolicy, TingTing
from tingting_async.http.transport import map_error
from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

CERTIFICATE = Path(__file__).parents[1] / "support" / "self_signed.pem"
CHECK = "Check `base_url` and the network."
CHECK_PROXY = "Check `proxy`, or the proxy that the environment names."
NO_TLS = "The server does not speak TLS at this port: check `base_url` (`http://` or `https://`, and the port)."


async def failure(base_url: str, **options: Any) -> str:
    """Return the end of the text of a read that could not connect, after the base URL."""
    options = {"retries": RetryPolicy(attempts=1), "timeout": 20, **options}
    async with TingTing(base_url=base_url, api_token="a token", **options) as tingting:
        with pytest.raises(NotSentError) as caught:
            await tingting.accounts.user_details()
    return str(caught.value).partition(f" on {base_url}: ")[2]


def tls() -> ssl.SSLContext:
    """Return the TLS context of a server whose certificate is for localhost and 127.0.0.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


async def test_unknown_host() -> None:
    """If the host is unknown, the error names it and says to check `base_url` and the network."""
    shown = await failure("https://no-such-host.invalid")
    assert re.fullmatch(
        rf"could not connect \(no-such-host\.invalid:443: .+\)\. Nothing was sent\. {re.escape(CHECK)}", shown
    )


async def test_refused() -> None:
    """If a connection is refused, the error shows the whole address, which is not masked like a phone number."""
    port = closed_port()
    shown = await failure(f"http://127.0.0.1:{port}")
    assert f"could not connect (127.0.0.1:{port}: Connection refused). Nothing was sent. {CHECK}" == shown


async def test_refused_one_time_password() -> None:
    """The port is shown even if the code of a one-time password has the same digits."""
    port = closed_port()
    async with TingTing(
        base_url=f"http://127.0.0.1:{port}", api_token="a", retries=RetryPolicy(attempts=1)
    ) as tingting:
        with pytest.raises(NotSentError, match=rf"\(127\.0\.0\.1:{port}: Connection refused\)"):
            await tingting.otp.send("9800000001", "Your code is {otp}", channel="text", otp=str(port))


async def test_plain_http_at_this_port() -> None:
    """If the server speaks plain HTTP at an https URL, the error says to check the scheme and the port."""
    async with Sandbox(campaigns=0) as sandbox:
        shown = await failure(sandbox.url.replace("http:", "https:"))
    assert shown.startswith(f"could not connect ({sandbox.url.removeprefix('http://')}: [SSL")
    assert shown.endswith(f"). Nothing was sent. {NO_TLS}")


async def test_dead_proxy() -> None:
    """If the proxy cannot be reached, the error says that it is the proxy, for http and https."""
    port = closed_port()
    for base_url in ("http://127.0.0.1:1", "https://service.invalid"):
        shown = await failure(base_url, proxy=f"http://user:hunter2@127.0.0.1:{port}")
        expected = f"could not connect to the proxy (127.0.0.1:{port}: Connection refused). Nothing was sent. "
        assert expected + CHECK_PROXY == shown


async def test_unknown_proxy() -> None:
    """If the host of the proxy is unknown, the error says that it is the proxy's."""
    shown = await failure("https://service.invalid", proxy="http://no-such-proxy.invalid:3128")
    assert shown.startswith("could not connect to the proxy (no-such-proxy.invalid:3128: ")
    assert shown.endswith(CHECK_PROXY)


@pytest.mark.parametrize(("status", "advice"), [(407, "`http://user:password@host:port`"), (502, CHECK_PROXY)])
async def test_proxy_that_refuses(serve: Any, status: int, advice: str) -> None:
    """If the proxy refuses to connect, the error says so, with its status."""
    proxy = await serve(replies(http_response(b"no", status)))
    shown = await failure("https://service.invalid", proxy=proxy.url)
    assert shown.startswith(f"the proxy refused to connect ({status} ")
    assert advice in shown


async def test_untrusted_certificate() -> None:
    """If the certificate is not trusted, the error says how to trust it."""
    async with serving(succeed, tls=tls()) as server:
        shown = await failure(f"https://127.0.0.1:{server.port}")
    assert re.match(rf"could not connect \(127\.0\.0\.1:{server.port}: .*certificate verify failed", shown)
    assert "`ssl.create_default_context(cafile=…)`" in shown
    assert "_ssl.c" not in shown


def mapped(base_url: str, error: OSError, *, host: str = "", port: int = 443) -> str:
    """Return the text for a connection to the host of the base URL, or to another host, that failed with an error."""
    key = ConnectionKey(host or base_url.partition("://")[2].strip("[]"), port, True, True, None, None, None)
    failed = aiohttp.ClientConnectorError(key, error)
    return str(map_error(READ, failed, base_url, is_connected=False, is_closed=False)).partition(f" on {base_url}: ")[2]


@pytest.mark.parametrize(
    ("base_url", "code", "reason", "advice"),
    [
        ("https://198.51.100.51", 64, "IP address mismatch, certificate is not valid for '198.51.100.51'", "the name"),
        ("https://a.example", 62, "Hostname mismatch, certificate is not valid for 'a.example'", "in `base_url`"),
        ("https://a.example", 10, "certificate has expired", "clock"),
        ("https://a.example", 9, "certificate is not yet valid", "clock"),
        ("https://a.example", 20, "unable to get local issuer certificate", "`ssl`"),
    ],
)
def test_certificate_that_does_not_fit(base_url: str, code: int, reason: str, advice: str) -> None:
    """The error for a certificate shows the address as it is, why the certificate does not fit, and what to do."""
    error = ssl.SSLCertVerificationError(1, f"certificate verify failed: {reason} (_ssl.c:1006)")
    error.verify_code = code
    shown = mapped(base_url, error)
    host = base_url.removeprefix("https://")
    assert shown.startswith(f"could not connect ({host}:443: certificate verify failed: {reason}). Nothing was sent. ")
    assert advice in shown.partition("Nothing was sent.")[2]


def test_several_addresses() -> None:
    """If all addresses of a host fail, the error has the operating system's text for each, in place of asyncio's."""
    failures = "[Errno 111] Connect call failed ('::1', 9, 0, 0), [Errno 101] Connect call failed ('192.0.2.1', 9)"
    shown = mapped("https://a.example", OSError(f"Multiple exceptions: {failures}"))
    reasons = f"{os.strerror(111)}, {os.strerror(101)}"
    assert f"could not connect (a.example:443: Multiple exceptions: {reasons}). Nothing was sent. {CHECK}" == shown


def test_ipv6_address() -> None:
    """An IPv6 address is shown in brackets, and is that of the service and not of a proxy."""
    shown = mapped("https://[2001:db8::1]", OSError(errno.ECONNREFUSED, "Connection refused"))
    assert f"could not connect ([2001:db8::1]:443: Connection refused). Nothing was sent. {CHECK}" == shown


def test_open_files() -> None:
    """If the process can open no more files, the error says that, and not to check the network."""
    shown = mapped("https://a.example", OSError(errno.EMFILE, "Too many open files"))
    assert shown.endswith(
        "Nothing was sent. Close files and connections of this process, or raise its limit of open files (`ulimit -n`)."
    )


def test_secrets_beside_the_address() -> None:
    """A phone number or a token in the reason is masked. The address next to it is not."""
    error = OSError(1, "refused 9800000001 for 198.51.100.51 with Bearer abcdef")
    shown = mapped("https://198.51.100.51", error)
    assert "198.51.100.51:443: refused …01 for 198.51.100.51 with [secure]" in shown
