"""Every operation of the classic API, against the sandbox; what rings, rings once."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from tingting_async import (
    BadRequestError,
    DecodeError,
    File,
    NotFoundError,
    NumberStatus,
    OtpChannel,
    Outcome,
    OutcomeUnknownError,
    PaginationError,
    RateLimitedError,
    RetryPolicy,
    ServerError,
    Services,
    TingTing,
    UsageError,
    Voice,
)
from tingting_async.decoding.scalars import KATHMANDU
from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


def connect(sandbox: Sandbox, **options: Any) -> TingTing:
    """Return a session of the sandbox's account."""
    return TingTing(
        base_url=sandbox.url, api_token=sandbox.api_token, retries=RetryPolicy(initial_backoff=0), **options
    )


def effects(sandbox: Sandbox, kind: str) -> int:
    """Return how often something happened in the world."""
    return sum(effect.kind == kind for effect in sandbox.side_effects)


async def test_campaign_from_nothing() -> None:
    """A campaign is created, read, changed, run to its end, and deleted."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        created = await tingting.campaigns.create(
            "One", Services.PHONE, numbers=["9800000001", 9800000002], description="d"
        )
        assert (created.name, created.services, created.description) == ("One", Services.PHONE, "d")
        assert created.id == (await tingting.campaigns.get(created.id)).id
        changed = await tingting.campaigns.update(created.id, name="Two", description="e")
        assert (changed.name, changed.services, changed.description) == ("Two", Services.PHONE, "e")
        run = await tingting.campaigns.run(created.id, message="नमस्ते", voice=Voice.BINOD)
        assert run.credits_on_hold == 2
        assert effects(sandbox, "run") == 1
        sandbox.clock.advance(3600)
        numbers = await tingting.numbers.list(created.id).collect()
        assert sorted(number.number for number in numbers) == ["9800000001", "9800000002"]
        assert {NumberStatus} == {type(number.status) for number in numbers}
        assert not {NumberStatus.NOT_STARTED, NumberStatus.RINGING} & {number.status for number in numbers}
        assert "Deleted" in (await tingting.campaigns.delete(created.id)).text
        with pytest.raises(NotFoundError):
            await tingting.campaigns.get(created.id)
        with pytest.raises(NotFoundError):
            await tingting.campaigns.delete(created.id)


async def test_create_from_a_sheet(tmp_path: Path) -> None:
    """The numbers of an .xlsx file become the campaign's, from a path or from bytes."""
    path = tmp_path / "numbers.xlsx"
    book = Workbook()
    for row in (["numbers"], [9800000001], [9800000002], [9800000003]):
        book.active.append(row)  # type: ignore[union-attr]
    book.save(path)
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        for source in (path, str(path), File("n.xlsx", path.read_bytes())):
            campaign = await tingting.campaigns.create("Sheet", "SMS", file=source)
            assert await tingting.numbers.list(campaign.id).count() == 3


async def test_run_with_audio() -> None:
    """A campaign runs with an audio file, and with both, where the priority says which."""
    async with Sandbox(campaigns=2) as sandbox, connect(sandbox) as tingting:
        first, second = await tingting.campaigns.list().collect()
        await tingting.campaigns.run(first.id, audio_file=File("a.mp3", b"ID3-audio"))
        await tingting.campaigns.run(second.id, message="hi", audio_file=File("a.mp3", b"ID3"), priority="audio")
        assert effects(sandbox, "run") == 2
        body = sandbox.requests[-1].body
        assert b'name="priority"' in body
        assert b'name="aud_file"; filename="a.mp3"' in body


