"""What the sandbox did and received, by the control interface."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from support.sandboxes import make, run
from yarl import URL

from tingting_async import TingTing
from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio
Call = Callable[..., Any]
MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="number"\r\n\r\n98\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nabc\r\n--b--\r\n'
)


async def test_effects(sandbox: Sandbox, call: Call) -> None:
    """Side effects are listed oldest first, and can be filtered by kind and target."""
    async with TingTing(base_url=sandbox.url, api_token=sandbox.api_token) as tingting:
        for number in ("9800000001", "9800000002"):
            await tingting.otp.send(number, "Your code is {otp}", channel="text")
        await tingting.campaigns.create("Notice", "SMS", numbers=["9800000001"])
    _, body = await call("GET", "effects")
    assert [(each["kind"], each["target"]) for each in body["effects"]] == [
        ("otp", "9800000001"),
        ("otp", "9800000002"),
        ("created", "Notice"),
        ("contact", "9800000001"),
    ]
    counts = [
        (await call("GET", f"effects{query}"))[1]["count"]
        for query in ("?kind=otp", "?target=9800000001", "?kind=otp&target=9800000001", "?kind=call")
    ]
    assert [2, 2, 1, 0] == counts


async def reach_three(sandbox: Sandbox, call: Call) -> None:
    """Send a one-time password, and run a campaign that calls two people and one that texts another."""
    async with TingTing(base_url=sandbox.url, email=sandbox.email, password=sandbox.password) as tingting:
        await tingting.otp.send("9800000009", "Your code is {otp}", channel="text", otp="2468")
    run(sandbox, make(sandbox, "PHONE", 2, message="नमस्ते"))
    run(sandbox, make(sandbox, "SMS", 1, sms_message="Hello"))
    await call("POST", "clock/run-to-end")


async def test_messages(sandbox: Sandbox, call: Call) -> None:
    """Calls and texts are listed newest first, with what people read or hear, and the SMS that this takes."""
    await reach_three(sandbox, call)
    _, body = await call("GET", "messages")
    assert body["next"] is None
    assert [4, 3, 2, 1] == [each["id"] for each in body["messages"]]
    otp = body["messages"][-1]
    assert {"number": "9800000009", "channel": "sms", "kind": "otp", "status": "sent", "campaign_id": None} == {
        name: otp[name] for name in ("number", "channel", "kind", "status", "campaign_id")
    }
    assert otp["text"].startswith("Your code is ")
    assert (1, "GSM-7") == (otp["parts"]["count"], otp["parts"]["encoding"])


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("channel=call", {"call"}),
        ("number=%2B977-980-0000009", {"sms"}),
        ("text=Hello", {"sms"}),
        ("channel=call&text=Hello", set[str]()),
    ],
)
async def test_finding_messages(sandbox: Sandbox, call: Call, query: str, ids: set[str]) -> None:
    """Messages can be found by their channel, number and text."""
    await reach_three(sandbox, call)
    assert ids == {each["channel"] for each in (await call("GET", f"messages?{query}"))[1]["messages"]}


async def test_pages_of_messages(sandbox: Sandbox, call: Call) -> None:
    """The link to older messages keeps the conditions, and the last page has none."""
    await reach_three(sandbox, call)
    _, first = await call("GET", "messages?channel=call&limit=1")
    assert first["next"].startswith(f"{sandbox.url}/control/v1/messages?")
    _, second = await call("GET", first["next"].removeprefix(f"{sandbox.url}/control/v1/"))
    assert second["next"] is None
    both = [each["number"] for page in (first, second) for each in page["messages"]]
    assert {"9800000000", "9800000001"} == set(both)


async def test_audio(sandbox: Sandbox, call: Call) -> None:
    """What a person hears can be played; a text and a message that does not exist have no audio."""
    await reach_three(sandbox, call)
    _, body = await call("GET", "messages")
    calls = [each for each in body["messages"] if each["channel"] == "call"]
    async with aiohttp.ClientSession() as http, http.get(calls[0]["audio"]) as response:
        assert (200, "audio/wav", "sandbox") == (
            response.status,
            response.content_type,
            response.headers["Content-Security-Policy"],
        )
    assert body["messages"][-1]["audio"] is None
    assert [404, 404] == [(await call("GET", f"messages/{id_}/audio"))[0] for id_ in (body["messages"][-1]["id"], 99)]


@pytest.mark.parametrize(
    ("query", "field"), [("limit=0", "limit"), ("limit=x", "limit"), ("before=x", "before"), ("channel=fax", "channel")]
)
async def test_invalid_conditions(call: Call, query: str, field: str) -> None:
    """A condition that makes no sense is refused by its name."""
    status, body = await call("GET", f"messages?{query}")
    assert (400, field) == (status, body["field"])


async def test_requests(sandbox: Sandbox, call: Call) -> None:
    """Requests are listed newest first with status, duration and fault, and their secrets are masked."""
    sandbox.faults.add(Fault("delay", path="*/send/otp/"))
    await reach_three(sandbox, call)
    _, body = await call("GET", "requests?path=*/send/otp/&method=POST")
    (sent,) = body["requests"]
    assert (1, 200, "delay") == (body["count"], sent["status"], sent["fault"])
    assert sent["duration"] >= 0
    assert "Bearer [secret]" == sent["headers"]["Authorization"]
    assert ("[secret]", "9800000009") == (sent["body"]["otp"], sent["body"]["number"])
    everything = json.dumps((await call("GET", "requests"))[1])
    tokens = {sandbox.tokens.account(word, "access") for word in everything.split('"')}
    assert ({None}, False) == (tokens, sandbox.password in everything)


@pytest.mark.parametrize(
    ("content_type", "raw", "expected"),
    [
        ("application/x-www-form-urlencoded", b"password=p&number=98", {"password": "[secret]", "number": "98"}),
        (
            "application/json",
            b'[{"token": "t", "deep": [{"api_key": "k"}]}]',
            [{"token": "[secret]", "deep": [{"api_key": "[secret]"}]}],
        ),
        ("application/json", b"{", None),
        ("application/json", b"[" * 100_000, None),
        ("multipart/form-data", b"x", None),
        ("multipart/form-data; boundary=b", MULTIPART, {"number": "98", "file": "[3 bytes]"}),
        ("", b"", None),
    ],
)
async def test_bodies_of_requests(sandbox: Sandbox, call: Call, content_type: str, raw: bytes, expected: Any) -> None:
    """A body is shown decoded, whatever form it has, with files as their size; one that cannot be decoded is null."""
    headers = {"Content-Type": content_type} if content_type else {}
    async with aiohttp.ClientSession(sandbox.url) as http, http.put("/api/x?token=t&page=2", data=raw, headers=headers):
        pass
    (received,) = (await call("GET", "requests"))[1]["requests"]
    assert ("token=[secret]&page=2", expected) == (received["query"], received["body"])


SECRETS = {
    "headers": [
        "X-Api-Key",
        "X-Auth",
        "X-Forwarded-Authorization",
        "Cookie",
        "X-Session-Id",
        "X-ApiKey",
        "X-Signature",
    ],
    "query": ["api-key", "auth", "pin", "key", "sig", "access", "userPin", "client_secret", "pwd", "jwt", "apikey"],
    "body": ["otp", "access_key", "passwd", "credentials", "bearer"],
}
SHOWN = ["number", "message", "page", "shopping", "design", "monkey", "keyword", "otp_length", "codec"]


async def test_secret_names(sandbox: Sandbox, call: Call) -> None:
    """A header, parameter or field whose name says that it holds a secret is masked, with all that is in it."""
    headers = dict.fromkeys(SECRETS["headers"], "hidden")
    query = dict.fromkeys(SECRETS["query"], "hidden") | dict.fromkeys(SHOWN, "shown")
    body = {name: {"value": ["hidden"]} for name in SECRETS["body"]} | dict.fromkeys(SHOWN, "shown")
    async with (
        aiohttp.ClientSession(sandbox.url) as http,
        http.post("/api/x", params=query, json=body, headers=headers),
        http.get("/") as page,
    ):
        html = await page.text()
    everything = json.dumps((await call("GET", "requests"))[1])
    assert (0, 2 * len(SHOWN)) == (everything.count("hidden"), everything.count("shown"))
    assert (0, len(SHOWN)) == (html.partition('id="requests"')[2].count("=hidden"), html.count("=shown"))


async def test_texts_that_cannot_be_encoded(sandbox: Sandbox, call: Call) -> None:
    """Bytes that are not UTF-8 and half a surrogate pair do not fail the lists or the page, wherever they are."""
    _, writer = await asyncio.open_connection("127.0.0.1", int(sandbox.url.rpartition(":")[2]))
    writer.write(b"GET /api/x HTTP/1.1\r\nHost: localhost\r\nX-A: \xff\xfe\r\n\r\n")
    half = "a\ud83db"
    sandbox.world.inbox.add("sms", "otp", "9800000001", sandbox.clock.now(), half)
    sandbox.world.add_campaign(sandbox.world.owner, half, "SMS", "")
    sandbox.faults.add(Fault("reset", path=f"/{half}", query=half, times=1))
    async with aiohttp.ClientSession(sandbox.url) as http:
        body = b'{"message": "a\\ud83db", "size": NaN}'
        async with http.post(URL("/api/x?q=%ff&token=%ff&r=%ED%A0%80", encoded=True), data=body):
            pass
        for query in ("", "?text=%ED%A0%80", "?campaign=%FF&requests=all"):
            async with http.get(URL(f"/{query}", encoded=True)) as page:
                assert (200, not query) == (page.status, "a?b</" in (await page.text()).partition('id="connect"')[0])
        for path in ("messages?limit=1&text=%ED%A0%80", "effects?target=%FF", "%FF", "messages?%ED%A0%80=1"):
            async with http.get(URL(f"/control/v1/{path}", encoded=True)) as response:
                assert response.status < 500
    writer.close()
    statuses = {path: (await call("GET", path))[0] for path in ("requests", "messages", "campaigns", "faults")}
    assert {200} == set(statuses.values())
    assert {"message": half, "size": "NaN"} == (await call("GET", "requests?method=POST"))[1]["requests"][0]["body"]


async def test_campaigns(sandbox: Sandbox, call: Call) -> None:
    """Campaigns are listed newest first with their progress and outcomes, all of them, one, or those with a status."""
    await reach_three(sandbox, call)
    _, body = await call("GET", "campaigns?status=Completed")
    assert [("SMS", 1), ("PHONE", 2)] == [(each["services"], each["finished"]) for each in body["campaigns"]]
    texts, calls = body["campaigns"]
    assert ({"completed": 1}, 1, 2) == (texts["outcomes"], texts["credits"], sum(calls["outcomes"].values()))
    assert (200, calls) == await call("GET", f"campaigns/{calls['id']}")
    assert 4 == (await call("GET", "campaigns"))[1]["count"]
    status, missing = await call("GET", "campaigns/999999")
    assert (404, "There is no campaign 999999.") == (status, missing["error"][:28])
