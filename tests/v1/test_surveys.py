"""Surveys: their steps, runs and answers."""

import asyncio
import json
from pathlib import Path
from typing import Any

import attrs
import pytest
from aiohttp import web
from support.v1 import always, connect, count_effects, first_contact, make_campaign, page, serving

from tingting_async import OutcomeUnknownError, PaginationError, PartialFailureError, UsageError
from tingting_async.http.messages import File
from tingting_async.sandbox import Fault, Sandbox
from tingting_async.v1 import NewStep, ResponseType, Services, SurveyStep, TingTing

pytestmark = pytest.mark.anyio

STEPS = [
    NewStep(text_or_url="How was it?", response_type=ResponseType.KEYPAD, input_name="rating"),
    NewStep(content_type="play", input_name="outro", audio_file=File("a.mp3", b"ID3")),
]


@pytest.mark.parametrize("steps", [STEPS[:1], STEPS])
async def test_set_steps(steps: list[NewStep]) -> None:
    """Steps are set and returned, with and without audio files."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        survey = await make_campaign(tingting, Services.SURVEY)
        stored = await tingting.surveys.set_steps(survey.id, steps)
    expected = [(step.input_name, isinstance(step.audio_file, File)) for step in steps]
    assert expected == [(step.input_name, bool(step.audio_file)) for step in stored]


async def test_set_steps_again() -> None:
    """Setting steps replaces those that the survey has."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        survey = await make_campaign(tingting, Services.SURVEY)
        await tingting.surveys.set_steps(survey.id, STEPS[:1])
        await tingting.surveys.set_steps(survey.id, STEPS)
        assert ["rating", "outro"] == [step.input_name for step in await tingting.surveys.steps(survey.id)]


@pytest.mark.parametrize(("steps", "message"), [([], "empty"), ([NewStep(input_name="x" * 129)], "128")])
async def test_set_invalid_steps(steps: list[NewStep], message: str) -> None:
    """No steps, and a step that is not valid, are refused, and nothing is sent."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        with pytest.raises(UsageError, match=message):
            await tingting.surveys.set_steps(1, steps)
        assert [] == sandbox.requests


@pytest.mark.parametrize("field", ["input_name", "text_or_url", "content_type", "response_type", "audio_file", "id"])
@pytest.mark.parametrize("value", [5.5, b"x", float("nan"), ["a"], True, "\ud800"])
@pytest.mark.parametrize("operation", ["set_steps", "update_steps", "create", "update"])
async def test_a_field_of_a_wrong_type(operation: str, field: str, value: Any) -> None:
    """A field of a step that cannot be sent is refused by its place before any request, also by templates."""
    steps = [NewStep(id=5), NewStep(**{field: value})]
    calls: dict[str, Any] = {
        "set_steps": lambda to: to.surveys.set_steps(1, steps),
        "update_steps": lambda to: to.surveys.update_steps(1, steps),
        "create": lambda to: to.survey_templates.create("n", steps),
        "update": lambda to: to.survey_templates.update(1, content=steps),
    }
    argument = "steps" if operation.endswith("_steps") else "content"
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        with pytest.raises(UsageError, match=rf"`{argument}\[1\]\.{field}` "):
            await calls[operation](tingting)
        assert [] == sandbox.requests


@pytest.mark.parametrize("steps", ["", "say", b"", bytearray(b"x"), 5, None, {}, {1: 2}, iter(()), [None], [{}]])
async def test_what_are_no_steps(steps: Any) -> None:
    """A value that is not a list of `NewStep` is refused before any request; it makes no empty template."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        for call in (
            lambda: tingting.surveys.set_steps(1, steps),
            lambda: tingting.surveys.update_steps(1, steps),
            lambda: tingting.survey_templates.create("n", steps),
            lambda: tingting.survey_templates.update(1, content=steps),
        ):
            with pytest.raises(UsageError, match=r"must be a (list of )?NewStep, not"):
                await call()
        assert [] == sandbox.requests


async def test_steps_that_cannot_be_read_back() -> None:
    """If the steps were set but cannot be read back, the error says so: setting them again would add them twice."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        survey = await make_campaign(tingting, Services.SURVEY)
        sandbox.faults.add(Fault("status", path="*/survey/", method="GET", status=403))
        with pytest.raises(PartialFailureError, match="were set, but could not be read back"):
            await tingting.surveys.set_steps(survey.id, STEPS)


async def test_cancelled_while_steps_are_read_back() -> None:
    """If a call is cancelled after the steps were set, the cancellation has the confirmation behind it."""
    is_read, may_respond = asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            return web.json_response({"message": "Created."})
        is_read.set()
        await may_respond.wait()
        return web.json_response(page([]))

    async with serving(handler) as tingting:
        task = asyncio.create_task(tingting.surveys.set_steps(1, STEPS))
        await is_read.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        may_respond.set()
    partial = PartialFailureError.behind(caught.value)
    assert partial is not None
    assert "Created." == partial.result.text


async def test_delete_steps() -> None:
    """A survey whose steps were deleted has no steps."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        survey = await make_campaign(tingting, Services.SURVEY)
        await tingting.surveys.set_steps(survey.id, STEPS)
        await tingting.surveys.delete_steps(survey.id)
        assert [] == await tingting.surveys.steps(survey.id)


