"""The page as HTML over HTTP, without a browser."""

import re
import subprocess
import sys
import zipfile
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import requests
from hatchling.builders.wheel import WheelBuilder

from tingting_async.sandbox import Fault, Sandbox

ROOT = Path(__file__).parents[3]
POLICY = "default-src 'none'"


def get(sandbox: Sandbox, path: str = "/", **options: Any) -> requests.Response:
    """Request a part of the page."""
    return requests.get(sandbox.url + path, timeout=20, **options)


def press(sandbox: Sandbox, action: str, headers: dict[str, str] | None = None, **fields: str) -> requests.Response:
    """Post the form of a button."""
    url = f"{sandbox.url}/actions/{action}"
    return requests.post(url, data=fields, headers=headers, timeout=20, allow_redirects=False)


def text_to(sandbox: Sandbox, number: str, text: str) -> None:
    """Add a text message to the inbox."""
    sandbox.world.inbox.add("sms", "otp", number, sandbox.clock.now(), text)


@pytest.mark.parametrize("path", ["/", "/page/style.css", "/page/page.js", "/page/icon.svg"])
def test_nothing_from_elsewhere(sandbox: Sandbox, path: str) -> None:
    """No part of the page names another host, brings inline scripts or styles, or may be framed or cached."""
    response = get(sandbox, path)
    assert response.ok
    assert POLICY in response.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
    assert "no-store" == response.headers["Cache-Control"]
    links = re.findall(r"https?://[^\s\"'<)]+", response.text.replace("http://www.w3.org/2000/svg", ""))
    assert [] == [link for link in links if not link.startswith(sandbox.url)]
    assert [] == re.findall(r"<style|<script(?! src=)| style=| on\w+=", response.text)


def test_markup_in_texts(sandbox: Sandbox) -> None:
    """Markup in numbers, texts, names, searches and paths is shown, not used."""
    markup = '<img src=x onerror="alert(1)">'
    text_to(sandbox, "9800000001", markup)
    sandbox.world.add_campaign(sandbox.world.owner, markup, "SMS", "")
    get(sandbox, f"/api/{markup}")
    html = get(sandbox, "/", params={"text": markup, "number": '9"><b>', "campaign": ""}).text + get(sandbox).text
    assert "<img" not in html
    assert "<b>" not in html
    assert "&lt;img" in html


def test_connect(sandbox: Sandbox) -> None:
    """The page shows the credentials, and the lines to export with the address that the browser uses."""
    port = sandbox.url.rpartition(":")[2]
    html = requests.get(f"http://localhost:{port}/", timeout=20).text
    assert f"export TINGTING_BASE_URL=http://localhost:{port}\n" in html
    for value in (sandbox.email, sandbox.password, sandbox.api_token):
        assert value in html


@pytest.mark.parametrize(
    "query",
    ["before=abc", "before=-1", "after=9" * 30, "channel=fax", "campaigns=0", "campaigns=x", "number=%FF", "x=1"],
)
def test_senseless_queries(sandbox: Sandbox, query: str) -> None:
    """A value of the query that makes no sense counts as absent."""
    text_to(sandbox, "9800000001", "Hello")
    response = get(sandbox, f"/?{query}")
    assert 200 == response.status_code


def test_many_messages(sandbox: Sandbox) -> None:
    """A page of 50,000 messages and 2,000 campaigns is as long as one of a few."""
    for index in range(60):
        text_to(sandbox, f"98{index:08d}", "Hello")
    for _ in range(20):
        sandbox.world.add_campaign(sandbox.world.owner, "Reminder", "SMS", "")
    few = len(get(sandbox).text)
    for index in range(50_000):
        text_to(sandbox, f"98{index:08d}", "Hello")
    for _ in range(2_000):
        sandbox.world.add_campaign(sandbox.world.owner, "Reminder", "SMS", "")
    assert len(get(sandbox).text) < few * 1.1
    assert "9800000030" in get(sandbox, "/?number=9800000030").text


