"""What each setting changes in the responses of the sandbox, where the service's documents are silent."""

from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

VOICE = {"id": 3, "voice_display_name": "Prasanna"}
OTP = {"number": "9800000001", "message": "{otp}", "sms_send_options": "text"}


async def send(http: aiohttp.ClientSession, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Send a request; return the status and the body of its response, decoded if it is JSON."""
    async with http.request(method, path, json=body) as response:
        is_json = response.content_type == "application/json" and response.status != 204
        return response.status, await response.json() if is_json else await response.text()


async def make_survey(http: aiohttp.ClientSession, **fields: Any) -> dict[str, Any]:
    """Create a survey with two steps, and return it."""
    steps = [{"content_type": "say", "input_name": name} for name in "ab"]
    body = {"name": "n", "services": "SURVEY", "user_phone": [1], "steps": steps, **fields}
    return dict((await send(http, "POST", "/api/v1/campaign/create/", body))[1])


@pytest.mark.parametrize(
    ("wanted", "sent", "expected"),
    [
        ("any", 3, 201),
        ("any", VOICE, 201),
        ("id", 3, 201),
        ("id", VOICE, {"voice": ["Incorrect type. Expected pk value, received dict."]}),
        ("object", VOICE, 201),
        ("object", 3, {"voice": ["Expected a dictionary, but got int."]}),
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/campaign/create/", "/api/v1/survey-templates/"])
async def test_voice_sent(connect: Any, wanted: str, sent: Any, expected: Any, path: str) -> None:
    """With `voice_sent`, a voice in the other form is refused with 400."""
    async with connect(voice_sent=wanted) as (_, http):
        status, body = await send(http, "POST", path, {"name": "n", "services": "SMS", "voice": sent})
        assert expected == (body if isinstance(expected, dict) else status)
        assert 400 == status or isinstance(expected, int)


@pytest.mark.parametrize(
    ("shown", "expected"), [("documented", (int, dict)), ("id", (int, int)), ("object", (dict, dict))]
)
async def test_voice_shown(connect: Any, shown: str, expected: tuple[type, type]) -> None:
    """With `voice_shown`, the voice of a campaign and of a row of the list have one form each."""
    async with connect(campaigns=1, voice_shown=shown) as (sandbox, http):
        (campaign,) = sandbox.world.campaigns
        details = (await send(http, "GET", f"/api/v1/campaign/{campaign}/"))[1]
        listed = (await send(http, "GET", "/api/v1/campaign/"))[1]["results"][0]
        assert expected == (type(details["voice"]), type(listed["voice"]))


@pytest.mark.parametrize(("ids", "is_equal"), [("campaign", True), ("own", False)])
async def test_survey_ids(connect: Any, ids: str, is_equal: bool) -> None:
    """With `survey_ids`, the id that a survey's steps carry, and no other, leads to its report."""
    async with connect(campaigns=0, survey_ids=ids) as (_, http):
        campaign = (await make_survey(http))["id"]
        steps = (await send(http, "GET", f"/api/v1/campaign/create/{campaign}/survey/"))[1]["results"]
        (survey,) = {step["survey"] for step in steps}
        assert is_equal == (survey == campaign)
        assert 200 == (await send(http, "GET", f"/api/v1/download/survey/{survey}/report/"))[0]
        status, _ = await send(http, "GET", f"/api/v1/download/survey/{campaign}/report/")
        assert (200 if is_equal else 404) == status


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    ("error", "text"),
    [
        ("token_not_valid", "Given token not valid for any token type"),
        ("not_provided", "Authentication credentials were not provided."),
        ("expired", "Signature has expired."),
    ],
)
async def test_unauthorized(connect: Any, status: int, error: str, text: str) -> None:
    """With `unauthorized_status` and `unauthorized_error`, both generations respond so to a token that is dead."""
    async with connect(unauthorized_status=status, unauthorized_error=error) as (_, http):
        http.headers["Authorization"] = "Bearer dead"
        for path in ("/api/system/campaigns", "/api/v1/campaign/"):
            found, body = await send(http, "GET", path)
            assert (status, text) == (found, body["detail"])


DELETIONS: list[Callable[[Any, int], str]] = [
    lambda world, _: f"/api/v1/campaign/{next(iter(world.campaigns))}/",
    lambda world, _: f"/api/v1/phone-number/delete/{next(iter(world.contacts))}/",
    lambda _, survey: f"/api/v1/campaign/create/{survey}/survey/",
    lambda world, _: f"/api/v1/survey-templates/{next(iter(world.templates))}/",
    lambda world, _: f"/api/system/campaigns/{next(iter(world.campaigns))}/delete",
    lambda world, _: f"/api/system/campaigns/number/{next(iter(world.contacts))}/delete/",
    lambda _, __: "/api/system/phone_numbers",
]