async def test_schedule_keeps_its_instant() -> None:
    """A campaign that is scheduled in another zone runs at that very instant."""
    async with Sandbox(campaigns=1, numbers=1) as sandbox, connect(sandbox) as tingting:
        campaign = await tingting.campaigns.list().first()
        assert campaign is not None
        when = (datetime.now(UTC) + timedelta(hours=5)).replace(second=0, microsecond=0)
        await tingting.campaigns.run(campaign.id, message="hi", schedule=when)
        assert when.astimezone(KATHMANDU).strftime("%Y-%m-%dT%H:%M").encode() in sandbox.requests[-1].body
        sandbox.clock.advance(4.9 * 3600)
        assert (await tingting.numbers.list(campaign.id).collect())[0].status == NumberStatus.NOT_STARTED
        sandbox.clock.advance(3600)
        assert (await tingting.numbers.list(campaign.id).collect())[0].status != NumberStatus.NOT_STARTED


async def test_run_some_and_again() -> None:
    """Single numbers are reached by their ids, and outcomes can be run again."""
    async with Sandbox(campaigns=1, numbers=8) as sandbox, connect(sandbox) as tingting:
        campaign = await tingting.campaigns.list().first()
        assert campaign is not None
        numbers = await tingting.numbers.list(campaign.id).collect()
        await tingting.campaigns.run(campaign.id, message="hi", numbers=[numbers[0].id, numbers[3].id])
        sandbox.clock.advance(3600)
        assert effects(sandbox, "call") + effects(sandbox, "sms") == 2
        after = {number.id: number.status for number in await tingting.numbers.list(campaign.id).collect()}
        assert {numbers[0].id, numbers[3].id} == {number for number, status in after.items() if status != "not started"}
        again = Outcome(after[numbers[0].id])
        await tingting.campaigns.run(campaign.id, message="hi", rerun=[again])
        assert b'"status":["%s"]' % again.encode() in sandbox.requests[-1].body


async def test_tags() -> None:
    """With the check asked for, tags that a campaign does not have are refused before anything is sent."""
    async with Sandbox(campaigns=30) as sandbox, connect(sandbox) as tingting:
        campaigns = await tingting.campaigns.list().collect()
        campaign = next(each for each in campaigns if each.usable_tags)
        assert campaign.usable_tags
        tag = campaign.usable_tags[0]
        with pytest.raises(UsageError, match="tags_nobody"):
            await tingting.campaigns.run(campaign.id, message="{tags_nobody}", check_tags=True)
        with pytest.raises(UsageError, match="tags_nobody"):
            await tingting.numbers.add(campaign.id, "9800000001", tags={"tags_nobody": "x"}, check_tags=True)
        assert list({received.method for received in sandbox.requests}) == ["GET"]
        await tingting.numbers.add(campaign.id, "9811111111", tags={tag: "सीता"}, check_tags=True)
        await tingting.campaigns.run(campaign.id, message=f"{{{tag}}}", check_tags=True)
        numbers = await tingting.numbers.list(campaign.id).collect()
        assert "सीता" in [number.available_tags.get(tag) for number in numbers]


@pytest.mark.parametrize("answer", ["audio", "string", "text", "object"])
async def test_voice(answer: Any) -> None:
    """A test of the voice gives the audio or its address, in whichever shape it came."""
    async with Sandbox(test_voice_response=answer) as sandbox, connect(sandbox) as tingting:
        spoken = await tingting.campaigns.test_voice("नमस्ते\nसाथी", voice="np_binod")
        if answer == "audio":
            assert (spoken.url, bool(spoken.audio)) == (None, True)
        else:
            assert (str(spoken.url).startswith("http"), spoken.audio) == (True, None)
        assert "नमस्ते साथी".encode() in sandbox.requests[-1].body


@pytest.mark.parametrize("answer", ["envelope", "object"])
async def test_numbers(answer: Any) -> None:
    """A number is added, read, edited and deleted."""
    async with Sandbox(campaigns=1, numbers=0, add_number_response=answer) as sandbox, connect(sandbox) as tingting:
        campaign = await tingting.campaigns.list().first()
        assert campaign is not None
        await tingting.numbers.add(campaign.id, "+977-9800000001")
        number = await tingting.numbers.list(campaign.id).first()
        assert number is not None
        assert ("9800000001", campaign.name) == (number.number, number.campaign)
        assert number == await tingting.numbers.get(number.id)
        assert (await tingting.numbers.edit(number.id, 9800000002)).number == "9800000002"
        assert "deleted" in (await tingting.numbers.delete(number.id)).text
        assert await tingting.numbers.list(campaign.id).count() == 0


