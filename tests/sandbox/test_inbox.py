"""The inbox: whom the service called and texted, and what they heard and read."""

import io
import wave
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from support.sandboxes import make, run

from tingting_async.sandbox import Message, Sandbox
from tingting_async.sandbox.inbox import Inbox, national
from tingting_async.sandbox.running import begin, run_due, stop

pytestmark = pytest.mark.anyio
Post = Connect = Callable[..., Any]


def summary(message: Message) -> tuple[Any, ...]:
    """Return what a message is, without its time."""
    return (message.channel, message.kind, message.number, message.text, message.status, message.credits)


@pytest.mark.parametrize("path", ["/api/system/send/otp/", "/api/v1/auths/send/otp/"])
@pytest.mark.parametrize(("option", "channel", "status"), [("text", "sms", "sent"), ("voice", "call", "completed")])
async def test_otp(connect: Connect, post: Post, path: str, option: str, channel: str, status: str) -> None:
    """A one-time password is a message with the code that the person reads or hears."""
    async with connect(campaigns=0) as (sandbox, http):
        body = {"number": "9800000001", "message": "Code {otp}!", "otp": "4711", "otp_options": "personnel"}
        sent = await post(http, path, {**body, "sms_send_options": option, "voice_input": "np_rija"})
        text = sent[1]["data"]["details"]["message"]
        (message,) = sandbox.inbox
        assert (channel, "otp", "9800000001", text, status, 1) == summary(message)
        assert "4711" == text.replace(" ", "").removeprefix("Code").removesuffix("!")
        assert (None, "", abs(message.at - sandbox.clock.now()) < 60) == (message.campaign_id, message.campaign, True)


async def test_calls_of_a_campaign() -> None:
    """Each call has the text that its contact hears, and its status and duration follow the call."""
    sandbox = Sandbox(campaigns=0)
    campaign = make(sandbox, "PHONE", 40, message="नमस्ते {name}, {unknown}")
    for index, contact in enumerate(campaign.contacts):
        contact.tags = {"name": f"राम {index} {{unknown}}"}
    run(sandbox, campaign)
    seen: set[str] = set()
    for _ in range(120):
        sandbox.clock.advance(1)
        run_due(sandbox.world)
        seen |= {message.status for message in sandbox.inbox}
        statuses = [contact.status for contact in campaign.contacts]
        in_order = [message.status for message in reversed(list(sandbox.inbox))]
        assert statuses[: len(in_order)] == in_order
    assert {"dialing", "ringing", "answered", "completed", "hungup", "unanswered", "failed"} == seen
    for contact, message in zip(campaign.contacts, reversed(list(sandbox.inbox)), strict=True):
        text = f"नमस्ते {contact.tags['name']}, {{unknown}}"
        assert ("call", "campaign", contact.number, text, contact.status, 1) == summary(message)
        assert (contact.duration, contact.playback) == (message.duration, message.playback)
        assert (campaign.id, campaign.name) == (message.campaign_id, message.campaign)


async def test_texts_of_a_campaign() -> None:
    """A campaign that texts sends its SMS message, whose parts are counted with the values filled in."""
    sandbox = Sandbox(campaigns=0)
    campaign = make(sandbox, "SMS", 1, message="not this", sms_message="Dear {name}")
    campaign.contacts[0].tags = {"name": "x" * 160}
    run(sandbox, campaign)
    sandbox.run_to_end()
    (message,) = sandbox.inbox
    assert ("sms", "campaign", "9800000000", "Dear " + "x" * 160, "sent", 1) == summary(message)
    assert message.parts is not None
    assert (2, 165, None) == (message.parts.count, message.parts.units, message.audio)


async def test_failover_texts() -> None:
    """A text that follows a failed call is a message of its own, after the call."""
    sandbox = Sandbox(campaigns=0)
    results = ["completed", "hungup", "unanswered", "failed"]
    campaign = make(sandbox, "SMS & PHONE", 3, message="call", sms_message="text", failover_target=results)
    run(sandbox, campaign)
    sandbox.run_to_end()
    for contact in campaign.contacts:
        found = [(message.channel, message.text) for message in sandbox.inbox.search(contact.number)]
        assert [("sms", "text"), ("call", "call")] == found


