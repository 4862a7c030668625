"""The responses of the classic API have the form of the documents' samples."""

import json
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio
SAMPLES = {
    path.stem.removeprefix("classic_"): json.loads(path.read_bytes())
    for path in (Path(__file__).parent.parent / "samples").glob("classic_*.json")
}

# Further types of fields that the samples show as empty or null.
HOLDS: dict[str, tuple[type, ...]] = {"usable_tags": (str,), "duration": (int,), "playback": (int,)}
# The campaign names in the samples' texts, and this test's name for them.
NAMES = {"Sample campaign name": "new campaign name", "campaign bulk": "new campaign name"}
TEXTS = {"message", "messages", "hold amount", "camaign", "campaign-details"}


def assert_agrees(actual: Any, sample: Any, path: str) -> None:
    """Assert that a body has the keys of a sample in the same order, the same types and the same texts."""
    name = path.rpartition(".")[2].rstrip("[]")
    if name in TEXTS and isinstance(sample, str):
        for old, new in NAMES.items():
            sample = sample.replace(old, new)
        actual, sample = (re.sub(r"\d+", "0", str(text)) for text in (actual, sample))
        if path != "otp.data.details.message":
            assert (path, actual) == (path, sample)
    elif isinstance(sample, dict):
        assert (path, name == "available_tags" or list(actual)) == (path, name == "available_tags" or list(sample))
        for key in sample:
            assert_agrees(actual[key], sample[key], f"{path}.{key}")
    elif isinstance(sample, list):
        assert (path, type(actual)) == (path, list)
        for part in actual:
            if sample:
                assert_agrees(part, sample[0], f"{path}[]")
            else:
                assert (path, type(part) in HOLDS.get(name, ())) == (path, True)
    else:
        known = {type(sample), *HOLDS.get(name, ())}
        assert (path, type(actual), type(actual) in known) == (path, type(actual), True)


@pytest.fixture
async def bodies() -> dict[str, Any]:
    """Send the request of every sample; return the bodies of the responses by the sample's name."""
    async with Sandbox(campaigns=3) as sandbox, aiohttp.ClientSession(sandbox.url) as http:

        async def send(method: str, path: str, **options: Any) -> Any:
            async with http.request(method, path, **options) as response:
                return json.loads(await response.read())

        account = {"email": sandbox.email, "password": sandbox.password}
        bodies = {"login": await send("POST", "/api/accounts/login/", json=account)}
        token = bodies["login"]["data"]["token"]
        bodies["refresh"] = await send("POST", "/api/accounts/token/refresh/?", json={"refresh": token["refresh"]})
        http.headers["Authorization"] = f"Bearer {token['access']}"
        bodies["user_details"] = await send("GET", "/api/accounts/user_details/")
        bodies["campaigns"] = await send("GET", "/api/system/campaigns")
        fields = {"name": "m", "services": "SMS", "description": "d", "individual_number": [9800000001, 9800000002]}
        bodies["campaign_create"] = await send("POST", "/api/system/campaigns/", json=fields)
        id = bodies["campaign_create"]["data"]["details"][0]["id"]  # noqa: A001
        bodies["campaign_update"] = await send(
            "PUT", f"/api/system/campaigns/{id}/update/", json={"name": "new campaign name"}
        )
        bodies["campaign_details"] = await send("GET", f"/api/system/campaigns/{id}/details")
        bodies["numbers"] = await send("GET", f"/api/system/campaigns/number/{id}")
        number = bodies["numbers"]["data"]["number-lists"][0]["id"]
        bodies["number_detail"] = await send("GET", f"/api/system/number/{number}/")
        bodies["number_edit"] = await send("PUT", f"/api/system/number/{number}/", json={"number": 9800000003})
        bodies["number_delete"] = await send("DELETE", f"/api/system/campaigns/number/{number}/delete/")
        bodies["campaign_begin"] = await send("POST", f"/api/system/campaigns/{id}/begin/", json={"message": "m"})
        bodies["campaign_delete"] = await send("DELETE", f"/api/system/campaigns/{id}/delete")
        bodies["phone_numbers"] = await send("GET", "/api/system/phone_numbers")
        sid = {"phone_sid": bodies["phone_numbers"]["data"]["number_lists"][0]["phone_number_sid"]}
        bodies["phone_number_buy"] = await send("POST", "/api/system/phone_numbers/", json=sid)
        bodies["owned_phone_numbers"] = await send("GET", "/api/system/owned/phone_numbers")
        bodies["phone_number_release"] = await send("DELETE", "/api/system/phone_numbers", json=sid)
        otp = {
            "number": "9800000001",
            "message": "{otp}",
            "sms_send_options": "text",
            "otp_options": "personnel",
            "otp": "12",
        }
        bodies["otp"] = await send("POST", "/api/system/send/otp/", json=otp)
    return bodies


@pytest.mark.parametrize("name", sorted(SAMPLES))
async def test_sample(name: str, bodies: dict[str, Any]) -> None:
    """The response has the keys, types and texts of the sample."""
    assert_agrees(bodies[name], SAMPLES[name], name)


async def test_every_response_has_a_sample(bodies: dict[str, Any]) -> None:
    """The requests of this file and the samples are the same set."""
    assert bodies.keys() == SAMPLES.keys()
