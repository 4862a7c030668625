"""The responses of the v1 API have the form of the documents' samples."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio
SAMPLES = {
    path.stem.removeprefix("v1_"): json.loads(path.read_bytes())
    for path in (Path(__file__).parent.parent / "samples").glob("v1_*.json")
}
# Fields that the samples show as empty, null or in one of several forms, and objects whose keys are data.
LOOSE = {
    "schedule", "audio_file", "bulk_file", "credit_limit", "voice", "failover_target", "user_phone", "description",
    "sms_message", "category", "playback", "other_variables", "carrier_summary", "errors", "deleted_at", "next",
    "previous", "sample", "call_outcomes", "text_or_url", "main_audit", "is_beta", "content", "samples",
}  # fmt: skip


def shape(value: Any, name: str = "") -> Any:
    """Return the keys and types of a JSON value."""
    if name in LOOSE:
        return "anything"
    if isinstance(value, dict):
        return {key: shape(part, key) for key, part in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "null" if value is None else type(value).__name__


@pytest.fixture
async def bodies() -> dict[str, Any]:
    """Send the request of every sample; return the bodies of the responses by the sample's name."""
    async with Sandbox(campaigns=2) as sandbox, aiohttp.ClientSession(sandbox.url + "/api/v1/") as http:

        async def send(method: str, path: str, **options: Any) -> Any:
            async with http.request(method, path, **options) as response:
                return json.loads(await response.read() or b"null")

        account = {"email": sandbox.email, "password": sandbox.password}
        bodies = {"login": await send("POST", "auths/login/", json=account)}
        refresh = sandbox.tokens.issue(sandbox.world.owner, "refresh")
        bodies["refresh"] = await send("POST", "auths/login/refresh/", headers={"Cookie": f"refresh={refresh}"})
        http.headers["Authorization"] = f"Bearer {sandbox.api_token}"
        bodies["get_api_keys"] = await send("GET", "auths/get-api-keys/")
        bodies["generate_api_keys"] = await send("POST", "auths/generate-api-keys/")
        http.headers["Authorization"] = f"Bearer {sandbox.tokens.issue(sandbox.world.owner, 'access')}"
        sandbox.world.owner.api_token = ""
        bodies["get_api_keys_none"] = await send("GET", "auths/get-api-keys/")
        bodies["user_profile"] = await send("GET", "auths/user-profile/")
        bodies["voice_models"] = await send("GET", "voice-models/")
        bodies["active_broker_phone"] = await send("GET", "active-broker-phone/")
        bodies["campaigns"] = await send("GET", "campaign/")
        fields = {"name": "n", "services": "PHONE", "message": "m", "user_phone": [1], "voice": 3, "credit_limit": 9}
        bodies["campaign_create"] = await send("POST", "campaign/create/", json=fields)
        id = bodies["campaign_create"]["id"]  # noqa: A001
        bodies["campaign_details"] = await send("GET", f"campaign/{id}/")
        bodies["campaign_message"] = await send("PATCH", f"campaign/create/{id}/message/", json={"voice": 3})
        bodies["add_contact"] = await send("POST", f"campaign/{id}/add-contact/", json={"number": "9800000001"})
        rows = [{"number": "9800000002", "other_variables": {"name": "a"}}, {"number": "9800000003"}]
        bodies["add_contacts"] = await send("POST", f"campaign/{id}/add-contact/", json={"contacts": rows})
        form = aiohttp.FormData()
        form.add_field("bulk_file", b"numbers,name\n9800000004,x\n9800000005,y\n", filename="c.csv")
        bodies["bulk_contacts"] = await send("PATCH", f"campaign/create/{id}/detail/", data=form)
        bodies["contacts"] = await send("GET", f"campaign-detail/{id}/")
        contact = bodies["contacts"]["results"][0]["id"]
        bodies["contact_attributes"] = await send("GET", f"campaign/{contact}/attributes/")
        bodies["contact_update"] = await send("PATCH", f"phone-number/update/{contact}/", json={"number": "9800000009"})
        bodies["contact_delete"] = await send("DELETE", f"phone-number/delete/{contact}/")
        bodies["test_voice"] = await send("POST", f"test-speak/riri/{id}/", json={"voice_input": 3, "message": "m"})
        bodies["run_campaign"] = await send("POST", f"run-campaign/{id}/")
        fields |= {"schedule": sandbox.clock.iso(sandbox.clock.now() + 3600)}
        later = (await send("POST", "campaign/create/", json=fields))["id"]
        await send("POST", f"campaign/{later}/add-contact/", json={"number": "9800000001"})
        bodies["run_campaign_scheduled"] = await send("POST", f"run-campaign/{later}/")
        otp = {"number": "9800000001", "message": "{otp}", "sms_send_options": "text", "company_name": "c"}
        bodies["otp_text"] = await send("POST", "auths/send/otp/", json=otp)
        otp |= {"sms_send_options": "voice", "voice_input": "np_rija"}
        bodies["otp_voice"] = await send("POST", "auths/send/otp/", json=otp)
        bodies["sent_otps"] = await send("GET", "auths/list/send-otps/")
        bodies["dashboard"] = await send("GET", "dashboard/")
        steps = [{"content_type": "say", "response_type": "dtmf", "input_name": "a"}, {"input_name": "b"}]
        body = {"name": "t", "voice": 5, "length_factor": "1.2", "content": steps[:1]}
        bodies["survey_template"] = await send("POST", "survey-templates/", json=body)
        broken = (await send("POST", "survey-templates/", json={**body, "content": steps}))["id"]
        bodies["survey_templates"] = await send("GET", "survey-templates/")
        survey = (await send("POST", "campaign/create/", json={"name": "s", "services": "SURVEY"}))["id"]
        apply = f"survey-templates/{bodies['survey_template']['id']}/apply-to-campaign/"
        bodies["survey_template_apply"] = await send("POST", apply, json={"campaign_id": survey})
        apply = f"survey-templates/{broken}/apply-to-campaign/"
        bodies["survey_template_apply_207"] = await send("POST", apply, json={"campaign_id": survey})
    return bodies


@pytest.mark.parametrize("name", sorted(SAMPLES.keys() - {"contact_attributes"}))
async def test_sample(name: str, bodies: dict[str, Any]) -> None:
    """The response has the keys and types of the sample."""
    assert shape(bodies[name]) == shape(SAMPLES[name])


async def test_contact_attributes(bodies: dict[str, Any]) -> None:
    """The variables of a contact are the other columns of its row."""
    assert bodies["contact_attributes"] == {"name": "y"}


async def test_every_response_has_a_sample(bodies: dict[str, Any]) -> None:
    """The requests of this file and the samples are the same set."""
    assert bodies.keys() == SAMPLES.keys()
