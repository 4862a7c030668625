"""The sandbox's v1 API by itself, asked without the client."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tingting_async.sandbox import Sandbox

SAMPLES = Path(__file__).parent.parent / "samples"
pytestmark = pytest.mark.anyio

# What a sample shows empty, null, or as one of several; and keys that are data and not names.
LOOSE = {
    "schedule", "audio_file", "bulk_file", "credit_limit", "voice", "failover_target", "user_phone", "description",
    "sms_message", "category", "playback", "other_variables", "carrier_summary", "errors", "deleted_at", "next",
    "previous", "sample", "call_outcomes", "text_or_url", "main_audit", "is_beta", "content", "samples",
}  # fmt: skip


def shape(value: Any, name: str = "") -> Any:
    """Return a JSON value's shape: its keys and types."""
    if name in LOOSE:
        return "anything"
    if isinstance(value, dict):
        return {key: shape(part, key) for key, part in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "null" if value is None else type(value).__name__


async def test_samples() -> None:
    """The sandbox answers with the keys and types of the documents' samples."""
    async with Sandbox(campaigns=2) as sandbox, aiohttp.ClientSession(sandbox.url + "/api/v1/") as http:

        async def ask(method: str, path: str, **options: Any) -> Any:
            async with http.request(method, path, **options) as answer:
                return json.loads(await answer.read() or b"null")

        account = {"email": sandbox.email, "password": sandbox.password}
        answers = {"login": await ask("POST", "auths/login/", json=account)}
        refresh = sandbox.tokens.issue(sandbox.world.owner, "refresh")
        answers["refresh"] = await ask("POST", "auths/login/refresh/", headers={"Cookie": f"refresh={refresh}"})
        http.headers["Authorization"] = f"Bearer {sandbox.api_token}"
        answers["get_api_keys"] = await ask("GET", "auths/get-api-keys/")
        answers["generate_api_keys"] = await ask("POST", "auths/generate-api-keys/")
        http.headers["Authorization"] = f"Bearer {sandbox.tokens.issue(sandbox.world.owner, 'access')}"
        sandbox.world.owner.api_token = ""
        answers["get_api_keys_none"] = await ask("GET", "auths/get-api-keys/")
        answers["user_profile"] = await ask("GET", "auths/user-profile/")
        answers["voice_models"] = await ask("GET", "voice-models/")
        answers["active_broker_phone"] = await ask("GET", "active-broker-phone/")
        answers["campaigns"] = await ask("GET", "campaign/")
        fields = {"name": "n", "services": "PHONE", "message": "m", "user_phone": [1], "voice": 3, "credit_limit": 9}
        answers["campaign_create"] = await ask("POST", "campaign/create/", json=fields)
        id = answers["campaign_create"]["id"]  # noqa: A001
        answers["campaign_details"] = await ask("GET", f"campaign/{id}/")
        answers["campaign_message"] = await ask("PATCH", f"campaign/create/{id}/message/", json={"voice": 3})
        answers["add_contact"] = await ask("POST", f"campaign/{id}/add-contact/", json={"number": "9800000001"})
        rows = [{"number": "9800000002", "other_variables": {"name": "a"}}, {"number": "9800000003"}]
        answers["add_contacts"] = await ask("POST", f"campaign/{id}/add-contact/", json={"contacts": rows})
        form = aiohttp.FormData()
        form.add_field("bulk_file", b"numbers,name\n9800000004,x\n9800000005,y\n", filename="c.csv")
        answers["bulk_contacts"] = await ask("PATCH", f"campaign/create/{id}/detail/", data=form)
        answers["contacts"] = await ask("GET", f"campaign-detail/{id}/")
        contact = answers["contacts"]["results"][0]["id"]
        answers["contact_attributes"] = await ask("GET", f"campaign/{contact}/attributes/")
        answers["contact_update"] = await ask("PATCH", f"phone-number/update/{contact}/", json={"number": "9800000009"})
        answers["contact_delete"] = await ask("DELETE", f"phone-number/delete/{contact}/")
        answers["test_voice"] = await ask("POST", f"test-speak/riri/{id}/", json={"voice_input": 3, "message": "m"})
        answers["run_campaign"] = await ask("POST", f"run-campaign/{id}/")
        fields |= {"schedule": sandbox.clock.iso(sandbox.clock.now() + 3600)}
        later = (await ask("POST", "campaign/create/", json=fields))["id"]
        await ask("POST", f"campaign/{later}/add-contact/", json={"number": "9800000001"})
        answers["run_campaign_scheduled"] = await ask("POST", f"run-campaign/{later}/")
        otp = {"number": "9800000001", "message": "{otp}", "sms_send_options": "text", "company_name": "c"}
        answers["otp_text"] = await ask("POST", "auths/send/otp/", json=otp)
        otp |= {"sms_send_options": "voice", "voice_input": "np_rija"}
        answers["otp_voice"] = await ask("POST", "auths/send/otp/", json=otp)
        answers["sent_otps"] = await ask("GET", "auths/list/send-otps/")
        answers["dashboard"] = await ask("GET", "dashboard/")
        steps = [{"content_type": "say", "response_type": "dtmf", "input_name": "a"}, {"input_name": "b"}]
        body = {"name": "t", "voice": 5, "length_factor": "1.2", "content": steps[:1]}
        answers["survey_template"] = await ask("POST", "survey-templates/", json=body)
        broken = (await ask("POST", "survey-templates/", json={**body, "content": steps}))["id"]
        answers["survey_templates"] = await ask("GET", "survey-templates/")
        survey = (await ask("POST", "campaign/create/", json={"name": "s", "services": "SURVEY"}))["id"]
        apply = f"survey-templates/{answers['survey_template']['id']}/apply-to-campaign/"
        answers["survey_template_apply"] = await ask("POST", apply, json={"campaign_id": survey})
        apply = f"survey-templates/{broken}/apply-to-campaign/"
        answers["survey_template_apply_207"] = await ask("POST", apply, json={"campaign_id": survey})

    samples = {path.stem.removeprefix("v1_"): path for path in SAMPLES.glob("v1_*.json")}
    assert answers.keys() == samples.keys()
    for name, path in samples.items():
        if name == "contact_attributes":
            assert answers[name] == {"name": "y"}
            continue
        assert (name, shape(answers[name])) == (name, shape(json.loads(path.read_bytes())))


async def test_limit_is_capped() -> None:
    """A page has ten rows at the most, whatever is asked for, and `?page=` works as well."""
    async with Sandbox(campaigns=25) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        http.headers["Authorization"] = f"Bearer {sandbox.api_token}"
        seen: list[int] = []
        url: str | None = f"{sandbox.url}/api/v1/campaign/?limit=100&search="
        while url:
            async with http.get(url) as answer:
                body = await answer.json()
            assert (body["count"], body["total_pages"]) == (25, 3)
            seen += [row["id"] for row in body["results"]]
            url = body["next"]
        assert len(seen) == len(set(seen)) == 25
        async with http.get("/api/v1/campaign/?page=3") as answer:
            assert [row["id"] for row in (await answer.json())["results"]] == seen[20:]


async def test_stop_and_failover() -> None:
    """A campaign that is stopped rings nobody any more; where a call fails over, a text follows."""
    async with Sandbox(campaigns=0) as sandbox, aiohttp.ClientSession(sandbox.url + "/api/v1/") as http:
        http.headers["Authorization"] = f"Bearer {sandbox.api_token}"
        targets = ["unanswered", "failed", "hungup", "completed"]
        fields = {"name": "n", "services": "SMS & PHONE", "user_phone": [1], "failover_target": targets}
        ids = []
        for _ in range(2):
            async with http.post("campaign/create/", json=fields) as answer:
                ids.append((await answer.json())["id"])
            contacts = [{"number": str(9800000000 + index)} for index in range(5)]
            async with http.post(f"campaign/{ids[-1]}/add-contact/", json={"contacts": contacts}) as answer:
                assert (await answer.json())["created"] == 5
            async with http.post(f"run-campaign/{ids[-1]}/") as answer:
                assert answer.status == 200
        async with http.post(f"campaign/emergency-stop/{ids[1]}/") as answer:
            assert answer.status == 200
        sandbox.clock.advance(600)
        stopped = {str(contact.id) for contact in sandbox.world.campaigns[ids[1]].contacts}
        kinds = [effect.kind for effect in sandbox.side_effects if effect.key not in stopped]
        assert (kinds.count("call"), kinds.count("sms")) == (5, 5)
        assert sum(effect.kind == "call" for effect in sandbox.side_effects) <= 6
        async with http.get(f"download/report/{ids[0]}/") as answer:
            assert len((await answer.text()).splitlines()) == 6
