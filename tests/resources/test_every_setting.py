"""Both generations of the client, under random combinations of all settings of the sandbox.

Where the service's documents are silent, the sandbox has a setting. The client must work whichever way the service
turns out to behave.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.classic import connect_with_password as connect_classic
from support.options import VALUES, random_options
from support.v1 import connect_with_password as connect_v1

import tingting_async
from tingting_async import BadRequestError, File, NotFoundError, PartialFailureError, UsageError
from tingting_async.sandbox import Sandbox
from tingting_async.v1 import CampaignStatus, ContactStatus, NewContact, NewStep, Services, SurveyStep, TingTing

pytestmark = pytest.mark.anyio

SEEDS = range(15)
NUMBERS = [f"98000000{index:02}" for index in range(12)]
SOUND = File("घण्टी.wav", b"RIFF")


def test_every_value_is_tried() -> None:
    """The combinations contain every value of every setting."""
    tried = [random_options(seed) for seed in SEEDS]
    assert {name: set(values) for name, values in VALUES.items()} == {
        name: {options[name] for options in tried} for name in VALUES
    }


@pytest.mark.parametrize("seed", SEEDS)
async def test_classic(seed: int, tmp_path: Path) -> None:
    """Every operation of the classic API does what it says, under any combination of settings."""
    async with Sandbox(campaigns=7, **random_options(seed)) as sandbox, connect_classic(sandbox) as tingting:
        assert "Sita" == (await tingting.accounts.user_details()).first_name
        assert 7 == len({campaign.id async for campaign in tingting.campaigns.list()})

        made = await tingting.campaigns.create("New", Services.PHONE, numbers=NUMBERS, description="d")
        assert "New" == (await tingting.campaigns.get(made.id)).name
        changed = await tingting.campaigns.update(made.id, name="Newer", description=None)
        assert ("Newer", "") == (changed.name, changed.description)
        with pytest.raises(BadRequestError):
            await tingting.numbers.add(made.id, "9811111111", tags={"tags_unknown": "x"})

        numbers = {number.number: number.id async for number in tingting.numbers.list(made.id)}
        assert set(NUMBERS) == set(numbers)
        assert (await tingting.numbers.add(made.id, "9811111111")).is_confirmed
        edited = await tingting.numbers.edit(numbers[NUMBERS[0]], "9822222222")
        assert "9822222222" == edited.number == (await tingting.numbers.get(edited.id)).number
        assert (await tingting.numbers.delete(edited.id)).is_confirmed
        with pytest.raises(NotFoundError):
            await tingting.numbers.get(edited.id)

        spoken = await tingting.campaigns.test_voice("नमस्ते")
        assert spoken.url or spoken.audio
        sandbox.expire_access_tokens()
        assert (await tingting.campaigns.run(made.id, message="नमस्ते")).is_confirmed
        sandbox.clock.advance(600)
        statuses = [number.status async for number in tingting.numbers.list(made.id)]
        assert 12 == len(statuses) == 12 - statuses.count(tingting_async.NumberStatus.NOT_STARTED)
        assert (await tingting.campaigns.delete(made.id)).is_confirmed

        line = await tingting.phone_numbers.for_sale().first()
        assert line is not None
        assert line.sid == (await tingting.phone_numbers.buy(line.sid)).sid
        assert line.sid in {owned.sid async for owned in tingting.phone_numbers.owned()}
        assert (await tingting.phone_numbers.release(line.sid)).is_confirmed
        assert "4711" == (await tingting.otp.send(NUMBERS[0], "{otp}", channel="text", otp="4711")).otp
    assert 1 == sandbox.tally()["otp", NUMBERS[0]]
    assert 1 == sandbox.tally()["run", str(made.id)]


@pytest.mark.parametrize("seed", SEEDS)
async def test_v1_campaigns(seed: int, tmp_path: Path) -> None:
    """Every operation of the v1 API on accounts, campaigns and contacts works under any combination of settings."""
    async with Sandbox(campaigns=3, **random_options(seed)) as sandbox, connect_v1(sandbox) as tingting:
        await check_account(tingting, sandbox)
        voice, *_ = await tingting.voices.list().collect()
        line = await tingting.phone_numbers.list().first()
        assert line is not None
        assert line == await tingting.phone_numbers.active().first()

        options: dict[str, Any] = {"voice": voice.id, "lines": [line.id], "credit_limit": 50}
        when = datetime.now(UTC) + timedelta(hours=3)
        made = await tingting.campaigns.create("New", "SMS & PHONE", message="{name}", schedule=when, **options)
        with pytest.raises((BadRequestError, UsageError)):
            await tingting.campaigns.update(made.id, voice=999)
        changed = await tingting.campaigns.update(made.id, name="Newer", schedule=None, credit_limit=None, voice=5)
        assert ("Newer", None, None, 5) == (
            changed.name,
            changed.schedule,
            changed.credit_limit,
            changed.voice and changed.voice.id,
        )
        message = await tingting.campaigns.set_message(made.id, voice=voice, sms_message="{name}")
        assert ("{name}", voice.id) == (message.sms_message, message.voice and message.voice.id)
        assert [made.id] == [campaign.id async for campaign in tingting.campaigns.list(search="newer")]
        spoken = await tingting.campaigns.test_voice("नमस्ते", campaign_id=made.id, voice=voice)
        assert spoken.url or spoken.audio

        await check_contacts(tingting, sandbox, made.id)
        assert () == (await tingting.campaigns.preflight(made.id)).problems
        sandbox.expire_access_tokens()
        await tingting.campaigns.run(made.id, preflight=True)
        assert CampaignStatus.RUNNING == (await anext(tingting.campaigns.progress(made.id))).status
        sandbox.clock.advance(600)
        assert CampaignStatus.COMPLETED == (await tingting.campaigns.wait(made.id, timeout=5)).status
        rows = await tingting.reports.rows(made.id).collect()
        assert ContactStatus.NOT_STARTED not in {row.status for row in rows}
        await tingting.reports.download(made.id, tmp_path / "report.csv")
        assert len(rows) + 1 == len((tmp_path / "report.csv").read_text().splitlines())
        assert (await tingting.dashboard.get()).outbound_calls

        seeded = next(iter(sandbox.world.campaigns))
        await tingting.campaigns.run(seeded, preflight=True)
        assert (await tingting.campaigns.stop(seeded)).is_confirmed
        assert (await tingting.campaigns.delete(made.id)).is_confirmed
        with pytest.raises(NotFoundError):
            await tingting.campaigns.get(made.id)
    assert 1 == sandbox.tally()["run", str(made.id)]


async def check_account(tingting: TingTing, sandbox: Sandbox) -> None:
    """Use every operation on the account and on one-time passwords."""
    assert "Sita" == (await tingting.accounts.user_details()).first_name
    made = await tingting.accounts.generate_api_token()
    token = await tingting.accounts.api_token()
    assert sandbox.api_token == made.token == (token and token.token)
    sandbox.world.owner.api_token = ""
    assert None is await tingting.accounts.api_token()
    sent = await tingting.otp.send(NUMBERS[0], "{otp}", channel="text", otp="4711", company_name="c")
    assert "4711" == sent.otp
    assert [NUMBERS[0]] == [each.number async for each in tingting.otp.list()]
    assert 1 == sandbox.tally()["otp", NUMBERS[0]]


async def check_contacts(tingting: TingTing, sandbox: Sandbox, campaign_id: int) -> None:
    """Use every operation on contacts; afterwards the campaign has some, each with a value for `name`."""
    people = [NewContact(number, {"name": "Sita"}) for number in NUMBERS]
    added = await tingting.contacts.add_many(campaign_id, people, chunk=2)
    assert (12, {}, ()) == (added.created, added.errors, added.other_errors)
    assert all(contact.created_at and contact.updated_at for contact in added.contacts)
    await tingting.contacts.add(campaign_id, "9811111111", variables={"name": "Ram"})
    uploaded = await tingting.contacts.upload(campaign_id, File("सूची.csv", b"numbers,name\n9822222222,Hari\n"))
    assert 1 == uploaded.rows

    found = {contact.number: contact async for contact in tingting.contacts.list(campaign_id)}
    assert {*NUMBERS, "9811111111", "9822222222"} == set(found)
    first, second = found[NUMBERS[0]], found[NUMBERS[1]]
    assert "9833333333" == (await tingting.contacts.edit(first.id, "9833333333")).number
    assert {"name": "Gita"} == await tingting.contacts.set_variables(first.id, {"name": "Gita"})
    assert {"name": "Gita"} == await tingting.contacts.variables(first.id)
    assert (await tingting.contacts.demo_call(first.id)).is_confirmed
    assert 1 == sandbox.tally()["demo", "9833333333"]
    assert (await tingting.contacts.delete(second.id)).is_confirmed
    assert 13 == len(await tingting.contacts.list(campaign_id).collect())


@pytest.mark.parametrize("seed", SEEDS)
async def test_v1_surveys(seed: int, tmp_path: Path) -> None:
    """Every operation of the v1 API on surveys and templates works under any combination of settings."""
    async with Sandbox(campaigns=0, **random_options(seed)) as sandbox, connect_v1(sandbox) as tingting:
        survey = await tingting.campaigns.create("Survey", Services.SURVEY, lines=[1], voice=3)
        await tingting.contacts.add_many(survey.id, NUMBERS[:2])
        steps = await tingting.surveys.set_steps(
            survey.id,
            [
                NewStep(content_type="play", input_name="bell", audio_file=SOUND),
                NewStep(text_or_url="How was it?", response_type="dtmf", input_name="rating"),
            ],
        )
        steps = await change_a_step(tingting, sandbox, survey.id, steps)
        assert ["bell", "rating"] == [step.input_name for step in steps]
        assert (True, "And now?") == (bool(steps[0].audio_file), steps[1].text_or_url)

        contact = await tingting.contacts.list(survey.id).first()
        assert contact is not None
        assert (await tingting.surveys.test_call(contact.id)).is_confirmed
        assert (await tingting.surveys.run(survey.id)).is_confirmed
        sandbox.clock.advance(600)
        own_id = steps[0].survey
        assert own_id is not None
        answers = await tingting.surveys.answers(own_id)
        assert all("rating" in answer for answer in answers)
        await tingting.surveys.download(own_id, tmp_path / "answers.csv")
        assert len(answers) + 1 == len((tmp_path / "answers.csv").read_text().splitlines())
        assert (await tingting.surveys.delete_steps(survey.id)).is_confirmed

        template = await tingting.survey_templates.create("T", [NewStep(input_name="a", audio_file=SOUND)], voice=3)
        renamed = await tingting.survey_templates.update(template.id, name="U", voice=None)
        assert ("U", None) == (renamed.name, renamed.voice)
        voiced = await tingting.survey_templates.update(template.id, voice=5, content=[NewStep(audio_file=SOUND)])
        assert 5 == (voiced.voice and voiced.voice.id)
        assert voiced == await tingting.survey_templates.get(template.id)
        assert [voiced] == await tingting.survey_templates.list(search="u").collect()
        assert (await tingting.survey_templates.apply(template.id, survey.id)).is_complete
        assert 1 == len(await tingting.surveys.steps(survey.id))
        assert (await tingting.survey_templates.delete(template.id)).is_confirmed
    assert 1 == sandbox.tally()["run", str(survey.id)]


async def change_a_step(
    tingting: TingTing, sandbox: Sandbox, survey_id: int, steps: list[SurveyStep]
) -> list[SurveyStep]:
    """Change the text of the second step; give the audio of the first again if the service says that it is gone."""
    changes = [NewStep(id=steps[0].id), NewStep(id=steps[1].id, text_or_url="And now?")]
    try:
        return await tingting.surveys.update_steps(survey_id, changes)
    except PartialFailureError as error:
        assert "replace" == sandbox.options.step_updates
        left: list[SurveyStep] = error.result
        changes = [NewStep(id=left[0].id, audio_file=SOUND), NewStep(id=left[1].id)]
        return await tingting.surveys.update_steps(survey_id, changes)
