"""Adding many numbers: the service takes one in a request, and adds a number again if it is sent again."""

import asyncio
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from support.classic import connect, first_campaign
from support.ready_lists import people

from tingting_async import (
    AddProgress,
    BadRequestError,
    NewContact,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PartialFailureError,
    RetryPolicy,
    RowStatus,
    Services,
    SqliteLedger,
    TingTing,
    UsageError,
)
from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

PHONES = [str(9_800_000_000 + 13 * row) for row in range(60)]
KEY = "fees 2083-08"
ADDED, PRESENT, REFUSED = RowStatus.ADDED, RowStatus.PRESENT, RowStatus.REFUSED


class Service:
    """A service that does to each addition what a test says."""

    def __init__(self, fates: Callable[[int, str], str] | None = None) -> None:
        self.numbers: list[str] = []
        self.tags: dict[str, Any] = {}
        self.posts = 0
        self.fates = fates or (lambda _, __: "")
        """Returns the fate of a request by its place and number."""
        self.show: Callable[[str], Any] = int
        self.on_post: Callable[[], Awaitable[None]] | None = None

    async def add(self, request: web.Request) -> web.StreamResponse:
        """Add a number."""
        body = await request.json()
        number = str(body["number"])
        self.posts += 1
        fate = self.fates(self.posts, number)
        if self.on_post is not None:
            await self.on_post()
        if fate == "refuse":
            refused = {
                "status": 400,
                "success": False,
                "message": None,
                "errors": ["Enter a valid number."],
                "data": {},
            }
            return web.json_response(refused, status=400)
        if fate == "gone":
            return web.json_response({"status": 404, "success": False, "errors": ["Not found."]}, status=404)
        if fate != "before":
            self.numbers.append(number)
            self.tags[number] = body.get("available_tags")
        if fate in ("before", "after"):
            return web.Response(body=b"<html>Bad gateway", status=504, content_type="text/html")
        added = {"status": 201, "success": True, "message": "Number added.", "errors": [], "data": {}}
        return web.json_response(added, status=201)

    async def list(self, _: web.Request) -> web.StreamResponse:
        """List the numbers."""
        rows = [{"id": place, "number": self.show(number)} for place, number in enumerate(self.numbers)]
        return web.json_response({"status": 200, "success": True, "data": {"number-lists": rows}})

    def has_once(self, numbers: Any) -> bool:
        """Return whether the campaign has these numbers, each of them once."""
        return Counter(self.numbers) == Counter(numbers)


@asynccontextmanager
async def serving(service: Service, path: Path | None = None) -> AsyncIterator[TingTing]:
    """Serve, and yield a session, with a ledger if there is a path for it."""
    app = web.Application()
    app.router.add_post("/api/system/campaigns/number/{id}/", service.add)
    app.router.add_get("/api/system/campaigns/number/{id}", service.list)
    ledger = None if path is None else SqliteLedger(path / "ledger.sqlite")
    options: dict[str, Any] = {"api_token": "key", "retries": RetryPolicy(initial_backoff=0), "ledger": ledger}
    async with TestServer(app) as server, TingTing(base_url=str(server.make_url("/")), **options) as tingting:
        yield tingting
    if ledger is not None:
        await ledger.aclose()


def statuses(result: Any) -> list[RowStatus]:
    """Return the status of each row."""
    return [outcome.status for outcome in result.outcomes]


@pytest.mark.parametrize("response", ["envelope", "object"])
async def test_numbers_with_tags(response: Any) -> None:
    """Numbers are added with their tags, and the result has them if the responses do."""
    async with Sandbox(campaigns=30, add_number_response=response) as sandbox, connect(sandbox) as tingting:
        campaign = next(each for each in await tingting.campaigns.list().collect() if each.usable_tags)
        assert campaign.usable_tags
        tag = campaign.usable_tags[0]
        given = [NewContact("9811111111", {tag: "सीता"}), "9811111112", *people(["9811111113"], **{tag: "राम"})]
        result = await tingting.numbers.add_many(campaign.id, given)
        listed = {each.number: each.available_tags async for each in tingting.numbers.list(campaign.id)}
    assert (3, [ADDED] * 3, 3 if response == "object" else 0) == (
        result.created,
        statuses(result),
        len(result.contacts),
    )
    assert [{tag: "सीता"}, {}, {tag: "राम"}] == [listed[f"981111111{row}"] for row in (1, 2, 3)]