async def test_variables_of_then() -> None:
    """A message shows the text and the variables as they were when it was sent."""
    sandbox = Sandbox(campaigns=0)
    campaign = make(sandbox, "SMS", 1, sms_message="Dear {name}")
    tags = campaign.contacts[0].tags
    tags["name"] = "Ram"
    run(sandbox, campaign)
    sandbox.run_to_end()
    campaign.sms_message, tags["name"], campaign.name = "Other {name}", "Sita", "Other"
    (message,) = sandbox.inbox
    assert ("Dear Ram", "n") == (message.text, message.campaign)


async def test_a_classic_run(connect: Connect, post: Post) -> None:
    """A classic run says the message of the run, with the contact's tags."""
    async with connect(campaigns=6, numbers=2) as (sandbox, http):
        campaign = next(each for each in sandbox.world.campaigns.values() if each.usable_tags)
        path = f"/api/system/campaigns/{campaign.id}/begin/"
        assert 200 == (await post(http, path, {"message": "Dear {tags_name}!"}))[0]
        sandbox.run_to_end()
        expected = {f"Dear {contact.tags['tags_name']}!" for contact in campaign.contacts}
        assert expected == {message.text for message in sandbox.inbox}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"aud_file": b"RIFF sound"}, b"RIFF sound"),
        ({"aud_file": b"OggS sound", "message": "m", "priority": "audio"}, b"OggS sound"),
        ({"aud_file": b"OggS sound", "message": "m", "priority": "message"}, None),
        ({"message": "m"}, None),
    ],
)
async def test_audio_of_a_classic_run(connect: Connect, fields: dict[str, Any], expected: bytes | None) -> None:
    """A classic run plays the audio file or says the message, as its priority says."""
    async with connect(campaigns=6, numbers=1) as (sandbox, http):
        campaign = next(each for each in sandbox.world.campaigns.values() if each.services == "PHONE")
        form = aiohttp.FormData()
        for name, value in fields.items():
            form.add_field(name, value, filename="a.mp3" if isinstance(value, bytes) else None)
        async with http.post(f"/api/system/campaigns/{campaign.id}/begin/", data=form) as response:
            assert 200 == response.status
        sandbox.run_to_end()
        (message,) = sandbox.inbox
        assert message.audio
        async with http.get(message.audio) as response:
            sound, kind = await response.read(), response.content_type
        if expected is not None:
            assert (expected, {b"R": "audio/wav", b"O": "audio/ogg"}[expected[:1]]) == (sound, kind)
        else:
            assert ("audio/wav", b"RIFF") == (kind, sound[:4])


async def test_spoken_text_can_be_played(connect: Connect, post: Post) -> None:
    """A spoken text has an audio file that is longer for a longer text; fetching it is no request of the service."""
    async with connect(campaigns=0) as (sandbox, http):
        lengths: list[float] = []
        for text in ("{otp}", "{otp} नमस्ते तपाईंलाई कस्तो छ"):
            body = {"number": "9800000001", "message": text, "sms_send_options": "voice"}
            assert 200 == (await post(http, "/api/system/send/otp/", body))[0]
            message = next(iter(sandbox.inbox))
            async with http.get(str(message.audio)) as response:
                assert "nosniff" == response.headers["X-Content-Type-Options"]
                with wave.open(io.BytesIO(await response.read())) as sound:
                    lengths.append(sound.getnframes() / sound.getframerate())
        assert 0.1 < lengths[0] < lengths[1] < 10
        assert 2 == len(sandbox.requests)
        async with http.get("/control/v1/messages/3/audio") as response:
            assert 404 == response.status


