"""The confirmation of an operation, whether the service responds with a message, with text, or with nothing."""

from typing import Any

import pytest
import support.classic
import support.v1

from tingting_async import DecodeError, OutcomeUnknownError
from tingting_async.sandbox import Sandbox
from tingting_async.v1 import Confirmation, NewStep, Services

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("kind", ["documented", "empty", "message"])
async def test_classic(kind: Any) -> None:
    """A deletion or a release that was done is confirmed, whether its response has a body or not."""
    async with Sandbox(campaigns=1, delete_response=kind) as sandbox, support.classic.connect(sandbox) as tingting:
        campaign = await support.classic.first_campaign(tingting)
        number, line = await tingting.numbers.list(campaign.id).first(), await tingting.phone_numbers.owned().first()
        assert number is not None
        assert line is not None
        done = [
            await tingting.numbers.delete(number.id),
            await tingting.campaigns.delete(campaign.id),
            await tingting.phone_numbers.release(line.sid),
        ]
    assert [True] * 3 == [each.is_confirmed for each in done]


@pytest.mark.parametrize("silent", ["message", "text", "empty"])
@pytest.mark.parametrize("kind", ["documented", "empty", "message"])
async def test_v1(kind: Any, silent: Any) -> None:
    """Every operation of v1 that was done is confirmed, in whichever form the service says so."""
    options: dict[str, Any] = {"delete_response": kind, "silent_response": silent}
    async with Sandbox(campaigns=0, **options) as sandbox, support.v1.connect(sandbox) as tingting:
        survey = await support.v1.make_campaign(tingting, Services.SURVEY)
        await tingting.surveys.set_steps(survey.id, [NewStep(input_name="a")])
        template = await tingting.survey_templates.create("t", [NewStep()])
        contact = await support.v1.first_contact(tingting, survey.id)
        done: list[Confirmation] = [
            await tingting.contacts.demo_call(contact.id),
            await tingting.surveys.test_call(contact.id),
            await tingting.surveys.run(survey.id),
            await tingting.campaigns.stop(survey.id),
            await tingting.surveys.delete_steps(survey.id),
            await tingting.survey_templates.delete(template.id),
            await tingting.contacts.delete(contact.id),
            await tingting.campaigns.delete(survey.id),
        ]
    assert [True] * 8 == [each.is_confirmed for each in done]


@pytest.mark.parametrize(("status", "body"), [(200, b""), (200, b" \r\n"), (202, b""), (204, b"")])
async def test_a_response_without_a_body(status: int, body: bytes) -> None:
    """A response without a body confirms an operation by its status, and has no text."""
    async with support.v1.serving(support.v1.always(body, status)) as tingting:
        confirmation = await tingting.campaigns.delete(1)
    assert (True, "") == (confirmation.is_confirmed, confirmation.text.strip())


@pytest.mark.parametrize("body", [{}, {"message": ""}, {"message": None}, {"detail": "x"}, {"status": 200}])
async def test_a_body_that_confirms_nothing(body: Any) -> None:
    """A body that says nothing of the operation does not confirm it, unlike no body at all."""
    async with support.v1.serving(support.v1.always(body)) as tingting:
        assert not (await tingting.campaigns.delete(1)).is_confirmed
        with pytest.raises((DecodeError, OutcomeUnknownError)):
            await tingting.contacts.demo_call(1)
