"""Input of wrong types at every endpoint of both generations: never an internal error of the sandbox."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from tingting_async.sandbox import Sandbox
from tingting_async.sandbox.state import dump

pytestmark = pytest.mark.anyio

OTP = {
    "number": "9800000001",
    "message": "{otp}",
    "sms_send_options": "voice",
    "otp_options": "generated",
    "otp_length": 6,
    "otp": "1",
    "voice_input": "np_rija",
    "company_name": "c",
}
CAMPAIGN = {
    "name": "n",
    "services": "SURVEY",
    "description": "d",
    "message": "m",
    "sms_message": "s",
    "category": "Text",
    "draft": False,
    "credit_limit": 1,
    "failover_target": ["failed"],
    "user_phone": [1],
    "length_factor": "1.00",
    "voice": 1,
    "schedule": "2030-01-01",
    "steps": [{"content_type": "say", "response_type": "dtmf", "input_name": "a", "order": 0}],
}
TEMPLATE = {"name": "n", "voice": 1, "length_factor": "1.0", "content": CAMPAIGN["steps"]}
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/api/accounts/login/"): {"email": "e", "password": "p"},
    ("POST", "/api/accounts/token/refresh/"): {"refresh": "r"},
    ("POST", "/api/system/campaigns/"): {
        "name": "n",
        "services": "SMS",
        "description": "d",
        "individual_number": [9800000001],
    },
    ("PUT", "/api/system/campaigns/{campaign}/update/"): {"name": "n", "services": "SMS", "description": "d"},
    ("POST", "/api/system/campaigns/{campaign}/begin/"): {
        "message": "m",
        "voice_input": "np_rija",
        "schedule_date": "2030-01-01T00:00",
        "individual": [1],
        "status": ["failed"],
        "priority": "audio",
    },
    ("POST", "/api/system/test/voice/"): {"message": "m", "voice_input": "np_rija"},
    ("POST", "/api/system/campaigns/number/{campaign}/"): {"number": 9800000001, "available_tags": {}},
    ("PUT", "/api/system/number/{contact}/"): {"number": 9800000001, "available_tags": {}},
    ("POST", "/api/system/phone_numbers/"): {"phone_sid": "s"},
    ("DELETE", "/api/system/phone_numbers"): {"phone_sid": "s"},
    ("POST", "/api/system/send/otp/"): OTP,
    ("POST", "/api/v1/auths/login/"): {"email": "e", "password": "p"},
    ("POST", "/api/v1/auths/send/otp/"): OTP,
    ("POST", "/api/v1/campaign/create/"): CAMPAIGN,
    ("PATCH", "/api/v1/campaign/{survey}/"): CAMPAIGN,
    ("PATCH", "/api/v1/campaign/create/{survey}/message/"): CAMPAIGN,
    ("POST", "/api/v1/test-speak/riri/{campaign}/"): {"voice_input": 1, "message": "m"},
    ("POST", "/api/v1/campaign/{campaign}/add-contact/"): {"number": "9800000001", "other_variables": {}},
    ("POST", "/api/v1/campaign/{survey}/add-contact/"): {"contacts": [{"number": "9800000001"}]},
    ("PATCH", "/api/v1/campaign/create/{campaign}/detail/"): {"bulk_file": "f"},
    ("PATCH", "/api/v1/phone-number/update/{contact}/"): {"number": "9800000001"},
    ("PATCH", "/api/v1/campaign/{contact}/attributes/"): {"name": "n"},
    ("POST", "/api/v1/campaign/create/{survey}/survey/"): {"steps": CAMPAIGN["steps"]},
    ("POST", "/api/v1/survey-templates/"): TEMPLATE,
    ("PATCH", "/api/v1/survey-templates/{template}/"): TEMPLATE,
    ("POST", "/api/v1/survey-templates/{template}/apply-to-campaign/"): {"campaign_id": 1},
}
WRONG = ["x", "", "१२", 5, -1, 10**30, 1.5, True, None, [], [[]], [{}], [None], {}, {"id": []}, {"x": [{}]}]
QUERIES = {
    "/api/system/campaigns": ["page"],
    "/api/v1/campaign/": ["limit", "offset", "page", "from_date", "to_date", "sort_by", "status", "draft"],
    "/api/v1/campaign-detail/{campaign}/": ["limit", "offset", "page"],
    "/api/v1/auths/list/send-otps/": ["limit", "offset", "page"],
    "/api/v1/survey-templates/": ["page", "page_size", "search"],
    "/api/v1/dashboard/": ["days"],
    "/api/v1/download/survey/{survey}/report/": ["format"],
}


async def make_ids(sandbox: Sandbox, http: aiohttp.ClientSession) -> dict[str, Any]:
    """Create one object of each kind; return their ids."""
    campaign = next(iter(sandbox.world.campaigns.values()))
    survey = sandbox.world.add_campaign(sandbox.world.owner, "s", "SURVEY", "")
    async with http.post("/api/v1/survey-templates/", json=TEMPLATE) as response:
        template = (await response.json())["id"]
    return {
        "campaign": campaign.id,
        "survey": survey.id,
        "contact": campaign.contacts[0].id,
        "template": template,
    }


def mutated(good: dict[str, Any]) -> Iterator[Any]:
    """Yield bodies in which the whole body, a field, or a part of a field is replaced or missing."""
    yield from WRONG
    for name, value in good.items():
        for wrong in WRONG:
            yield {**good, name: wrong}
            if isinstance(value, list):
                yield {**good, name: [wrong]}
            if isinstance(value, list) and isinstance(value[0], dict):
                yield from ({**good, name: [{**value[0], key: wrong}]} for key in value[0])
        yield {key: kept for key, kept in good.items() if key != name}


@pytest.mark.parametrize(("method", "path", "good"), [(*where, good) for where, good in BODIES.items()])
async def test_bodies(method: str, path: str, good: dict[str, Any]) -> None:
    """No value of a field or of the whole body causes a status of 500 or above."""
    async with Sandbox(campaigns=1) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        http.headers["Authorization"] = f"Bearer {sandbox.api_token}"
        path = path.format(**await make_ids(sandbox, http))
        for body in mutated(good):
            async with http.request(method, path, data=json.dumps(body)) as response:
                assert (body, response.status < 500) == (body, True)
                await response.read()
        for path in QUERIES:  # Accepted input can be shown.
            async with http.get(path.format(**await make_ids(sandbox, http))) as response:
                assert (path, response.status) == (path, 200)


@pytest.mark.parametrize("path", QUERIES)
async def test_queries(path: str) -> None:
    """No value in a query causes a status of 500 or above."""
    async with Sandbox(campaigns=1) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        http.headers["Authorization"] = f"Bearer {sandbox.api_token}"
        url = path.format(**await make_ids(sandbox, http))
        for name in QUERIES[path]:
            for value in ("", "x", "0", "-1", "1e99", "nan", "9" * 30, "१"):
                async with http.get(url, params={name: value}) as response:
                    assert (name, value, response.status < 500) == (name, value, True)


async def test_invalid_bytes() -> None:
    """Invalid UTF-8 in any kind of body is a 400."""
    async with Sandbox(campaigns=1) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        http.headers["Authorization"] = f"Bearer {sandbox.api_token}"
        form = b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\n\xff\r\n--b--\r\n'
        for kind, body in (
            ("application/json", b'{"name": "\xff"}'),
            ("application/x-www-form-urlencoded", b"name=\xff"),
            ("multipart/form-data; boundary=b", form),
            ("multipart/form-data; boundary=b", form[:50]),
            ("multipart/form-data; boundary=b", b"nothing of the kind"),
            ("multipart/form-data", form),
        ):
            for path in ("/api/system/campaigns/", "/api/v1/campaign/create/"):
                async with http.post(path, data=body, headers={"Content-Type": kind}) as response:
                    assert (kind, body, response.status) == (kind, body, 400)


@pytest.mark.parametrize(
    "value",
    [
        rb'"hi \ud83d {otp}"',
        rb'"\uDE00\uD83D"',
        b'"\xed\xa0\xbd"',
        rb'{"\ud83d": 1}',
        rb'["\ud83d"]',
        b"NaN",
        b"-Infinity",
    ],
)
async def test_what_cannot_be_written_as_json(value: bytes) -> None:
    """Half of a surrogate pair, or a number that JSON does not have, is a 400, and the sandbox shows and saves all."""
    async with Sandbox(campaigns=1) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        http.headers["Authorization"] = f"Bearer {sandbox.api_token}"
        id_ = next(iter(sandbox.world.campaigns))
        body = b'{"number": "9800000001", "sms_send_options": "text", "message": %s, "other_variables": {"a": %s}}'
        for path in (
            "/api/system/send/otp/",
            "/api/v1/auths/send/otp/",
            f"/api/v1/campaign/{id_}/add-contact/",
            "/api/accounts/login/",
        ):
            async with http.post(path, data=body % (value, value)) as response:
                assert (path, response.status) == (path, 400)
                assert "JSON parse error" in await response.text()
        assert [] == sandbox.side_effects
        for path in ("/", "/control/v1/messages", "/control/v1/requests", "/control/v1/effects"):
            async with http.get(path) as response:
                assert (path, response.status) == (path, 200)
        assert dump(sandbox)


async def test_whole_emoji() -> None:
    """An emoji that is escaped as a whole surrogate pair is kept."""
    async with Sandbox(campaigns=0) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        http.headers["Authorization"] = f"Bearer {sandbox.api_token}"
        body = rb'{"number": "9800000001", "sms_send_options": "text", "message": "\ud83d\ude00 {otp}"}'
        async with http.post("/api/system/send/otp/", data=body) as response:
            assert response.status == 200
        (message,) = sandbox.inbox
        assert message.text.startswith("\U0001f600 ")


@pytest.mark.parametrize("path", ["/api/v1/campaign/", "/", "/control/v1/clock"])
async def test_headers_that_are_not_utf8(path: str) -> None:
    """A header that is not UTF-8 is a 400, and is not kept."""
    async with Sandbox(campaigns=0) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(sandbox.url.rpartition(":")[2]))
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n".encode()
        writer.write(head + b"X-Name: \xff\r\n\r\n")
        assert b"HTTP/1.1 400 Bad Request\r\n" == await reader.readline()
        writer.close()
        await writer.wait_closed()
        assert [] == sandbox.requests
        async with http.get("/control/v1/requests") as response:
            assert response.status == 200