@pytest.mark.parametrize("target", DELETIONS)
@pytest.mark.parametrize(("kind", "status"), [("empty", 204), ("message", 200)])
async def test_delete_response(connect: Any, target: Any, kind: str, status: int) -> None:
    """With `delete_response`, every deletion and release is an empty 204, or a 200 with a message."""
    async with connect(campaigns=1, delete_response=kind) as (sandbox, http):
        survey = (await make_survey(http))["id"]
        await send(http, "POST", "/api/v1/survey-templates/", {"name": "t"})
        owned = next(line.sid for line in sandbox.world.lines.values() if line.owner is not None)
        found, body = await send(http, "DELETE", target(sandbox.world, survey), {"phone_sid": owned})
    assert (status, status == 204) == (found, body == "")


@pytest.mark.parametrize(("kind", "status"), [("message", 200), ("text", 200), ("empty", 204)])
async def test_silent_response(connect: Any, kind: str, status: int) -> None:
    """With `silent_response`, the responses that the documents do not print have one form each."""
    async with connect(campaigns=0, silent_response=kind) as (_, http):
        survey = (await make_survey(http))["id"]
        contact = "/api/v1/campaign/{}/add-contact/"
        await send(http, "POST", contact.format(survey), {"number": "9800000001"})
        (row,) = (await send(http, "GET", f"/api/v1/campaign-detail/{survey}/"))[1]["results"]
        paths = [f"demo-call/{row['id']}", f"test-survey/{row['id']}", f"run-survey/{survey}"]
        for path in (*paths, f"campaign/emergency-stop/{survey}"):
            found, body = await send(http, "POST", f"/api/v1/{path}/")
            assert (status, {"message": dict, "text": str, "empty": str}[kind]) == (found, type(body))


@pytest.mark.parametrize(("updates", "names"), [("merge", ["x"]), ("keep", ["x", "b"]), ("replace", ["x"])])
async def test_step_updates(connect: Any, updates: str, names: list[str]) -> None:
    """With `step_updates`, a PATCH keeps the fields that it does not name, the steps as well, or neither."""
    async with connect(campaigns=0, step_updates=updates) as (sandbox, http):
        survey = (await make_survey(http))["id"]
        steps = sandbox.world.campaigns[survey].steps
        steps[0]["text_or_url"] = "kept"
        path = f"/api/v1/campaign/create/{survey}/survey/"
        change = {"id": steps[0]["id"], "content_type": "say", "input_name": "x"}
        await send(http, "PATCH", path, {"steps": [change]})
        found = (await send(http, "GET", path))[1]["results"]
    assert names == [step["input_name"] for step in found]
    assert (None if updates == "replace" else "kept") == found[0]["text_or_url"]


@pytest.mark.parametrize(
    ("kind", "types"), [("documented", (str, int)), ("string", (str, str)), ("integer", (int, int))]
)
async def test_number_type(connect: Any, kind: str, types: tuple[type, type]) -> None:
    """With `number_type`, phone numbers are strings or integers in v1 and in the classic API."""
    async with connect(campaigns=1, number_type=kind) as (sandbox, http):
        (campaign,) = sandbox.world.campaigns
        v1 = (await send(http, "GET", f"/api/v1/campaign-detail/{campaign}/"))[1]["results"]
        classic = (await send(http, "GET", f"/api/system/campaigns/number/{campaign}"))[1]["data"]["number-lists"]
        assert types == (type(v1[0]["number"]), type(classic[0]["number"]))


async def test_forms_of_fields(connect: Any) -> None:
    """`empty_fields`, `last_next` and `contact_dates` change what the documents print in one way only."""
    options = {"empty_fields": "missing", "last_next": "empty", "contact_dates": "text"}
    async with connect(campaigns=1, **options) as (sandbox, http):
        (campaign,) = sandbox.world.campaigns
        assert "schedule" not in (await send(http, "GET", f"/api/v1/campaign/{campaign}/"))[1]
        page = (await send(http, "GET", f"/api/v1/campaign-detail/{campaign}/"))[1]
        assert ("", True) == (page["next"], page["results"][0]["updated_at"].endswith("M"))


async def test_created_status(connect: Any) -> None:
    """With `created_status`, a creation in either generation is a plain 200."""
    async with connect(created_status=200) as (_, http):
        body = {"name": "n", "services": "SMS", "individual_number": [9800000001]}
        for path in ("/api/v1/campaign/create/", "/api/system/campaigns/"):
            assert 200 == (await send(http, "POST", path, body))[0]


async def test_steps_pagination(connect: Any) -> None:
    """With `steps_pagination`, the steps of a survey come in pages of ten."""
    async with connect(campaigns=0, steps_pagination=True) as (_, http):
        steps = [{"content_type": "say", "input_name": str(index)} for index in range(12)]
        survey = (await make_survey(http, steps=steps))["id"]
        page = (await send(http, "GET", f"/api/v1/campaign/create/{survey}/survey/"))[1]
    assert (12, [str(index) for index in range(10)]) == (
        page["count"],
        [step["input_name"] for step in page["results"]],
    )


@pytest.mark.parametrize(("is_required", "status"), [(False, 200), (True, 400)])
async def test_company_name_required(connect: Any, is_required: bool, status: int) -> None:
    """With `company_name_required`, a one-time password without a company is refused."""
    async with connect(company_name_required=is_required) as (_, http):
        assert status == (await send(http, "POST", "/api/v1/auths/send/otp/", OTP))[0]
        assert 200 == (await send(http, "POST", "/api/v1/auths/send/otp/", {**OTP, "company_name": "c"}))[0]


