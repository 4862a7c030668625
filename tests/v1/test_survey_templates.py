"""Survey templates."""

from typing import Any

import pytest
from support.v1 import connect, make_campaign

from tingting_async import BadRequestError, UsageError
from tingting_async.http.messages import File
from tingting_async.sandbox import Sandbox
from tingting_async.v1 import NewStep, Services, SurveyTemplate, TingTing

pytestmark = pytest.mark.anyio


async def make_template(tingting: TingTing, name: str = "First") -> SurveyTemplate:
    """Create a template with one step."""
    step = NewStep(input_name="rating", audio_file=File("a.mp3", b"ID3"))
    return await tingting.survey_templates.create(name, [step], voice=5, length_factor=1.2)


async def test_create() -> None:
    """A template is created with its steps, their audio and a voice."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        created = await make_template(tingting)
        template = await tingting.survey_templates.get(created.id)
    assert ("First", "Shreegya") == (template.name, template.voice and template.voice.name)
    assert [("rating", True)] == [(step.input_name, bool(step.audio_file)) for step in template.content]


async def test_list() -> None:
    """The templates of all pages are listed, each once."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        for index in range(13):
            await tingting.survey_templates.create(f"T{index}", [NewStep()])
        assert 13 == len({template.id async for template in tingting.survey_templates.list()})


async def test_search() -> None:
    """A list can be limited to names that contain a text."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        await make_template(tingting)
        await make_template(tingting, "Second")
        assert ["First"] == [template.name async for template in tingting.survey_templates.list(search="first")]


async def test_update() -> None:
    """An update changes the fields that are given."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        template = await make_template(tingting)
        changed = await tingting.survey_templates.update(template.id, name="Best", voice=3)
    assert (template.id, "Best", 3) == (changed.id, changed.name, changed.voice and changed.voice.id)
    assert ["rating"] == [step.input_name for step in changed.content]


@pytest.mark.parametrize("content", [{}, {"content": [NewStep(audio_file=File("b.wav", b"RIFF"))]}])
async def test_clear_the_voice(content: Any) -> None:
    """None clears the voice of a template, with and without audio in the same request; the rest stays."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        template = await make_template(tingting)
        changed = await tingting.survey_templates.update(template.id, voice=None, **content)
    assert (None, "First", template.length_factor) == (changed.voice, changed.name, changed.length_factor)


async def test_update_nothing() -> None:
    """An update without a field to change is refused, and nothing is sent."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        with pytest.raises(UsageError, match="at least one field"):
            await tingting.survey_templates.update(1)
        assert [] == sandbox.requests


async def test_delete() -> None:
    """A template that is deleted is no longer listed."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        template = await make_template(tingting)
        await tingting.survey_templates.delete(template.id)
        assert 0 == await tingting.survey_templates.list().count()


async def test_apply() -> None:
    """A template that is applied gives a survey its steps."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        template, survey = await make_template(tingting), await make_campaign(tingting, Services.SURVEY)
        assert (await tingting.survey_templates.apply(template.id, survey.id)).is_complete
        assert ["rating"] == [step.input_name for step in await tingting.surveys.steps(survey.id)]


async def test_apply_in_part() -> None:
    """If only some steps could be created, the result is not complete, and has the errors."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        template, survey = await make_template(tingting), await make_campaign(tingting, Services.SURVEY)
        sandbox.world.templates[template.id]["content"].append({"order": 1})
        applied = await tingting.survey_templates.apply(template.id, survey.id)
    assert (False, 1, 1) == (applied.is_complete, len(applied.steps), len(applied.errors))


async def test_apply_to_another_kind_of_campaign() -> None:
    """The service rejects a template for a campaign that is not a survey."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        template, campaign = await make_template(tingting), await make_campaign(tingting)
        with pytest.raises(BadRequestError, match="not a survey"):
            await tingting.survey_templates.apply(template.id, campaign.id)