async def test_phone_numbers() -> None:
    """A line is bought and released."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        line = await tingting.phone_numbers.for_sale().first()
        assert line is not None
        before = await tingting.phone_numbers.owned().count()
        assert line.phone_number == (await tingting.phone_numbers.buy(line.sid)).phone_number
        assert line.sid in [owned.sid async for owned in tingting.phone_numbers.owned()]
        assert "released" in (await tingting.phone_numbers.release(line.sid)).text
        assert before == await tingting.phone_numbers.owned().count()


async def test_otp() -> None:
    """A one-time password is sent, the service's or one's own, by call or by text."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        own = await tingting.otp.send("9800000001", "Code {otp}", channel=OtpChannel.TEXT, otp="0042")
        assert (own.number, own.otp, own.channel) == ("9800000001", "0042", OtpChannel.TEXT)
        theirs = await tingting.otp.send("9800000001", "Code {otp}", channel="voice", length=6)
        assert len(str(theirs.otp)) == 6
        assert effects(sandbox, "otp") == 2


LOST = ["reset_after", "gateway_timeout", "truncate", "html", "empty"]


@pytest.mark.parametrize("kind", LOST)
async def test_rings_once(kind: str) -> None:
    """Whatever becomes of the answer, what rings happens once, and its outcome is said to be unknown."""
    async with Sandbox(campaigns=1, numbers=2) as sandbox, connect(sandbox) as tingting:
        campaign = await tingting.campaigns.list().first()
        line = await tingting.phone_numbers.for_sale().first()
        assert campaign is not None
        assert line is not None
        sandbox.faults.add(Fault(method="POST", kind=kind))
        for operation, effect, call in (
            ("campaigns.run", "run", tingting.campaigns.run(campaign.id, message="hi")),
            ("otp.send", "otp", tingting.otp.send("9800000001", "{otp}", channel="text", otp="123456")),
            ("phone_numbers.buy", "purchase", tingting.phone_numbers.buy(line.sid)),
        ):
            before = len(sandbox.requests)
            with pytest.raises(OutcomeUnknownError, match="To find out") as caught:
                await call
            assert operation == caught.value.operation
            assert len(sandbox.requests) - before == 1
            assert effects(sandbox, effect) <= 1