@pytest.mark.parametrize(("kind", "expected"), [("objects", dict), ("strings", str)])
async def test_add_contacts_errors(connect: Any, kind: str, expected: type) -> None:
    """With `add_contacts_errors`, refused contacts are reported as objects or as strings."""
    async with connect(campaigns=1, add_contacts_errors=kind) as (sandbox, http):
        (campaign,) = sandbox.world.campaigns
        path = f"/api/v1/campaign/{campaign}/add-contact/"
        added = (await send(http, "POST", path, {"contacts": [{"number": "none"}]}))[1]
    assert [expected] == [type(error) for error in added["errors"]]


@pytest.mark.parametrize("scheme", ["https", "http"])
async def test_test_voice_scheme(connect: Any, scheme: str) -> None:
    """The URL of a v1 voice test has the scheme of `test_voice_scheme`; the audio is there over http."""
    async with connect(campaigns=1, test_voice_scheme=scheme) as (sandbox, http):
        (campaign,) = sandbox.world.campaigns
        path = f"/api/v1/test-speak/riri/{campaign}/"
        url = (await send(http, "POST", path, {"voice_input": 3, "message": "m"}))[1]
        assert scheme == url.partition(":")[0]
        async with http.get(url.replace("https://", "http://")) as audio:
            assert "audio/mpeg" == audio.content_type


async def test_message_methods(connect: Any) -> None:
    """With `message_methods`, a campaign and its message can be changed by different methods."""
    async with connect(campaigns=1, update_methods=("PATCH",), message_methods=("PUT",)) as (sandbox, http):
        (campaign,) = sandbox.world.campaigns
        for path, method in ((f"campaign/{campaign}", "PATCH"), (f"campaign/create/{campaign}/message", "PUT")):
            other = "PUT" if method == "PATCH" else "PATCH"
            assert 200 == (await send(http, method, f"/api/v1/{path}/", {"draft": False}))[0]
            assert 405 == (await send(http, other, f"/api/v1/{path}/", {"draft": False}))[0]


async def test_v1_runs_every_campaign_of_the_start() -> None:
    """Every campaign that a sandbox starts with can be run by the v1 API, and reaches each of its contacts."""
    async with Sandbox(campaigns=12) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        http.headers["Authorization"] = f"Bearer {sandbox.api_token}"
        for campaign in sandbox.world.campaigns:
            assert 200 == (await send(http, "POST", f"/api/v1/run-campaign/{campaign}/"))[0]
        sandbox.clock.advance(600)
        kinds = [effect.kind for effect in sandbox.side_effects]
    assert (12, 36) == (kinds.count("run"), kinds.count("call") + kinds.count("sms"))


LISTS = {"v1": "/api/v1/campaign/?offset={0}0", "classic": "/api/system/campaigns?page={1}"}


async def pages_of(http: aiohttp.ClientSession, api: str, pages: int) -> list[tuple[int, list[int]]]:
    """Return what the pages of the list of campaigns state: the number of rows, and the ids of their rows."""
    found: list[tuple[int, list[int]]] = []
    for number in range(pages):
        body = (await send(http, "GET", LISTS[api].format(number, number + 1)))[1]
        count = body["count"] if api == "v1" else body["pagination"]["total_items"]
        rows = body["results"] if api == "v1" else body["result"]["campaign-lists"]
        found.append((count, [row["id"] for row in rows]))
    return found


@pytest.mark.parametrize("api", LISTS)
@pytest.mark.parametrize(("kind", "count"), [("exact", 25), ("high", 27), ("low", 23)])
async def test_list_count(connect: Any, api: str, kind: str, count: int) -> None:
    """With `list_count`, the number of rows that a page states is wrong; its rows are not."""
    async with connect(campaigns=25, list_count=kind) as (_, http):
        pages = await pages_of(http, api, 3)
    assert ([count] * 3, 25) == ([stated for stated, _ in pages], len({row for _, rows in pages for row in rows}))


@pytest.mark.parametrize("api", LISTS)
async def test_list_filter(connect: Any, api: str) -> None:
    """With `list_filter`, pages in the middle are short or empty, and together they have every row once."""
    async with connect(campaigns=40, list_filter="after_paging") as (_, http):
        pages = await pages_of(http, api, 6)
    lengths = [len(rows) for _, rows in pages]
    assert (40, 40) == (sum(lengths), len({row for _, rows in pages for row in rows}))
    assert 0 in lengths[1:-1] or min(lengths[1:-1]) < 10


@pytest.mark.parametrize("api", LISTS)
async def test_list_order(connect: Any, api: str) -> None:
    """With `list_order`, the same page has its rows in different orders."""
    async with connect(campaigns=25, list_order="ties") as (_, http):
        orders = {tuple((await pages_of(http, api, 1))[0][1]) for _ in range(10)}
    assert len(orders) > 1
