"""The voice that is sent: an id or the whole object, whichever the service accepts."""

from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest
from aiohttp import web
from support.v1 import connect, make_campaign, page, serving

from tingting_async import ApiError, BadRequestError, OutcomeUnknownError, UsageError
from tingting_async.http.messages import File
from tingting_async.sandbox import Sandbox
from tingting_async.v1 import NewStep, Services, TingTing, Voice

pytestmark = pytest.mark.anyio

WHOLE = {"id": 3, "voice_display_name": "Prashanna", "voice_internal_name": "np_prasanna", "is_premium": False}
STEP = NewStep(text_or_url="t", input_name="i")
SOUND = NewStep(content_type="play", input_name="i", audio_file=File("a.mp3", b"ID3"))

Call = Callable[[TingTing, int, int, Any], Awaitable[Any]]
OPERATIONS: dict[str, Call] = {
    "campaigns.create": lambda to, _, __, voice: to.campaigns.create("n", Services.PHONE, voice=voice),
    "campaigns.update": lambda to, campaign, _, voice: to.campaigns.update(campaign, voice=voice),
    "campaigns.set_message": lambda to, campaign, _, voice: to.campaigns.set_message(campaign, voice=voice),
    "survey_templates.create": lambda to, _, __, voice: to.survey_templates.create("n", [STEP], voice=voice),
    "survey_templates.create with audio": lambda to, _, __, voice: to.survey_templates.create(
        "n", [SOUND], voice=voice
    ),
    "survey_templates.update": lambda to, _, template, voice: to.survey_templates.update(template, voice=voice),
    "survey_templates.update with audio": lambda to, _, template, voice: to.survey_templates.update(
        template, voice=voice, content=[SOUND]
    ),
}


async def voice_as(tingting: TingTing, form: str) -> Any:
    """Return voice 3 as an id, as the service lists it, or as a campaign has it: with only its id."""
    whole = next(voice for voice in await tingting.voices.list().collect() if voice.id == 3)
    return {"id": 3, "whole": whole, "voice of a campaign": Voice(id=3)}[form]


@pytest.mark.parametrize("wanted", ["any", "id", "object"])
@pytest.mark.parametrize("given", ["id", "whole", "voice of a campaign"])
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_voice(operation: str, given: str, wanted: Any) -> None:
    """Every operation that sends a voice sets it, whichever form is given and whichever the service expects."""
    async with Sandbox(campaigns=0, voice_sent=wanted) as sandbox, connect(sandbox) as tingting:
        campaign = (await tingting.campaigns.create("c", Services.SURVEY)).id
        template = (await tingting.survey_templates.create("t", [STEP])).id
        for _ in range(2):
            made = await OPERATIONS[operation](tingting, campaign, template, await voice_as(tingting, given))
            assert 3 == made.voice.id
        refused = [received.path for received in sandbox.requests if received.status == 400]
    assert (1 if wanted == "object" else 0) == len(refused)  # The accepted form is remembered.


async def test_a_voice_that_the_service_does_not_have() -> None:
    """If the service expects whole voices and has none with the id, the error says so, and nothing is created."""
    async with Sandbox(campaigns=0, voice_sent="object") as sandbox, connect(sandbox) as tingting:
        with pytest.raises(UsageError, match=r"voices.list\(\) has none with the id 999"):
            await tingting.campaigns.create("n", Services.PHONE, voice=999)
        assert {} == sandbox.world.campaigns


@pytest.mark.parametrize("voice", [3, Voice(id=3)], ids=["id", "voice of a campaign"])
async def test_the_whole_voice(voice: Any) -> None:
    """A voice is sent back with every field that the service listed, unknown ones included."""
    seen: list[Any] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/voice-models/"):
            return web.json_response([{**WHOLE, "is_beta": True, "language": "np"}])
        seen.append((await request.json())["voice"])
        if seen[-1] == 3:
            return web.json_response({"voice": ["Expected a dictionary, but got int."]}, status=400)
        return web.json_response({"id": 1})

    async with serving(handler) as tingting:
        await tingting.campaigns.create("n", Services.PHONE, voice=voice)
    assert [3, {**WHOLE, "is_beta": True, "language": "np"}] == seen


