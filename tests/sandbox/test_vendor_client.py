"""The vendor's own client works against the sandbox as it does against the real service."""

import io
import signal
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.commands import served
from tingting import (  # type: ignore[import-untyped]
    Campaign,
    CampaignStatus,
    Category,
    Contact,
    Services,
    SurveyStep,
    TingTingClient,
)
from tingting.enums import FailoverTarget, SurveyContentType, SurveyResponseType  # type: ignore[import-untyped]

from tingting_async.sandbox import Sandbox


@pytest.fixture
def tingting_sandbox_options() -> dict[str, Any]:
    """Respond to an added contact as the vendor's client expects."""
    return {"campaigns": 23, "add_contact_response": "contact"}


@pytest.fixture
def client(tingting_sandbox: Sandbox) -> Any:
    """Return the vendor's client, connected to the sandbox."""
    return TingTingClient(tingting_sandbox.url, tingting_sandbox.api_token)


def make(client: Any, services: Any, **options: Any) -> Any:
    """Create a campaign as the client's documentation does."""
    return Campaign(
        client=client,
        name="Vendor's",
        services=services,
        category=Category.TEXT,
        message="This is the message",
        smsMessage="This is the text",
        dialers=client.get_dialers(),
        voice=client.get_voices()[0],
        lengthFactor=1,
        **options,
    ).create()


def test_account(client: Any, tingting_sandbox: Sandbox) -> None:
    """It reads the user, the lines and the voices."""
    assert client.get_user().email == tingting_sandbox.email
    assert client.get_dialer_by_id(1).phoneNumber == "+97715970425"
    assert client.get_dialer_by_number("+97715970426").id == 2
    assert client.get_voice_by_name("shreegya").id == 5


def test_lists_ten(client: Any, tingting_sandbox: Sandbox) -> None:
    """It reads the first ten campaigns, filters by name, and sends a status that the service does not know."""
    assert len(client.get_campaigns()) == 10
    campaign = next(iter(tingting_sandbox.world.campaigns.values()))
    assert campaign.id in [each.id for each in client.get_campaigns_by_name(campaign.name)]
    assert client.get_campaign(campaign.id).name == campaign.name
    assert client.get_campaigns_with_filter(status=CampaignStatus.NOT_STARTED) == []
    assert "status=CampaignStatus.NOT_STARTED" in tingting_sandbox.requests[-1].query


@pytest.mark.parametrize("services", [Services.PHONE, Services.SMS, Services.SMS_PHONE])
def test_runs(client: Any, tingting_sandbox: Sandbox, services: Any) -> None:
    """It creates a campaign with the whole voice object, adds contacts and a file, tests the voice, and runs it."""
    campaign = make(client, services)
    for index in range(3):
        contact = Contact(client=client, phoneNumber=str(9800000000 + index), attributes={"name": "John"})
        assert campaign.add_contact(contact).id
    campaign.add_contact_from_file(io.BytesIO(b"numbers,name\n9811111111,Ram\n"))
    assert "http" in campaign.test_voice()
    campaign.run()
    tingting_sandbox.clock.advance(600)
    reached = [effect for effect in tingting_sandbox.side_effects if effect.kind in ("call", "sms")]
    assert len(reached) >= 4
    assert tingting_sandbox.world.campaigns[campaign.id].voice == 1


def test_contacts(client: Any, tingting_sandbox: Sandbox) -> None:
    """It updates, calls and deletes a contact."""
    campaign = make(client, Services.PHONE)
    contact = campaign.add_contact(Contact(client=client, phoneNumber="9800000001"))
    contact.phoneNumber = "9800000002"
    contact.update()
    assert tingting_sandbox.world.contacts[contact.id].number == "9800000002"
    contact.test_call()
    contact.delete()
    assert contact.id not in tingting_sandbox.world.contacts


@pytest.mark.parametrize("with_audio", [False, True])
def test_survey(client: Any, tingting_sandbox: Sandbox, with_audio: bool) -> None:
    """It creates a survey with steps, one with an audio file, and runs it."""
    survey = Campaign(
        client=client,
        name="Survey",
        services=Services.SURVEY,
        dialers=client.get_dialers(),
        voice=client.get_voices()[0],
        surveySteps=[
            SurveyStep(client=client, order=0, textOrUrl="How was it?", inputName="rating"),
            SurveyStep(
                client=client,
                order=1,
                contentType=SurveyContentType.PLAY,
                responseType=SurveyResponseType.NONE,
                inputName="outro",
                audioFile=io.BytesIO(b"ID3") if with_audio else None,
            ),
        ],
    ).create()
    steps = tingting_sandbox.world.campaigns[survey.id].steps
    assert [step["input_name"] for step in steps] == ["rating", "outro"]
    assert (steps[1]["audio_file"] is not None) == with_audio
    survey.add_contact(Contact(client=client, phoneNumber="9800000001"))
    survey.run()
    assert [effect.kind for effect in tingting_sandbox.side_effects if effect.kind == "run"] == ["run"]


def test_failover(client: Any, tingting_sandbox: Sandbox) -> None:
    """A campaign that calls and then texts keeps the call results that trigger its text."""
    targets = [FailoverTarget.UNANSWERED, FailoverTarget.FAILED]
    campaign = make(client, Services.SMS_PHONE, failoverTarget=targets)
    kept = tingting_sandbox.world.campaigns[campaign.id]
    assert list(kept.failover_target) == ["unanswered", "failed"]
    assert client.get_campaign(campaign.id).failoverTarget == targets


def test_schedule(client: Any, tingting_sandbox: Sandbox) -> None:
    """A scheduled campaign calls no number before the time that the client sends."""
    when = datetime.fromtimestamp(tingting_sandbox.clock.now(), UTC) + timedelta(hours=3)
    campaign = make(client, Services.PHONE, schedule=when)
    campaign.add_contact(Contact(client=client, phoneNumber="9800000001"))
    campaign.run()
    tingting_sandbox.clock.advance(2 * 3600)
    assert not [effect for effect in tingting_sandbox.side_effects if effect.kind == "call"]
    tingting_sandbox.clock.advance(2 * 3600)
    assert [effect for effect in tingting_sandbox.side_effects if effect.kind == "call"]


def test_the_command() -> None:
    """It creates a campaign and runs it against the sandbox that the command serves, with options of the command."""
    with served("--campaigns", "3", "--add-contact-response", "contact") as (process, environment):
        client = TingTingClient(environment["TINGTING_BASE_URL"], environment["TINGTING_API_TOKEN"])
        assert 3 == len(client.get_campaigns())
        campaign = make(client, Services.PHONE)
        assert campaign.add_contact(Contact(client=client, phoneNumber="9800000001", attributes={"name": "John"})).id
        campaign.run()
        assert "Running" == client.get_campaign(campaign.id).status.value
        process.send_signal(signal.SIGINT)