async def test_test_call() -> None:
    """One contact can be called to try out the survey."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        survey = await make_campaign(tingting, Services.SURVEY)
        await tingting.surveys.test_call((await first_contact(tingting, survey.id)).id)
        assert 1 == count_effects(sandbox, "demo")


async def run_survey(sandbox: Sandbox, tingting: TingTing) -> int:
    """Run a survey with one step to its end, and return the survey's own id."""
    campaign = await make_campaign(tingting, Services.SURVEY)
    (step,) = await tingting.surveys.set_steps(campaign.id, STEPS[:1])
    await tingting.surveys.run(campaign.id)
    sandbox.clock.advance(600)
    assert step.survey is not None
    return step.survey


@pytest.mark.parametrize("ids", ["campaign", "own"])
async def test_answers(ids: Any) -> None:
    """The survey's own id, which its steps carry, leads to the answers, whether or not it is the campaign's id."""
    async with Sandbox(campaigns=0, survey_ids=ids) as sandbox, connect(sandbox) as tingting:
        answers = await tingting.surveys.answers(await run_survey(sandbox, tingting))
        assert {"number", "status", "rating"} == set(answers[0])


@pytest.mark.parametrize("ids", ["campaign", "own"])
async def test_download(ids: Any, tmp_path: Path) -> None:
    """The answers of a survey with this id are saved as a file."""
    async with Sandbox(campaigns=0, survey_ids=ids) as sandbox, connect(sandbox) as tingting:
        await tingting.surveys.download(await run_survey(sandbox, tingting), tmp_path / "survey.csv")
    assert "number,status,rating" == (tmp_path / "survey.csv").read_text().splitlines()[0]


@pytest.mark.parametrize("operation", ["answers", "download"])
async def test_the_id_of_a_survey_is_sent_as_it_is(operation: str, tmp_path: Path) -> None:
    """The report of a survey is requested by the id that is given, and by nothing else."""
    paths: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        paths.append(request.path)
        return web.json_response([]) if request.query else web.Response(text="number,status\n")

    async with serving(handler) as tingting:
        arguments = (77,) if operation == "answers" else (77, tmp_path / "answers.csv")
        await getattr(tingting.surveys, operation)(*arguments)
    assert ["/api/v1/download/survey/77/report/"] == paths


@pytest.mark.parametrize("is_paginated", [True, False])
async def test_all_steps(is_paginated: bool) -> None:
    """All steps of a survey are read, whether the service sends them in pages of ten or at once."""

    async def handler(request: web.Request) -> web.StreamResponse:
        steps = [{"id": index, "order": index} for index in range(12)]
        offset = int(request.query.get("offset", "0"))
        following = "http://inside/?offset=10" if offset == 0 else None
        body = page(steps[offset : offset + 10], count=12, following=following)
        return web.json_response(body if is_paginated else {"results": steps})

    async with serving(handler) as tingting:
        assert list(range(12)) == [step.id for step in await tingting.surveys.steps(1)]


@pytest.mark.parametrize(
    "beside", [{"count": 12}, {"next": "http://x/?page=2"}, {"total_pages": "2"}, {"num_pages": 2}]
)
async def test_steps_beside_a_sign_of_more(beside: dict[str, Any]) -> None:
    """If the response indicates more steps in an unknown form, its steps are not returned as all of them."""
    async with serving(always({"results": [{"id": 1}], **beside})) as tingting:
        with pytest.raises(PaginationError):
            await tingting.surveys.steps(1)


async def test_steps_beside_their_number() -> None:
    """If the response states as many steps as it contains, the list is complete."""
    async with serving(always({"results": [{"id": 1}], "count": 1, "total_pages": 1})) as tingting:
        assert 1 == len(await tingting.surveys.steps(1))