def test_search(sandbox: Sandbox) -> None:
    """The inbox is searched by number in any spelling, text, campaign (a name or an id) and channel, or several."""
    campaign = sandbox.world.add_campaign(sandbox.world.owner, "Reminder", "PHONE", "")
    inbox, now = sandbox.world.inbox, sandbox.clock.now()
    inbox.add("call", "campaign", "9841000001", now, "Hello Sita", campaign=(campaign.id, campaign.name))
    inbox.add("sms", "campaign", "9841000002", now, "Hello Ram", campaign=(campaign.id, campaign.name))
    inbox.add("sms", "otp", "9800000001", now, "Your code is 1")
    for query, expected in (
        ("", [3, 2, 1]),
        ("number=%2B977+980-0000001", [3]),
        ("number=९८४१", [2, 1]),
        ("text=hello", [2, 1]),
        ("campaign=remind", [2, 1]),
        (f"campaign={campaign.id}", [2, 1]),
        (f"campaign=%23{campaign.id}", [2, 1]),
        ("campaign=%2399999", []),
        ("channel=call", [1]),
        ("channel=sms", [3, 2]),
        ("channel=sms&campaign=reminder&text=ram&number=98", [2]),
        ("number=1234567", []),
        ("number=nobody", []),
    ):
        text = get(sandbox, f"/?{query}").text
        assert expected == [int(id_) for id_ in re.findall(r'id="message-(\d+)"', text)]
        assert (f"3 messages{' in all' if query else ''}</p>") in text


def test_older_and_newer(sandbox: Sandbox) -> None:
    """The inbox shows fifty messages, and links to older and newer ones keep the search."""
    for index in range(120):
        text_to(sandbox, f"98{index:08d}", "Hello")
        text_to(sandbox, "9700000000", "Another")
    path, firsts = "/?text=hello", list[str]()
    for link in ("next", "next", "prev", "prev", None):
        html = get(sandbox, path).text.partition('id="campaigns"')[0]
        firsts += re.findall(r'class="number"[^>]*>(\d+)', html)[:1]
        path = next((unescape(path) for path in re.findall(f'href="([^"]+)" rel="{link}"', html)), "")
        assert not link or "text=hello" in path
    assert ["9800000119", "9800000069", "9800000019", "9800000069", "9800000119"] == firsts
    assert 'rel="prev"' not in html


def test_campaigns(sandbox: Sandbox) -> None:
    """Campaigns come ten at a time, last changed first, with links to the others, and can be filtered."""
    for index in range(25):
        sandbox.world.add_campaign(sandbox.world.owner, f"Number {index:02d}.", "SMS", "")
    pages = [re.findall(r"Number (\d\d)\.", get(sandbox, f"/?campaigns={page}").text) for page in (1, 2, 3)]
    assert [f"{index:02d}" for index in reversed(range(25))] == [name for page in pages for name in page]
    assert "/?campaigns=3#campaigns" in get(sandbox, "/?campaigns=2").text
    assert ["07"] == re.findall(r"Number (\d\d)\.", get(sandbox, "/?campaign=number+07").text)


def test_requests(sandbox: Sandbox) -> None:
    """Requests are shown with their status, duration and fault, but without secrets; those of the page are not."""
    headers = {"Authorization": f"Bearer {sandbox.api_token}"}
    sandbox.faults.add(Fault("status", status=418, times=1))
    for _ in range(2):
        get(sandbox, "/api/v1/campaign/?token=secret-token&page=2", headers=headers)
    html = get(sandbox).text
    section = html.partition('id="requests"')[2]
    assert 2 == section.count("GET /api/v1/campaign/")
    assert "page=2" in section
    assert "fault: status" in section
    assert "418" in section
    assert re.search(r"\d+ ms", section)
    assert "secret-token" not in html
    assert sandbox.api_token not in section
    assert ["/api/v1/campaign/"] * 2 == [request.path for request in sandbox.requests]


def test_page_has_no_faults(sandbox: Sandbox) -> None:
    """Faults do not strike the page, its buttons or its files."""
    fault = sandbox.faults.add(Fault("reset"))
    assert [200, 200, 303] == [
        get(sandbox).status_code,
        get(sandbox, "/page/style.css").status_code,
        press(sandbox, "speed", speed="60").status_code,
    ]
    assert 0 == fault.count