async def test_lost_creation() -> None:
    """A campaign whose creation was not confirmed is not created again."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        sandbox.faults.add(Fault(method="POST", kind="reset_after"))
        with pytest.raises(OutcomeUnknownError, match=r"campaigns\.list"):
            await tingting.campaigns.create("Once", "PHONE", numbers=["9800000001"])
        assert [campaign.name async for campaign in tingting.campaigns.list()] == ["Once"]


async def test_lost_deletion() -> None:
    """A deletion whose answer was lost is repeated, and the 404 of the repeat is success."""
    async with Sandbox(campaigns=1) as sandbox, connect(sandbox) as tingting:
        campaign = await tingting.campaigns.list().first()
        assert campaign is not None
        sandbox.faults.add(Fault(method="DELETE", kind="reset_after", times=1))
        assert (await tingting.campaigns.delete(campaign.id)).text == "Already gone."
        assert sum(received.method == "DELETE" for received in sandbox.requests) == 2


async def test_plain_refusals() -> None:
    """503 and 429 are answers where the service says them: what rings is repeated only where one asks to come back."""
    async with Sandbox(campaigns=1, numbers=1) as sandbox, connect(sandbox) as tingting:
        campaign = await tingting.campaigns.list().first()
        assert campaign is not None
        run = f"/api/system/campaigns/{campaign.id}/begin/"
        fault = sandbox.faults.add(Fault(method="POST", kind="status", status=503, body={"detail": "Closed."}))
        with pytest.raises(ServerError):
            await tingting.campaigns.run(campaign.id, message="hi")
        fault.status = 429
        with pytest.raises(RateLimitedError):
            await tingting.campaigns.run(campaign.id, message="hi")
        assert sum(received.path == run for received in sandbox.requests) == 2
        sandbox.faults.clear()
        sandbox.faults.add(Fault(method="POST", kind="status", status=429, headers={"Retry-After": "0"}, times=2))
        await tingting.campaigns.run(campaign.id, message="hi")
        assert effects(sandbox, "run") == 1


@pytest.mark.parametrize("shape", ["strings", "fields", "bare", "detail"])
@pytest.mark.parametrize("under_200", [False, True])
async def test_refused_input(shape: Any, under_200: bool) -> None:
    """What the service says of bad input is in the error, in whichever shape it came, also under HTTP 200."""
    async with (
        Sandbox(campaigns=1, numbers=1, envelope_errors=shape, errors_under_200=under_200) as sandbox,
        connect(sandbox) as tingting,
    ):
        campaign = await tingting.campaigns.list().first()
        assert campaign is not None
        with pytest.raises(BadRequestError) as caught:
            await tingting.campaigns.run(campaign.id, message="hi", voice="np_nobody")
        assert caught.value.message or caught.value.field_errors
        if shape in ("fields", "bare"):
            assert "voice_input" in caught.value.field_errors


UNCLEAR = [b"{}", b'{"detail": "Not found."}', b'{"success": null, "message": "x"}', b'{"status": "ok"}']


@pytest.mark.parametrize("body", UNCLEAR)
async def test_answers_that_confirm_nothing(body: bytes) -> None:
    """What rings or adds, and is answered with neither yes nor no, is of unknown outcome, never done."""
    async with Sandbox(campaigns=1, numbers=1) as sandbox, connect(sandbox) as tingting:
        campaign = await tingting.campaigns.list().first()
        assert campaign is not None
        sandbox.faults.add(Fault(method="POST", kind="status", status=200, body=body))
        for call in (
            tingting.campaigns.run(campaign.id, message="hi"),
            tingting.numbers.add(campaign.id, "9800000001"),
        ):
            with pytest.raises(OutcomeUnknownError):
                await call


async def test_loose_confirmations() -> None:
    """A confirmation is taken whatever its undocumented parts look like: that it was done must not get lost."""
    body = b'{"status": 200, "success": true, "message": ["Campaign", "is running"], "errors": {}, "data": []}'
    async with Sandbox(campaigns=1, numbers=1) as sandbox, connect(sandbox) as tingting:
        campaign = await tingting.campaigns.list().first()
        assert campaign is not None
        sandbox.faults.add(Fault(method="POST", kind="status", status=200, body=body))
        started = await tingting.campaigns.run(campaign.id, message="hi")
        assert (started.text, started.errors, started.data) == ("Campaign; is running", (), {})


@pytest.mark.parametrize(
    "beside",
    [
        {"next": "http://x/?page=2"},
        {"count": 9},
        {"total_items": "9"},
        {"total_pages": 3},
        {"links": {"next": "http://x/?page=2"}},
        {"pagination": {"page_number": 1}},
    ],
)
@pytest.mark.parametrize("inside", [False, True])
async def test_list_that_is_not_all(beside: dict[str, Any], inside: bool) -> None:
    """A list for which no pages are documented, and that tells of more than came, is never taken for all of it."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        data = {"owned_numbers": [], **(beside if inside else {})}
        body = {"success": True, "data": data, **({} if inside else beside)}
        sandbox.faults.add(Fault(path="*/owned/phone_numbers", kind="status", status=200, body=body))
        with pytest.raises((PaginationError, DecodeError)):
            await tingting.phone_numbers.owned().collect()