@pytest.mark.parametrize("template", [False, True])
async def test_a_survey(connect: Connect, post: Post, template: bool) -> None:
    """A survey says its steps with the contact's variables, and plays the first audio file that was uploaded."""
    async with connect(campaigns=0) as (sandbox, http):
        campaign = make(sandbox, "SURVEY", 1, user_phone=[1])
        campaign.contacts[0].tags = {"name": "Ram"}
        steps = (
            '[{"content_type": "say", "text_or_url": "Dear {name}"}, {"content_type": "play"},'
            ' {"content_type": "say", "text_or_url": "Bye"}]'
        )
        form = aiohttp.FormData()
        form.add_field("content" if template else "steps", steps)
        form.add_field("step_1_audio_file" if template else "1", b"RIFF", filename="a.wav")
        if template:
            form.add_field("name", "t")
            async with http.post("/api/v1/survey-templates/", data=form) as response:
                id_ = (await response.json())["id"]
            path = f"/api/v1/survey-templates/{id_}/apply-to-campaign/"
            assert 201 == (await post(http, path, {"campaign_id": campaign.id}))[0]
        else:
            async with http.post(f"/api/v1/campaign/create/{campaign.id}/survey/", data=form) as response:
                assert 201 == response.status
        assert 200 == (await post(http, f"/api/v1/run-survey/{campaign.id}/", {}))[0]
        sandbox.run_to_end()
        (message,) = sandbox.inbox
        assert ("Dear Ram\nBye", b"RIFF") == (message.text, message.sound())
        url = campaign.steps[1]["audio_file"]
        async with http.get(url.removeprefix(sandbox.url)) as response:
            assert b"RIFF" == await response.read()


@pytest.mark.parametrize("path", ["demo-call", "test-survey"])
async def test_a_test_call(connect: Connect, post: Post, path: str) -> None:
    """A test call is a message of its own kind, and costs a credit."""
    async with connect(campaigns=0) as (sandbox, http):
        campaign = make(sandbox, "PHONE", 1, message="Dear {name}")
        campaign.contacts[0].tags = {"name": "Ram"}
        assert 200 == (await post(http, f"/api/v1/{path}/{campaign.contacts[0].id}/", {}))[0]
        (message,) = sandbox.inbox
        assert ("call", "demo", "9800000000", "Dear Ram", "completed", 1) == summary(message)
        assert (campaign.id, "n") == (message.campaign_id, message.campaign)


@pytest.mark.parametrize("how", ["stop", "campaign", "contact"])
async def test_calls_that_are_cut_off(how: str) -> None:
    """A call in progress is terminated when its campaign is stopped or deleted, or its contact is deleted."""
    sandbox = Sandbox(campaigns=0)
    campaign = make(sandbox, "PHONE", 1)
    run(sandbox, campaign)
    sandbox.clock.advance(1)
    assert ["dialing"] == [message.status for message in sandbox.inbox]
    world = sandbox.world
    if how == "stop":
        stop(world, campaign)
    elif how == "campaign":
        world.remove_campaign(campaign)
    else:
        world.remove_contact(campaign.contacts[0])
    sandbox.clock.advance(600)
    assert ["terminated"] == [message.status for message in sandbox.inbox]


async def test_a_second_run_does_not_change_the_first() -> None:
    """Each run adds messages of its own."""
    sandbox = Sandbox(campaigns=0)
    campaign = make(sandbox, "PHONE", 3)
    run(sandbox, campaign)
    sandbox.run_to_end()
    before = [(message.id, message.status) for message in sandbox.inbox]
    begin(sandbox.world, sandbox.world.owner, campaign, campaign.contacts, None)
    sandbox.run_to_end()
    assert [6, 5, 4, 3, 2, 1] == [message.id for message in sandbox.inbox]
    assert before == [(message.id, message.status) for message in sandbox.inbox][3:]