@pytest.mark.parametrize(
    ("action", "fields", "status"),
    [
        ("advance", {}, 400),
        ("advance", {"seconds": "x"}, 400),
        ("advance", {"seconds": "-1"}, 400),
        ("advance", {"seconds": "nan"}, 400),
        ("advance", {"seconds": "1e30"}, 400),
        ("advance", {"seconds": "inf"}, 400),
        ("speed", {"speed": "1e308"}, 400),
        ("speed", {"speed": "nan"}, 400),
        ("speed", {"speed": "0"}, 400),
        ("speed", {"speed": "fast"}, 400),
        ("remove-fault", {"id": "x"}, 400),
        ("remove-fault", {"id": "99"}, 303),
        ("nothing", {}, 404),
    ],
)
def test_invalid_actions(sandbox: Sandbox, action: str, fields: dict[str, str], status: int) -> None:
    """A form with an invalid field is refused, and names it."""
    response = press(sandbox, action, **fields)
    assert status == response.status_code
    if status == 400:
        assert next(iter(fields), "seconds") in response.text
    assert 405 == get(sandbox, f"/actions/{action}").status_code


@pytest.mark.parametrize(
    ("content_type", "form"),
    [
        ("application/x-www-form-urlencoded; charset=bogus", b"speed=1"),
        ("application/x-www-form-urlencoded", b"speed=\xff"),
        ("application/x-www-form-urlencoded", b"speed=%ED%A0%80&query=%FF"),
        ("multipart/form-data", b"speed=1"),
        ("multipart/form-data; boundary=x", b"--x\r\nfoo"),
        ("multipart/form-data; boundary=x", b"speed=1"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: x\xff\r\n\r\n\xff\r\n--x--"),
    ],
)
def test_forms_that_cannot_be_read(sandbox: Sandbox, content_type: str, form: bytes) -> None:
    """A form in an unknown encoding, or without its fields, is refused, and the sandbox does not fail."""
    url = f"{sandbox.url}/actions/speed"
    response = requests.post(url, data=form, headers={"Content-Type": content_type}, timeout=20)
    assert 400 == response.status_code
    assert response.text.startswith("/actions/speed: ")


@pytest.mark.parametrize("query", ["number=98&campaigns=2", "//evil.example", "number=1\r\nSet-Cookie: a=b", ""])
def test_back_to_the_page(sandbox: Sandbox, query: str) -> None:
    """A button leads back to the page as it was searched, and nowhere else."""
    response = press(sandbox, "speed", speed="1", query=query)
    assert 303 == response.status_code
    assert re.fullmatch(r"/(\?[\w=&%+.:-]+)?", response.headers["Location"])
    assert "Set-Cookie" not in response.headers
    if query.startswith("number=98"):
        assert response.headers["Location"] == f"/?{query}"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Host": "evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_other_sites(sandbox: Sandbox, headers: dict[str, str]) -> None:
    """A request of another site's page, by DNS rebinding as well, neither presses a button nor reads the page."""
    before = sandbox.clock.now()
    assert 403 == press(sandbox, "advance", seconds="3600", headers=headers).status_code
    assert 60 > sandbox.clock.now() - before
    response = get(sandbox, headers=headers)
    assert 403 == response.status_code
    assert sandbox.api_token not in response.text


def test_without_jinja() -> None:
    """Jinja2 is imported with the first view of the page. Without it, the page says what to install."""
    program = """
import sys
import requests
from tingting_async.sandbox import Sandbox
with Sandbox(campaigns=0).in_thread() as sandbox:
    print(requests.get(sandbox.url + "/api/v1/campaign/").status_code, "jinja2" in sys.modules)
    sys.modules["jinja2"] = None
    response = requests.get(sandbox.url)
    print(response.status_code, *(f"pip install {what}" in response.text for what in ("jinja2\\n", "'.[sandbox]'")))
"""
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False)
    assert ("401 False\n501 True True\n", "") == (done.stdout, done.stderr)


def test_wheel(tmp_path: Path) -> None:
    """The wheel contains the templates, the stylesheet, the script and the icon."""
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    folder = "tingting_async/sandbox/page"
    expected = {path.name for path in (ROOT / folder).rglob("*.*") if "__pycache__" not in path.parts}
    with zipfile.ZipFile(built) as wheel:
        assert expected == {Path(name).name for name in wheel.namelist() if name.startswith(f"{folder}/")}
