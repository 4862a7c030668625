"""Campaigns of the classic API, against the sandbox."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from support.classic import connect, count_effects, first_campaign

from tingting_async import (
    File,
    NotFoundError,
    NumberStatus,
    Outcome,
    Services,
    TingTing,
    UsageError,
    Voice,
)
from tingting_async.decoding.scalars import KATHMANDU
from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio


async def test_create() -> None:
    """A campaign is created with its numbers, and can be read back."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        created = await tingting.campaigns.create(
            "One", Services.PHONE, numbers=["9800000001", 9800000002], description="d"
        )
        assert (created.name, created.services, created.description) == ("One", Services.PHONE, "d")
        read = await tingting.campaigns.get(created.id)
        assert (read.id, read.name) == (created.id, "One")
        numbers = await tingting.numbers.list(created.id).collect()
        assert sorted(number.number for number in numbers) == ["9800000001", "9800000002"]


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


async def test_update() -> None:
    """An update changes the given fields and keeps the others."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        created = await tingting.campaigns.create("One", Services.PHONE, numbers=["9800000001"], description="d")
        changed = await tingting.campaigns.update(created.id, name="Two", description="e")
        assert (changed.name, changed.services, changed.description) == ("Two", Services.PHONE, "e")


async def test_update_clears() -> None:
    """None clears the description of a campaign; a field that is not given stays as it is."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        created = await tingting.campaigns.create("One", Services.PHONE, numbers=["9800000001"], description="d")
        assert "d" == (await tingting.campaigns.update(created.id, name="Two")).description
        assert "" == (await tingting.campaigns.update(created.id, description=None)).description


async def test_delete() -> None:
    """A deleted campaign is gone: to get it or to delete it again is a NotFoundError."""
    async with Sandbox(campaigns=1) as sandbox, connect(sandbox) as tingting:
        campaign = await first_campaign(tingting)
        assert "Deleted" in (await tingting.campaigns.delete(campaign.id)).text
        with pytest.raises(NotFoundError):
            await tingting.campaigns.get(campaign.id)
        with pytest.raises(NotFoundError):
            await tingting.campaigns.delete(campaign.id)


async def test_run() -> None:
    """A run happens once, holds credits, and ends with a result for every number."""
    async with Sandbox(campaigns=1, numbers=2) as sandbox, connect(sandbox) as tingting:
        campaign = await first_campaign(tingting)
        run = await tingting.campaigns.run(campaign.id, message="नमस्ते", voice=Voice.BINOD)
        assert run.credits_on_hold == 2
        assert count_effects(sandbox, "run") == 1
        sandbox.clock.advance(3600)
        numbers = await tingting.numbers.list(campaign.id).collect()
        assert {NumberStatus} == {type(number.status) for number in numbers}
        assert not {NumberStatus.NOT_STARTED, NumberStatus.RINGING} & {number.status for number in numbers}


async def test_run_with_audio() -> None:
    """A campaign runs with an audio file instead of a message."""
    async with Sandbox(campaigns=1) as sandbox, connect(sandbox) as tingting:
        campaign = await first_campaign(tingting)
        await tingting.campaigns.run(campaign.id, audio_file=File("a.mp3", b"ID3-audio"))
        assert count_effects(sandbox, "run") == 1
        assert b'name="aud_file"; filename="a.mp3"' in sandbox.requests[-1].body


async def test_run_with_message_and_audio() -> None:
    """With both a message and an audio file, the priority is sent as well."""
    async with Sandbox(campaigns=1) as sandbox, connect(sandbox) as tingting:
        campaign = await first_campaign(tingting)
        await tingting.campaigns.run(campaign.id, message="hi", audio_file=File("a.mp3", b"ID3"), priority="audio")
        assert count_effects(sandbox, "run") == 1
        body = sandbox.requests[-1].body
        assert b'name="priority"' in body
        assert b'name="aud_file"; filename="a.mp3"' in body