async def test_numbers_that_the_service_refuses() -> None:
    """A number that the service refuses is reported with the reason, and the others are added."""
    service = Service(lambda _, number: "refuse" if number in PHONES[1:3] else "")
    async with serving(service) as tingting:
        result = await tingting.numbers.add_many(1, PHONES[:5])
    assert [ADDED, REFUSED, REFUSED, ADDED, ADDED] == statuses(result)
    assert ([1, 2], True) == ([*result.errors], "Enter a valid number" in result.outcome(1).reason)
    assert service.has_once([PHONES[0], *PHONES[3:5]])


async def test_a_campaign_that_is_gone() -> None:
    """An error that is not about a number ends the call."""
    service = Service(lambda place, _: "gone" if place > 2 else "")
    async with serving(service) as tingting:
        with pytest.raises(PartialFailureError, match="2 numbers were added") as caught:
            await tingting.numbers.add_many(1, PHONES[:9], concurrency=1)
    assert isinstance(caught.value.__cause__, NotFoundError)
    assert [*range(2, 9)] == list(caught.value.not_done)
    assert 3 == service.posts


async def test_a_response_that_confirms_nothing() -> None:
    """A number whose response does not say that it was added may have been."""
    async with Sandbox(campaigns=1, numbers=0) as sandbox, connect(sandbox) as tingting:
        campaign = await first_campaign(tingting)
        body = {"status": 200, "errors": ["?"], "data": {}}
        sandbox.faults.add(Fault("status_after", status=200, body=body, method="POST"))
        with pytest.raises(PartialFailureError) as caught:
            await tingting.numbers.add_many(campaign.id, PHONES[:1])
        assert isinstance(caught.value.__cause__, OutcomeUnknownError)
        assert [RowStatus.UNKNOWN] == statuses(caught.value.result)


async def test_a_list_that_hides_numbers() -> None:
    """If the campaign's list does not show its numbers, nothing is sent: they would be added again."""
    service = Service()
    service.numbers, service.show = PHONES[:1], lambda number: f"{number[:4]}xxx{number[-3:]}"
    async with serving(service) as tingting:
        with pytest.raises(NotSentError, match="shows numbers in another form"):
            await tingting.numbers.add_many(1, PHONES[:3])
    assert 0 == service.posts


async def test_called_again_with_a_key(tmp_path: Path) -> None:
    """A call after everything was added sends nothing, with the counts of the first, and says what is missing."""
    service = Service(lambda _, number: "refuse" if number == PHONES[1] else "")
    service.numbers = PHONES[3:4]
    async with serving(service, tmp_path) as tingting:
        first = await tingting.numbers.add_many(1, PHONES[:4], idempotency_key=KEY)
        posts = service.posts
        for given in (PHONES[:4], iter(PHONES[:4])):
            again = await tingting.numbers.add_many(1, given, idempotency_key=KEY)
            assert (2, 1) == (again.created, again.skipped)
            assert [RowStatus.IN_CAMPAIGN, RowStatus.NOT_ADDED, *[RowStatus.IN_CAMPAIGN] * 2] == statuses(again)
            assert "refused" in again.outcome(1).reason
        with pytest.raises(UsageError, match="had other rows"):
            await tingting.numbers.add_many(1, PHONES[:3], idempotency_key=KEY)
    assert [ADDED, REFUSED, ADDED, PRESENT] == statuses(first)
    assert (posts, True) == (service.posts, service.has_once([PHONES[0], *PHONES[2:4]]))


async def test_lost_responses_with_a_key(tmp_path: Path) -> None:
    """With a key, the outcome of lost requests is found out, and each number is added once."""

    async def run(seed: int) -> None:
        chance = random.Random(seed)
        fates = [*chance.choices(["", "after"], k=12), "before"]
        chance.shuffle(fates)
        service = Service(lambda place, _: fates[place - 1] if place <= len(fates) else "")
        (tmp_path / str(seed)).mkdir()
        async with serving(service, tmp_path / str(seed)) as tingting:
            result = await tingting.numbers.add_many(1, PHONES[:20], concurrency=4, idempotency_key=KEY)
        assert (20, [ADDED] * 20) == (result.created, statuses(result))
        assert service.has_once(PHONES[:20])

    await asyncio.gather(*(run(seed) for seed in range(4)))


