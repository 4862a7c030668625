"""The sandbox by itself, asked without the client."""

import json
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tingting_async.sandbox import Clock, Sandbox

SAMPLES = Path(__file__).parent.parent / "samples"

# Where the documents' samples show a field empty or null, what else it may hold.
HOLDS: dict[str, tuple[type, ...]] = {"usable_tags": (str,), "duration": (int,), "playback": (int,)}
# The names that stand in the samples' texts, and those of this test's campaign.
NAMES = {"Sample campaign name": "new campaign name", "campaign bulk": "new campaign name"}
TEXTS = {"message", "messages", "hold amount", "camaign", "campaign-details"}


def agree(came: Any, sample: Any, path: str) -> None:
    """Compare an answer with a sample: the same keys in the same order, the same types, the same texts."""
    name = path.rpartition(".")[2].rstrip("[]")
    if name in TEXTS and isinstance(sample, str):
        for old, new in NAMES.items():
            sample = sample.replace(old, new)
        came, sample = (re.sub(r"\d+", "0", str(text)) for text in (came, sample))
        if path != "otp.data.details.message":
            assert (path, came) == (path, sample)
    elif isinstance(sample, dict):
        assert (path, name == "available_tags" or list(came)) == (path, name == "available_tags" or list(sample))
        for key in sample:
            agree(came[key], sample[key], f"{path}.{key}")
    elif isinstance(sample, list):
        assert (path, type(came)) == (path, list)
        for part in came:
            if sample:
                agree(part, sample[0], f"{path}[]")
            else:
                assert (path, type(part) in HOLDS.get(name, ())) == (path, True)
    else:
        known = {type(sample), *HOLDS.get(name, ())}
        assert (path, type(came), type(came) in known) == (path, type(came), True)


@pytest.mark.anyio
async def test_samples() -> None:
    """The sandbox answers with the keys and types of the documents' samples."""
    async with Sandbox(campaigns=3) as sandbox, aiohttp.ClientSession(sandbox.url) as http:

        async def ask(method: str, path: str, **options: Any) -> Any:
            async with http.request(method, path, **options) as answer:
                return json.loads(await answer.read())

        account = {"email": sandbox.email, "password": sandbox.password}
        answers = {"login": await ask("POST", "/api/accounts/login/", json=account)}
        token = answers["login"]["data"]["token"]
        answers["refresh"] = await ask("POST", "/api/accounts/token/refresh/?", json={"refresh": token["refresh"]})
        http.headers["Authorization"] = f"Bearer {token['access']}"
        answers["user_details"] = await ask("GET", "/api/accounts/user_details/")
        answers["campaigns"] = await ask("GET", "/api/system/campaigns")
        fields = {"name": "m", "services": "SMS", "description": "d", "individual_number": [9800000001, 9800000002]}
        answers["campaign_create"] = await ask("POST", "/api/system/campaigns/", json=fields)
        id = answers["campaign_create"]["data"]["details"][0]["id"]  # noqa: A001
        answers["campaign_update"] = await ask(
            "PUT", f"/api/system/campaigns/{id}/update/", json={"name": "new campaign name"}
        )
        answers["campaign_details"] = await ask("GET", f"/api/system/campaigns/{id}/details")
        answers["numbers"] = await ask("GET", f"/api/system/campaigns/number/{id}")
        number = answers["numbers"]["data"]["number-lists"][0]["id"]
        answers["number_detail"] = await ask("GET", f"/api/system/number/{number}/")
        answers["number_edit"] = await ask("PUT", f"/api/system/number/{number}/", json={"number": 9800000003})
        answers["number_delete"] = await ask("DELETE", f"/api/system/campaigns/number/{number}/delete/")
        answers["campaign_begin"] = await ask("POST", f"/api/system/campaigns/{id}/begin/", json={"message": "m"})
        answers["campaign_delete"] = await ask("DELETE", f"/api/system/campaigns/{id}/delete")
        answers["phone_numbers"] = await ask("GET", "/api/system/phone_numbers")
        sid = {"phone_sid": answers["phone_numbers"]["data"]["number_lists"][0]["phone_number_sid"]}
        answers["phone_number_buy"] = await ask("POST", "/api/system/phone_numbers/", json=sid)
        answers["owned_phone_numbers"] = await ask("GET", "/api/system/owned/phone_numbers")
        answers["phone_number_release"] = await ask("DELETE", "/api/system/phone_numbers", json=sid)
        otp = {
            "number": "9800000001",
            "message": "{otp}",
            "sms_send_options": "text",
            "otp_options": "personnel",
            "otp": "12",
        }
        answers["otp"] = await ask("POST", "/api/system/send/otp/", json=otp)

    samples = {path.stem.removeprefix("classic_"): path for path in SAMPLES.glob("classic_*.json")}
    assert answers.keys() == samples.keys()
    for name, path in samples.items():
        agree(answers[name], json.loads(path.read_bytes()), name)


