"""A service whose responses point to another origin: no request goes there, with or without credentials."""

import contextlib
from typing import Any

import pytest

from tingting_async import RetryPolicy, TingTingError
from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


def connect(generation: Any, sandbox: Sandbox, *, signs_in: bool) -> Any:
    """Return a session for the account of the sandbox."""
    account = {"email": sandbox.email, "password": sandbox.password} if signs_in else {"api_token": sandbox.api_token}
    return generation.session(base_url=sandbox.url, retries=RetryPolicy(attempts=2, initial_backoff=0), **account)


async def execute_all(generation: Any, sandbox: Sandbox, targets: Any, *, signs_in: bool) -> None:
    """Execute every operation, whether it succeeds or fails."""
    async with connect(generation, sandbox, signs_in=signs_in) as tingting:
        for call in generation.calls.values():
            with contextlib.suppress(TingTingError):
                await call(tingting, targets)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 305, 307, 308])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_redirects(generation: Any, world: Any, status: int, host: str) -> None:
    """No operation and no sign-in follows a redirect to another origin, directly or after one on the same origin."""
    home, targets = world
    async with Sandbox() as elsewhere:
        away = f"{elsewhere.url.replace('127.0.0.1', host)}/api/system/campaigns"
        home.faults.add(Fault("redirect", path="/hop/", status=status, location=away))
        for location in (away, away.removeprefix("http:"), "/hop/"):
            with home.faults.during([Fault("redirect", status=status, location=location)]):
                for signs_in in (False, True):
                    await execute_all(generation, home, targets, signs_in=signs_in)
        assert elsewhere.requests == []
    assert {"GET"} == {received.method for received in home.requests if received.path == "/hop/"}  # By reads.


@pytest.mark.parametrize("links", ["strings", "objects", "page_links", "labelled"])
async def test_links(generation: Any, links: Any) -> None:
    """A list whose links point to another origin is read completely from the service itself."""
    async with Sandbox() as elsewhere:
        options: dict[str, Any] = {"links": links, "page_parameter": "links", "number_pagination": True}
        async with Sandbox(campaigns=24, numbers=24, link_base=elsewhere.url, **options) as home:
            campaign = next(iter(home.world.campaigns))
            async with connect(generation, home, signs_in=False) as tingting:
                assert 24 == len(await tingting.campaigns.list().collect())
                people = tingting.contacts if "contacts" in dir(tingting) else tingting.numbers
                assert 24 == len(await people.list(campaign).collect())
                if people is getattr(tingting, "contacts", None):
                    for index in range(24):
                        await tingting.otp.send("9800000001", "{otp}", channel="text")
                        await tingting.survey_templates.create(f"{index}", [])
                    assert 24 == len(await tingting.otp.list().collect())
                    assert 24 == len(await tingting.survey_templates.list().collect())
        assert elsewhere.requests == []


@pytest.mark.parametrize("shape", ["text", "string", "object"])
async def test_urls_in_responses(generation: Any, world: Any, shape: str) -> None:
    """A URL of another origin in a response is never fetched, neither as audio nor as a report."""
    home, targets = world
    async with Sandbox() as elsewhere:
        url = f"{elsewhere.url}/media/a.mp3"
        body: Any = {"text": url.encode(), "string": url, "object": {"url": url, "next": url, "audio_file": url}}[shape]
        home.faults.add(Fault("status", status=200, body=body))
        await execute_all(generation, home, targets, signs_in=False)
        async with connect(generation, home, signs_in=False) as tingting:
            spoken = await generation.calls["campaigns.test_voice"](tingting, targets)
        assert (spoken.url, spoken.audio) == (url, None)
        assert elsewhere.requests == []
    assert len(home.requests) > len(generation.calls) - 2