WORKER = """
import asyncio, sys
from tingting_async import SqliteLedger, TingTing

async def main(url, path, concurrency):
    async with SqliteLedger(path) as ledger, TingTing(base_url=url, api_token="key", ledger=ledger) as tingting:
        numbers = [9_800_000_000 + 13 * row for row in range(60)]
        await tingting.numbers.add_many(1, numbers, concurrency=int(concurrency), idempotency_key="fees 2083-08")

asyncio.run(main(*sys.argv[1:]))
"""


async def test_killed_with_a_key(tmp_path: Path) -> None:
    """A process that is killed while it adds numbers, and started again, adds each number once."""

    async def run(concurrency: int) -> None:
        service, process = Service(), None
        fatal = random.Random(concurrency).randrange(5, 55)

        async def kill() -> None:
            if service.posts == fatal:
                assert process is not None
                process.kill()
                await process.wait()

        service.on_post = kill
        directory = tmp_path / str(concurrency)
        directory.mkdir()
        async with serving(service) as tingting:
            command = (sys.executable, "-c", WORKER, tingting.base_url, str(directory / "ledger.sqlite"))
            for expected in (-9, 0):
                process = await asyncio.create_subprocess_exec(*command, str(concurrency))
                assert expected == await process.wait()
        assert service.has_once(PHONES)

    await asyncio.gather(*(run(concurrency) for concurrency in (1, 6)))


@pytest.mark.parametrize("kind", ["list", "iterator", "async", "people"])
async def test_a_campaign_for_many(kind: str) -> None:
    """A campaign is created for the numbers of any input."""

    async def later() -> AsyncIterator[str]:
        for number in PHONES[:3]:
            yield number

    given: Any = {"list": PHONES[:3], "iterator": iter(PHONES[:3]), "async": later(), "people": people(PHONES[:3])}
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await tingting.campaigns.create("Fees", Services.PHONE, numbers=given[kind])
        assert sorted(PHONES[:3]) == sorted([each.number async for each in tingting.numbers.list(campaign.id)])


async def test_a_campaign_without_the_problems() -> None:
    """With "skip", a campaign is created without the rows that have a problem, and the progress says which."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        progress = AddProgress()
        given = [PHONES[0], "98", "014412345", f"0{PHONES[0]}", PHONES[1]]
        for services, expected in ((Services.PHONE, [PHONES[0], PHONES[1], "14412345"]), (Services.SMS, PHONES[:2])):
            progress = AddProgress()
            options: Any = {"numbers": given, "on_problem": "skip", "progress": progress}
            campaign = await tingting.campaigns.create("Fees", services, **options)
            assert sorted(expected) == sorted([each.number async for each in tingting.numbers.list(campaign.id)])
            assert (len(expected), len(expected)) == (progress.created, len(progress.outcomes.rows(ADDED)))
        assert "landline" in progress.outcomes[2].reason
        with pytest.raises(UsageError, match="all rows in `numbers` have problems"):
            await tingting.campaigns.create("Fees", "SMS", numbers=["98"], on_problem="skip")
        with pytest.raises(UsageError, match="1 of the 2 rows"):
            await tingting.campaigns.create("Fees", "SMS", numbers=people(PHONES[:1], 3))


@pytest.mark.parametrize(
    ("fault", "status"),
    [(Fault("reset_after", method="POST"), "unknown"), (Fault("status", status=400, method="POST"), "not added")],
)
async def test_a_campaign_that_fails(fault: Fault, status: str) -> None:
    """After a creation that failed, the progress says whether its rows may be in a campaign."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        progress = AddProgress()
        fault.body = {"status": 400, "success": False, "errors": ["no"], "data": {}}
        sandbox.faults.add(fault)
        with pytest.raises((OutcomeUnknownError, BadRequestError)):
            await tingting.campaigns.create("Fees", "SMS", numbers=PHONES[:2], progress=progress)
    assert [status] * 2 == statuses(progress)