@pytest.mark.anyio
async def test_slashes() -> None:
    """A reader who forgets the slash is sent on; a writer is told that there is no such page."""
    async with Sandbox() as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        async with http.get("/api/accounts/user_details?x=1", allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (301, "/api/accounts/user_details/?x=1")
        async with http.post("/api/accounts/login", allow_redirects=False) as answer:
            assert answer.status == 404
        async with http.get("/nowhere", allow_redirects=False) as answer:
            assert (answer.status, await answer.json()) == (404, {"detail": "Not found."})


BAD = [
    ("POST", "/api/accounts/login/", {"email": "a"}, "password"),
    ("POST", "/api/accounts/login/", b"no json", "JSON"),
    ("POST", "/api/accounts/token/refresh/", {}, "refresh"),
    ("POST", "/api/accounts/token/refresh/", b"[1]", "dictionary"),
    ("POST", "/api/system/campaigns/", {"name": "n"}, "services"),
    ("POST", "/api/system/campaigns/", {"name": "n", "services": "FAX", "individual_number": [1]}, "FAX"),
    ("POST", "/api/system/campaigns/", {"name": "n", "services": "SMS"}, "numbers"),
    ("POST", "/api/system/campaigns/", {"name": "n", "services": "SMS", "individual_number": ["x"]}, "valid phone"),
    ("PUT", "/api/system/campaigns/{campaign}/update/", {"services": "FAX"}, "FAX"),
    ("POST", "/api/system/campaigns/{campaign}/begin/", {}, "message"),
    ("POST", "/api/system/campaigns/{campaign}/begin/", {"message": "{tags_x}"}, "tags_x"),
    ("POST", "/api/system/campaigns/{campaign}/begin/", {"message": "m", "voice_input": "x"}, "voice_input"),
    ("POST", "/api/system/campaigns/{campaign}/begin/", {"message": "m", "priority": "x"}, "priority"),
    ("POST", "/api/system/campaigns/{campaign}/begin/", {"message": "m", "individual": [999]}, "pk"),
    ("POST", "/api/system/campaigns/{campaign}/begin/", {"message": "m", "status": ["x"]}, "status"),
    ("POST", "/api/system/campaigns/{campaign}/begin/", {"message": "m", "status": ["failed"]}, "no numbers"),
    ("POST", "/api/system/campaigns/{campaign}/begin/", {"message": "m", "schedule_date": "soon"}, "format"),
    (
        "POST",
        "/api/system/campaigns/{campaign}/begin/",
        {"message": "m", "schedule_date": "2020-01-01T00:00"},
        "passed",
    ),
    ("POST", "/api/system/test/voice/", {}, "message"),
    ("POST", "/api/system/test/voice/", {"message": "m", "voice_input": "x"}, "voice_input"),
    ("POST", "/api/system/campaigns/number/{campaign}/", {}, "number"),
    ("POST", "/api/system/campaigns/number/{campaign}/", {"number": 9800000001, "available_tags": {"x": 1}}, "tags"),
    ("POST", "/api/system/phone_numbers/", {}, "phone_sid"),
    ("POST", "/api/system/send/otp/", {"number": "9800000001"}, "message"),
    ("POST", "/api/system/send/otp/", {"number": "9800000001", "message": "m", "sms_send_options": "text"}, "otp"),
    ("POST", "/api/system/send/otp/", {"number": "9800000001", "message": "{otp}", "sms_send_options": "fax"}, "fax"),
    (
        "POST",
        "/api/system/send/otp/",
        {"number": "9800000001", "message": "{otp}", "sms_send_options": "text", "otp_options": "personnel"},
        "otp",
    ),
    (
        "POST",
        "/api/system/send/otp/",
        {"number": "9800000001", "message": "{otp}", "sms_send_options": "text", "otp_options": "x"},
        "otp_options",
    ),
]


@pytest.mark.anyio
async def test_bad_input() -> None:
    """Input that the documents forbid is refused with 400 and a word about the field, and nothing happens."""
    async with Sandbox(campaigns=1) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        http.headers["Authorization"] = f"Bearer {sandbox.api_token}"
        (campaign,) = sandbox.world.campaigns
        for method, path, body, word in BAD:
            content: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {"json": body}
            async with http.request(method, path.format(campaign=campaign), **content) as answer:
                assert (path, 400) == (path, answer.status)
                assert word in await answer.text()
        assert sandbox.side_effects == []


@pytest.mark.anyio
async def test_nothing_of_others() -> None:
    """What is not there, or another account's, is a 404; without a token it is a 401."""
    async with Sandbox(campaigns=1) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        other = sandbox.world.add_account("ram@example.com", "p")
        (campaign,) = sandbox.world.campaigns.values()
        sid = next(line.sid for line in sandbox.world.lines.values() if line.owner)
        paths = [
            ("GET", f"/api/system/campaigns/{campaign.id}/details"),
            ("PUT", f"/api/system/campaigns/{campaign.id}/update/"),
            ("DELETE", f"/api/system/campaigns/{campaign.id}/delete"),
            ("POST", f"/api/system/campaigns/{campaign.id}/begin/"),
            ("GET", f"/api/system/campaigns/number/{campaign.id}"),
            ("POST", f"/api/system/campaigns/number/{campaign.id}/"),
            ("GET", f"/api/system/number/{campaign.contacts[0].id}/"),
            ("PUT", f"/api/system/number/{campaign.contacts[0].id}/"),
            ("DELETE", f"/api/system/campaigns/number/{campaign.contacts[0].id}/delete/"),
            ("DELETE", "/api/system/phone_numbers"),
        ]
        for token, status in ((other.api_token, 404), ("wrong", 401), ("", 401)):
            http.headers["Authorization"] = f"Bearer {token}".strip()
            for method, path in paths:
                async with http.request(method, path, json={"phone_sid": sid}) as answer:
                    assert (path, answer.status) == (path, status)
        other.is_activated = False
        http.headers["Authorization"] = f"Bearer {other.api_token}"
        async with http.get(paths[0][1]) as answer:
            assert (answer.status, await answer.json()) == (401, {"detail": "Account is not activated."})
        async with http.post("/api/accounts/login/", json={"email": other.email, "password": "p"}) as answer:
            assert (answer.status, await answer.json()) == (401, {"detail": "Account is not activated."})
        async with http.post("/api/system/phone_numbers/", json={"phone_sid": "none"}) as answer:
            assert answer.status == 401


@pytest.mark.anyio
async def test_running() -> None:
    """A run rings each number once, on the clock, holds credits while it lasts, and cannot be begun twice."""
    async with Sandbox(campaigns=4, numbers=6, seed=3) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        http.headers["Authorization"] = f"Bearer {sandbox.api_token}"
        for campaign in sandbox.world.campaigns.values():
            path = f"/api/system/campaigns/{campaign.id}/begin/"
            for status in (200, 400):
                async with http.post(path, json={"message": "m"}) as answer:
                    assert answer.status == status
        owner = sandbox.world.owner
        assert (owner.on_hold, owner.credits) == (24, 100_000)
        sandbox.clock.advance(600)
        rung = [effect.key for effect in sandbox.side_effects if effect.kind in ("call", "sms")]
        assert sorted(rung) == sorted({str(id) for id in sandbox.world.contacts})  # noqa: A001
        assert (owner.on_hold, owner.credits) == (0, 100_000 - 24)
        assert {campaign.status for campaign in sandbox.world.campaigns.values()} == {"Completed"}
        assert {contact.status for contact in sandbox.world.contacts.values()} > {"completed", "unanswered"}


@pytest.mark.anyio
async def test_poor_account() -> None:
    """A run that would cost more than there is does not begin."""
    async with Sandbox(campaigns=1) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        http.headers["Authorization"] = f"Bearer {sandbox.api_token}"
        sandbox.world.owner.credits = 2
        (campaign,) = sandbox.world.campaigns
        async with http.post(f"/api/system/campaigns/{campaign}/begin/", json={"message": "m"}) as answer:
            assert answer.status == 400
            assert "credits" in await answer.text()
        assert sandbox.side_effects == []


@pytest.mark.anyio
async def test_sheets() -> None:
    """What is no sheet is refused."""
    async with Sandbox(campaigns=0) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        http.headers["Authorization"] = f"Bearer {sandbox.api_token}"
        form = aiohttp.FormData({"name": "n", "services": "SMS"})
        form.add_field("send_to_number_file", b"no sheet", filename="n.xlsx")
        async with http.post("/api/system/campaigns/", data=form) as answer:
            assert answer.status == 400
            assert "valid file" in await answer.text()


@pytest.mark.anyio
async def test_past_the_end() -> None:
    """A page that there is not is a 404, or the last one again, as the options say."""
    for past_the_end, status in (("404", 404), ("last", 200)):
        async with (
            Sandbox(campaigns=25, past_the_end=past_the_end) as sandbox,
            aiohttp.ClientSession(sandbox.url, headers={"Authorization": f"Bearer {sandbox.api_token}"}) as http,
        ):
            for page in ("9", "x"):
                async with http.get("/api/system/campaigns", params={"page": page}) as answer:
                    assert answer.status == status


def test_same_seed() -> None:
    """The same seed makes the same world, another one another."""
    first, again, other = (Sandbox(campaigns=20, seed=seed).world for seed in (1, 1, 2))
    names = [[campaign.name for campaign in world.campaigns.values()] for world in (first, again, other)]
    assert names[0] == names[1] != names[2]


def test_clock() -> None:
    """Time moves on, and never back."""
    clock = Clock()
    before = clock.now()
    clock.advance(3600)
    assert clock.now() >= before + 3600
    assert clock.iso(0) == "1970-01-01T05:45:00+05:45"
    with pytest.raises(ValueError, match="back"):
        clock.advance(-1)


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/wrong/api/accounts/login/", "/api/accounts/login"])
async def test_no_such_address(path: str) -> None:
    """What is written to an address that is none, or lacks its slash, is told that there is no such, body and all."""
    async with Sandbox() as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        async with http.post(path, json={"email": sandbox.email}) as answer:
            assert (answer.status, await answer.json()) == (404, {"detail": "Not found."})