def filled() -> Inbox:
    """Return an inbox with five messages."""
    inbox = Inbox()
    for channel, number, text, campaign in (
        ("sms", "9841234567", "Dear Ram", (1, "Dashain")),
        ("call", "9841234567", "Dear Ram", (2, "Tihar")),
        ("sms", "9800000002", "कोड १२", None),
        ("sms", "014412345", "Landline", (1, "Dashain")),
        ("call", "9800000003", "Dear Hari", (12, "dashain 2")),
    ):
        inbox.add(channel, "campaign", number, 0.0, text, campaign=campaign)  # type: ignore[arg-type]
    return inbox


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, [5, 4, 3, 2, 1]),
        ({"number": "9841234567"}, [2, 1]),
        ({"number": "+977 984-1234567"}, [2, 1]),
        ({"number": "00977 9841234567"}, [2, 1]),
        ({"number": "9779841234567"}, [2, 1]),
        ({"number": "९८४१२३४५६७"}, [2, 1]),
        ({"number": "1234"}, [4, 2, 1]),
        ({"number": "98-00"}, [5, 3]),
        ({"number": "977984"}, [2, 1]),
        ({"number": "+977-984"}, [2, 1]),
        ({"number": "00977984"}, [2, 1]),
        ({"number": "0984"}, [2, 1]),
        ({"number": "0098412"}, [2, 1]),
        ({"number": "९७७९८४"}, [2, 1]),
        ({"number": "977 0984"}, [2, 1]),
        ({"number": "014412"}, [4]),
        ({"number": "0123"}, []),
        ({"number": "9771234"}, []),
        ({"number": "4567"}, [2, 1]),
        ({"number": "01-4412345"}, [4]),
        ({"number": "+977-1-4412345"}, [4]),
        ({"number": "Ram"}, []),
        ({"campaign_id": 1}, [4, 1]),
        ({"campaign": "DASHAIN"}, [5, 4, 1]),
        ({"channel": "call"}, [5, 2]),
        ({"text": "dear r"}, [2, 1]),
        ({"text": "कोड"}, [3]),
        ({"channel": "call", "number": "984"}, [2]),
        ({"limit": 2}, [5, 4]),
        ({"before": 4}, [3, 2, 1]),
        ({"before": 3, "limit": 1}, [2]),
        ({"before": 1}, []),
        ({"before": 99}, [5, 4, 3, 2, 1]),
        ({"after": 3}, [5, 4]),
        ({"after": 1, "limit": 2}, [3, 2]),
        ({"after": 1, "before": 4}, [3, 2]),
        ({"after": -1, "limit": 1}, [1]),
        ({"after": 99}, []),
    ],
)
def test_search(conditions: dict[str, Any], expected: list[int]) -> None:
    """A search finds the newest messages that meet all its conditions: numbers in any spelling, parts of names."""
    assert expected == [message.id for message in filled().search(**conditions)]


@pytest.mark.parametrize(("conditions", "word"), [({"channel": "email"}, "channel='email'"), ({"limit": 0}, "limit=0")])
def test_invalid_search(conditions: dict[str, Any], word: str) -> None:
    """A condition that is not valid is an error that names it."""
    with pytest.raises(ValueError, match=word):
        filled().search(**conditions)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("9841234567", "9841234567"),
        ("014412345", "14412345"),
        ("977", "977"),
        ("9779841234567", "9841234567"),
        ("+977984", "984"),
        ("00977984", "984"),
        ("0984", "0984"),
        ("", ""),
    ],
)
def test_national(number: str, expected: str) -> None:
    """A number is kept in its national digits; what may be a part of one is left as it is."""
    assert expected == national(number)


async def test_version(connect: Connect, post: Post) -> None:
    """The inbox's version grows with each message and each change of a status, and with nothing else."""
    async with connect(campaigns=0) as (sandbox, http):
        campaign = make(sandbox, "PHONE", 1)
        run(sandbox, campaign, at=sandbox.clock.now() + 60)
        versions = [sandbox.inbox.version]
        await http.get("/api/v1/campaign/")
        for seconds in (1, 60, 4, 60):
            sandbox.clock.advance(seconds)
            versions.append(sandbox.inbox.version)
        assert versions[0] == versions[1] < versions[2] < versions[3] <= versions[4]


async def test_repr() -> None:
    """The repr of a message shows neither its number nor its text."""
    message = next(iter(filled()))
    assert "9800000003" not in repr(message)
    assert "Hari" not in repr(message)