async def test_schedule_keeps_its_instant() -> None:
    """A campaign that is scheduled in another time zone runs at that very instant."""
    async with Sandbox(campaigns=1, numbers=1) as sandbox, connect(sandbox) as tingting:
        campaign = await first_campaign(tingting)
        when = (datetime.now(UTC) + timedelta(hours=5)).replace(second=0, microsecond=0)
        await tingting.campaigns.run(campaign.id, message="hi", schedule=when)
        assert when.astimezone(KATHMANDU).strftime("%Y-%m-%dT%H:%M").encode() in sandbox.requests[-1].body
        sandbox.clock.advance(4.9 * 3600)
        assert (await tingting.numbers.list(campaign.id).collect())[0].status == NumberStatus.NOT_STARTED
        sandbox.clock.advance(3600)
        assert (await tingting.numbers.list(campaign.id).collect())[0].status != NumberStatus.NOT_STARTED


async def run_two_of_eight(sandbox: Sandbox, tingting: TingTing) -> tuple[int, dict[int, str | None], set[int]]:
    """Run a campaign for two of its numbers, and return its id, the status of each number, and the two ids."""
    campaign = await first_campaign(tingting)
    numbers = await tingting.numbers.list(campaign.id).collect()
    chosen = [numbers[0].id, numbers[3].id]
    await tingting.campaigns.run(campaign.id, message="hi", numbers=chosen)
    sandbox.clock.advance(3600)
    after = {number.id: number.status for number in await tingting.numbers.list(campaign.id).collect()}
    return campaign.id, dict(after), set(chosen)


async def test_run_for_some_numbers() -> None:
    """A run for the ids of some numbers reaches these numbers and no others."""
    async with Sandbox(campaigns=1, numbers=8) as sandbox, connect(sandbox) as tingting:
        _, after, chosen = await run_two_of_eight(sandbox, tingting)
        assert count_effects(sandbox, "call", "sms") == 2
        assert chosen == {number for number, status in after.items() if status != "not started"}


async def test_run_again() -> None:
    """A campaign can be run again for the numbers whose calls had a certain outcome."""
    async with Sandbox(campaigns=1, numbers=8) as sandbox, connect(sandbox) as tingting:
        campaign_id, after, chosen = await run_two_of_eight(sandbox, tingting)
        again = Outcome(after[min(chosen)])
        await tingting.campaigns.run(campaign_id, message="hi", rerun=[again])
        assert b'"status":["%s"]' % again.encode() in sandbox.requests[-1].body


async def test_unknown_tags_are_refused() -> None:
    """With `check_tags`, a message with a tag that the campaign does not have is refused before the run."""
    async with Sandbox(campaigns=30) as sandbox, connect(sandbox) as tingting:
        campaign = next(each for each in await tingting.campaigns.list().collect() if each.usable_tags)
        with pytest.raises(UsageError, match="tags_nobody"):
            await tingting.campaigns.run(campaign.id, message="{tags_nobody}", check_tags=True)
        assert {received.method for received in sandbox.requests} == {"GET"}


async def test_usable_tags_are_accepted() -> None:
    """With `check_tags`, a message with the campaign's usable tags is sent."""
    async with Sandbox(campaigns=30) as sandbox, connect(sandbox) as tingting:
        campaign = next(each for each in await tingting.campaigns.list().collect() if each.usable_tags)
        assert campaign.usable_tags
        await tingting.campaigns.run(campaign.id, message=f"{{{campaign.usable_tags[0]}}}", check_tags=True)
        assert count_effects(sandbox, "run") == 1


@pytest.mark.parametrize("response", ["audio", "string", "text", "object"])
async def test_voice(response: Any) -> None:
    """A test of the voice returns the audio or its URL, in whichever form the service responds."""
    async with Sandbox(test_voice_response=response) as sandbox, connect(sandbox) as tingting:
        spoken = await tingting.campaigns.test_voice("नमस्ते\nसाथी", voice="np_binod")
        if response == "audio":
            assert (spoken.url, bool(spoken.audio)) == (None, True)
        else:
            assert (str(spoken.url).startswith("http"), spoken.audio) == (True, None)
        assert "नमस्ते साथी".encode() in sandbox.requests[-1].body


@pytest.mark.parametrize("audio", ["nowhere.mp3", File("a.mp3", b""), File("a.txt", b"x"), 5])
async def test_audio_is_read_before_the_tags(audio: Any) -> None:
    """A run with audio that cannot be sent is refused before it reads the campaign to check its tags."""
    async with Sandbox(campaigns=1) as sandbox, connect(sandbox) as tingting:
        with pytest.raises(UsageError, match="`audio_file`"):
            await tingting.campaigns.run(1, message="m", audio_file=audio, priority="message", check_tags=True)
        assert [] == sandbox.requests
