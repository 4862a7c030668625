"""What both generations of the API do alike."""

from typing import Any

import pytest

import tingting_async
import tingting_async.v1
from tingting_async import InvalidNumberError, NumberProblem, parse_number
from tingting_async.decoding.fields import OpenEnum
from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("generation", [tingting_async, tingting_async.v1])
async def test_same_script(generation: Any) -> None:
    """A script that lists, changes, runs and deletes campaigns works with either import."""
    async with Sandbox(campaigns=25, seed=3) as sandbox:
        for campaign in sandbox.world.campaigns.values():
            campaign.user_phone, campaign.voice = [1], 3
        async with generation.TingTing(
            base_url=sandbox.url, email=sandbox.email, password=sandbox.password
        ) as tingting:
            assert "Sita" == (await tingting.accounts.user_details()).first_name
            ids = [campaign.id async for campaign in tingting.campaigns.list()]
            assert 25 == len(ids) == len(set(ids)) == await tingting.campaigns.list().count()
            calling = [campaign.id async for campaign in tingting.campaigns.list() if campaign.services == "PHONE"]
            campaign = await tingting.campaigns.get(calling[0])
            assert "Renamed" == (await tingting.campaigns.update(campaign.id, name="Renamed")).name
            assert (await tingting.campaigns.run(campaign.id, message="नमस्ते")).text
            await tingting.otp.send("9800000001", "{otp}", channel="text", otp="1234")
            await tingting.campaigns.delete(ids[1])
            with pytest.raises(tingting_async.NotFoundError):
                await tingting.campaigns.get(ids[1])
        assert ["run", "otp"] == [effect.kind for effect in sandbox.side_effects if effect.kind in ("run", "otp")]


@pytest.mark.parametrize("generation", [tingting_async, tingting_async.v1])
async def test_a_landline_is_called_and_not_texted(generation: Any) -> None:
    """A one-time password is read out to a landline, in any spelling, and its text is refused before it is sent."""
    async with Sandbox() as sandbox:
        async with generation.TingTing(
            base_url=sandbox.url, email=sandbox.email, password=sandbox.password
        ) as tingting:
            for number in ("01-4412345", parse_number("+977 1 4412345")):
                with pytest.raises(InvalidNumberError, match=r"`number` \(…45\) is a landline") as caught:
                    await tingting.otp.send(number, "{otp}", channel="text")
                assert NumberProblem.LANDLINE is caught.value.problem
                assert 0 == sum(effect.kind == "otp" for effect in sandbox.side_effects)
            voice = {} if generation is tingting_async else {"voice": "np_rija"}
            await tingting.otp.send(number, "{otp}", channel="voice", **voice)
        assert [("otp", "14412345")] == [
            (each.kind, each.target) for each in sandbox.side_effects if each.kind == "otp"
        ]


def enums(generation: Any) -> dict[str, type[OpenEnum]]:
    """Return the enums that a generation exports, by name."""
    found = {name: getattr(generation, name) for name in generation.__all__}
    return {name: each for name, each in found.items() if isinstance(each, type) and issubclass(each, OpenEnum)}


def test_the_same_enum_is_the_same_object() -> None:
    """An enum that both generations export is one class, so that their members are the same objects."""
    classic, v1 = enums(tingting_async), enums(tingting_async.v1)
    shared = classic.keys() & v1.keys()
    assert {"OtpChannel", "OtpSource", "Services"} <= shared
    assert {name: v1[name] for name in shared} == {name: classic[name] for name in shared}


def test_call_statuses_are_the_same_objects() -> None:
    """The status of a classic number and of a v1 contact are the same object."""
    assert tingting_async.NumberStatus.ANSWERED is tingting_async.v1.ContactStatus.ANSWERED
