"""A service that points elsewhere: nothing of ours goes there, neither credentials nor a request without them."""

import contextlib
from typing import Any

import pytest

from tingting_async import RetryPolicy, TingTingError
from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


def connect(generation: Any, sandbox: Sandbox, *, signs_in: bool) -> Any:
    """Return a session of the sandbox's account."""
    account = {"email": sandbox.email, "password": sandbox.password} if signs_in else {"api_token": sandbox.api_token}
    return generation.session(base_url=sandbox.url, retries=RetryPolicy(attempts=2, initial_backoff=0), **account)


async def do_everything(generation: Any, sandbox: Sandbox, targets: Any, *, signs_in: bool) -> None:
    """Do every operation, whatever comes out of it."""
    async with connect(generation, sandbox, signs_in=signs_in) as tingting:
        for call in generation.calls.values():
            with contextlib.suppress(TingTingError):
                await call(tingting, targets)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 305, 307, 308])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_redirects(generation: Any, world: Any, status: int, host: str) -> None:
    """No operation follows a redirect to another host or port, at once or after one at home; nor does a sign-in."""
    home, targets = world
    async with Sandbox() as elsewhere:
        away = f"{elsewhere.url.replace('127.0.0.1', host)}/api/system/campaigns"
        home.faults.add(Fault("redirect", path="/hop/", status=status, location=away))
        for location in (away, away.removeprefix("http:"), "/hop/"):
            with home.faults.during([Fault("redirect", status=status, location=location)]):
                for signs_in in (False, True):
                    await do_everything(generation, home, targets, signs_in=signs_in)
        assert elsewhere.requests == []
    assert {asked.method for asked in home.requests if asked.path == "/hop/"} == {"GET"}  # Followed at home, by reads.


@pytest.mark.parametrize("links", ["strings", "objects", "page_links", "labelled"])
async def test_links(generation: Any, links: Any) -> None:
    """Lists whose links lead elsewhere are walked to their end at home."""
    async with Sandbox() as elsewhere:
        options: dict[str, Any] = {"links": links, "page_parameter": "links", "number_pagination": True}
        async with Sandbox(campaigns=24, numbers=24, link_base=elsewhere.url, **options) as home:
            campaign = next(iter(home.world.campaigns))
            async with connect(generation, home, signs_in=False) as tingting:
                assert len(await tingting.campaigns.list().collect()) == 24
                people = tingting.contacts if "contacts" in dir(tingting) else tingting.numbers
                assert len(await people.list(campaign).collect()) == 24
                if people is getattr(tingting, "contacts", None):
                    for index in range(24):
                        await tingting.otp.send("9800000001", "{otp}", channel="text")
                        await tingting.survey_templates.create(f"{index}", [])
                    assert len(await tingting.otp.list().collect()) == 24
                    assert len(await tingting.survey_templates.list().collect()) == 24
        assert elsewhere.requests == []


@pytest.mark.parametrize("shape", ["text", "string", "object"])
async def test_urls_in_answers(generation: Any, world: Any, shape: str) -> None:
    """An answer that is, or holds, a URL of elsewhere is not fetched: not the audio's, not a report's, no other."""
    home, targets = world
    async with Sandbox() as elsewhere:
        url = f"{elsewhere.url}/media/a.mp3"
        body: Any = {"text": url.encode(), "string": url, "object": {"url": url, "next": url, "audio_file": url}}[shape]
        home.faults.add(Fault("status", status=200, body=body))
        await do_everything(generation, home, targets, signs_in=False)
        async with connect(generation, home, signs_in=False) as tingting:
            spoken = await generation.calls["campaigns.test_voice"](tingting, targets)
        assert (spoken.url, spoken.audio) == (url, None)
        assert elsewhere.requests == []
    assert len(home.requests) > len(generation.calls) - 2