@pytest.mark.parametrize("methods", [("PATCH",), ("PUT",)])
async def test_method_and_voice_together(methods: tuple[str, ...]) -> None:
    """An update that needs both another method and a whole voice is carried out, and both are remembered."""
    options: dict[str, Any] = {"campaigns": 0, "voice_sent": "object", "update_methods": methods}
    async with Sandbox(**options) as sandbox, connect(sandbox) as tingting:
        campaign = await make_campaign(tingting)
        before = len(sandbox.requests)
        for voice in (3, 5):
            changed = await tingting.campaigns.update(campaign.id, voice=voice)
            assert voice == (changed.voice and changed.voice.id)
        statuses = [received.status for received in sandbox.requests[before:] if received.method != "GET"]
    assert [*([405] if methods == ("PUT",) else []), 400, 200, 200] == statuses


def refusing(refusal: Any, status: int, sent: list[Any]) -> Any:
    """Return a handler that lists voices and refuses any campaign, and keeps the voices that were sent."""

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/voice-models/"):
            return web.json_response([WHOLE])
        if request.method == "GET":
            return web.json_response(page([]))
        sent.append((await request.json())["voice"])
        return web.json_response(refusal, status=status)

    return handler


@pytest.mark.parametrize(
    "refusal",
    [
        {"voice": ['Invalid pk "3" - object does not exist.']},
        {"voice": "This voice speaks another language than the account."},
        {"voice": ["This field may not be null."]},
        {"name": ["Expected a string."]},
        {"detail": "Expected a dictionary, but got int."},
    ],
)
async def test_another_refusal(refusal: Any) -> None:
    """A refusal that is not about the form of the voice is raised at once, and nothing is sent again."""
    sent: list[Any] = []
    async with serving(refusing(refusal, 400, sent)) as tingting:
        with pytest.raises(BadRequestError):
            await tingting.campaigns.create("n", Services.PHONE, voice=3)
    assert [3] == sent


async def test_both_forms_are_refused() -> None:
    """If the service refuses the voice in both forms, the refusal of the documented form is the error."""
    sent: list[Any] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/voice-models/"):
            return web.json_response([WHOLE])
        sent.append((await request.json())["voice"])
        return web.json_response({"voice": [f"Incorrect type, number {len(sent)}."]}, status=400)

    async with serving(handler) as tingting:
        with pytest.raises(BadRequestError, match=r"number 1\."):
            await tingting.campaigns.create("n", Services.PHONE, voice=3)
    assert [3, WHOLE] == sent


@pytest.mark.parametrize("seed", range(40))
async def test_what_is_sent_again(seed: int) -> None:
    """Only a 400 about the form of the voice makes the client send a creation again."""
    random = Random(seed)
    text = random.choice(
        [
            "Expected a dictionary, but got int.",
            "Invalid data. Expected a dictionary, but got int.",
            "Incorrect type. Expected pk value, received int.",
            "A valid integer is required.",
            "Not a valid string.",
            "This field must be an object.",
        ]
    )
    body: Any = random.choice(
        [
            {"voice": [text]},
            {"voice": text},
            {"voice": {"non_field_errors": [text]}},
            {"errors": [{"voice": [text]}], "success": False, "status": 400, "message": "Invalid input", "data": {}},
            {"message": f"voice: {text}"},
            {"error": f"Voice: {text}"},
        ]
    )
    status = random.choice([400, 400, 403, 404, 409, 422, 500, 502, 503, 504])
    sent: list[Any] = []
    async with serving(refusing(body, status, sent)) as tingting:
        with pytest.raises((ApiError, OutcomeUnknownError)):
            await tingting.campaigns.create("n", Services.PHONE, voice=3)
    assert ([3, WHOLE] if status == 400 else [3]) == sent