@pytest.mark.parametrize("with_audio", [True, False])
async def test_update_steps(with_audio: bool) -> None:
    """Steps are updated by PATCH with their ids; an audio file is named by the index of its step."""
    seen: dict[str, Any] = {}

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal seen
        if request.method != "GET":
            seen["method"] = request.method
            if with_audio:
                form = await request.post()
                seen |= {"steps": json.loads(str(form["steps"])), "audio": form["1"].file.read()}  # type: ignore[union-attr]
            else:
                seen |= await request.json()
        return web.json_response({"results": [{"id": 7, "order": 0}]})

    audio = File("a.mp3", b"ID3") if with_audio else None
    async with serving(handler) as tingting:
        stored = await tingting.surveys.update_steps(1, [NewStep(id=7, input_name="a"), NewStep(audio_file=audio)])
    assert [7] == [step.id for step in stored]
    assert ("PATCH", [7, None]) == (seen["method"], [step.get("id") for step in seen["steps"]])
    assert (b"ID3" if with_audio else None) == seen.get("audio")


async def make_steps(tingting: TingTing, campaign_id: int) -> list[SurveyStep]:
    """Give a survey three steps, of which two have audio, and return them."""
    sound = File("a.mp3", b"ID3")
    return await tingting.surveys.set_steps(
        campaign_id,
        [
            NewStep(text_or_url="first", response_type="dtmf", input_name="a"),
            NewStep(content_type="play", input_name="b", audio_file=sound),
            NewStep(content_type="play", input_name="c", audio_file=sound),
        ],
    )


@pytest.mark.parametrize("updates", ["merge", "keep"])
async def test_change_one_step(updates: Any) -> None:
    """A change of one step keeps every field of the others that is not given, their audio included."""
    async with Sandbox(campaigns=0, step_updates=updates) as sandbox, connect(sandbox) as tingting:
        survey = await make_campaign(tingting, Services.SURVEY)
        before = await make_steps(tingting, survey.id)
        changes = [NewStep(id=before[0].id, text_or_url="changed"), *(NewStep(id=step.id) for step in before[1:])]
        after = await tingting.surveys.update_steps(survey.id, changes)
    assert [attrs.evolve(before[0], text_or_url="changed"), *before[1:]] == after


@pytest.mark.parametrize("updates", ["merge", "keep"])
async def test_clear_a_step(updates: Any) -> None:
    """None clears the text, the name and the audio of a step, and nothing else of it."""
    async with Sandbox(campaigns=0, step_updates=updates) as sandbox, connect(sandbox) as tingting:
        survey = await make_campaign(tingting, Services.SURVEY)
        before = await make_steps(tingting, survey.id)
        changes = [
            NewStep(id=before[0].id, text_or_url=None, input_name=None),
            NewStep(id=before[1].id, audio_file=None),
            NewStep(id=before[2].id),
        ]
        after = await tingting.surveys.update_steps(survey.id, changes)
    blank = attrs.evolve(before[0], text_or_url="", input_name="")
    assert [blank, attrs.evolve(before[1], audio_file=None), before[2]] == after


async def test_audio_that_the_service_drops() -> None:
    """If the service drops audio that was to stay, the error names the steps; their texts have stayed."""
    async with Sandbox(campaigns=0, step_updates="replace") as sandbox, connect(sandbox) as tingting:
        survey = await make_campaign(tingting, Services.SURVEY)
        before = await make_steps(tingting, survey.id)
        changes = [NewStep(id=before[0].id, text_or_url="x"), NewStep(id=before[1].id), NewStep(id=before[2].id)]
        with pytest.raises(PartialFailureError, match=r"dropped the audio of `steps\[1\]` and `steps\[2\]`") as caught:
            await tingting.surveys.update_steps(survey.id, changes)
        assert [("x", "a"), ("", "b"), ("", "c")] == [
            (step.text_or_url, step.input_name) for step in caught.value.result
        ]


@pytest.mark.parametrize(("is_new", "count"), [(True, 1), (False, 2)])
async def test_an_update_of_steps_whose_response_is_lost(is_new: bool, count: int) -> None:
    """An update with a new step is not sent again after a lost response: the step could be there twice."""
    async with Sandbox(campaigns=0, step_updates="keep") as sandbox, connect(sandbox) as tingting:
        survey = await make_campaign(tingting, Services.SURVEY)
        (first, *_) = await make_steps(tingting, survey.id)
        fault = sandbox.faults.add(Fault("reset_after", method="PATCH", times=1))
        changes = [NewStep(id=first.id, input_name="x"), *([NewStep(input_name="new")] if is_new else [])]
        if is_new:
            with pytest.raises(OutcomeUnknownError):
                await tingting.surveys.update_steps(survey.id, changes)
        else:
            await tingting.surveys.update_steps(survey.id, changes)
        assert 1 == fault.count
        assert count == sum(received.method == "PATCH" for received in sandbox.requests)
        assert 3 + is_new == len(sandbox.world.campaigns[survey.id].steps)


async def test_update_no_steps() -> None:
    """Updating no steps is refused."""
    async with serving(always({})) as tingting:
        with pytest.raises(UsageError, match="empty"):
            await tingting.surveys.update_steps(1, [])
        assert 0 == tingting.requests_sent
