"""Operations of many requests with one key, on each kind of ledger: one call works on them, and another continues."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from random import Random
from typing import Any

import attrs
import pytest
from support.postgres_servers import PostgresServer
from support.steps import cancel_at

from tingting_async import LedgerError, NotFoundError, PartialFailureError, SendState, UsageError
from tingting_async.http.clocks import read_clocks
from tingting_async.http.messages import Request, Response
from tingting_async.ledger.claiming import FRESH
from tingting_async.ledger.jobs import Job, open_job
from tingting_async.sandbox import Fault, Sandbox
from tingting_async.v1 import TingTing

pytestmark = pytest.mark.anyio

NUMBERS = [str(9_800_000_000 + row) for row in range(20)]
ADDING = "*/add-contact/"


def numbers_of(sandbox: Sandbox, campaign: int) -> Counter[str]:
    """Return how often each number is in a campaign."""
    return Counter(contact.number for contact in sandbox.world.campaigns[campaign].contacts)


async def refuse_to_mark(ledger: Any, send: Any) -> None:
    """Check that nobody can mark a job as done, and that the error says what to do."""
    with pytest.raises(UsageError, match=r"Repeat the call with the same `idempotency_key`.*`mark_not_sent\(\)`"):
        await ledger.mark_sent(send)
    assert [send.id] == [each.id for each in await ledger.unresolved()]


async def test_one_call_works_at_a_time(sandbox: Sandbox, connect: Any, ledger: Any) -> None:
    """Calls in several sessions with the same key add each contact once, and return the same."""
    async with connect(TingTing) as one, connect(TingTing) as other:
        campaign = (await one.campaigns.create("Bills", "PHONE")).id
        calls = [each.contacts.add_many(campaign, NUMBERS, chunk=3, idempotency_key="k") for each in (one, other) * 3]
        done = await asyncio.gather(*calls)
        assert [(20, 0)] * 6 == [(each.created, each.skipped) for each in done]
        assert 7 == sum(request.path.endswith("/add-contact/") for request in sandbox.requests)
        assert [] == await ledger.unresolved()
    assert Counter(NUMBERS) == numbers_of(sandbox, campaign)


async def test_another_call_goes_on(sandbox: Sandbox, connect: Any, ledger: Any) -> None:
    """A call that ended early is unresolved until another has done the rest. The content of the first call stays."""
    async with connect(TingTing) as one, connect(TingTing) as other:
        campaign = (await one.campaigns.create("Bills", "PHONE")).id
        with sandbox.faults.during([Fault("status", path=ADDING, nth=3, status=400, body={"detail": "No."})]):
            with pytest.raises(PartialFailureError):
                await one.contacts.add_many(campaign, NUMBERS, chunk=4, concurrency=1, idempotency_key="k")
        [left] = await ledger.unresolved()
        assert ("k", SendState.UNKNOWN) == (left.key, left.state)
        assert ("contacts.add_many", f"contacts of campaign {campaign}") == (left.operation, left.target)
        await refuse_to_mark(ledger, left)
        with pytest.raises(UsageError, match="other rows"):
            await other.contacts.add_many(campaign, NUMBERS[1:], idempotency_key="k")
        done = await other.contacts.add_many(campaign, NUMBERS, idempotency_key="k")
        assert (12, 8) == (done.created, done.skipped)
        assert [] == await ledger.unresolved()
        again = await one.contacts.add_many(campaign, NUMBERS, idempotency_key="k")
        assert (12, 8) == (again.created, again.skipped)
    assert Counter(NUMBERS) == numbers_of(sandbox, campaign)


async def test_a_call_that_lost_its_job(sandbox: Sandbox, connect: Any, ledger: Any, ledger_place: Any) -> None:
    """A call that others take for dead sends nothing more, so that the one that continues adds no contact twice."""
    async with connect(TingTing) as one:
        campaign = (await one.campaigns.create("Bills", "PHONE")).id
        stall = Fault("stall_after", path=ADDING, times=1)
        with sandbox.faults.during([stall]):
            call = one.contacts.add_many(campaign, NUMBERS, chunk=5, concurrency=1, idempotency_key="k")
            task = asyncio.create_task(call)
            await stall.stalled.wait()
            ledger_place.end_owners()
            [left] = await ledger.unresolved()  # The job has two claims.
            assert ("contacts.add_many", "k", SendState.UNKNOWN) == (left.operation, left.key, left.state)
            await refuse_to_mark(ledger, left)
            await asyncio.sleep(2 * FRESH)  # A claim that was renewed a moment ago is not looked at again.
            stall.release()
            await asyncio.wait([task])
        error = task.exception()
        assert isinstance(error, PartialFailureError)
        assert isinstance(error.__cause__, LedgerError)
        assert 1 == sum(request.path.endswith("/add-contact/") for request in sandbox.requests)


async def test_a_campaign_that_was_deleted(sandbox: Sandbox, connect: Any, ledger: Any) -> None:
    """A job whose campaign was deleted is resolved by `mark_not_sent()`, as its error says, and its key is free."""
    async with connect(TingTing) as tingting:
        campaigns = [(await tingting.campaigns.create("Bills", "PHONE")).id for _ in range(2)]
        with sandbox.faults.during([Fault("status", path=ADDING, nth=2, status=400, body={"detail": "No."})]):
            with pytest.raises(PartialFailureError):
                await tingting.contacts.add_many(campaigns[0], NUMBERS, chunk=9, concurrency=1, idempotency_key="k")
        await tingting.campaigns.delete(campaigns[0])
        with pytest.raises(NotFoundError, match=r"no such campaign.*deleted.*`await ledger\.mark_not_sent\(send\)`"):
            await tingting.contacts.add_many(campaigns[0], NUMBERS, idempotency_key="k")
        [left] = await ledger.unresolved()
        await ledger.mark_not_sent(left)
        await ledger.mark_not_sent(left)  # A second time changes nothing.
        assert [] == await ledger.unresolved() == await ledger._storage.sends()
        added = await tingting.contacts.add_many(campaigns[1], NUMBERS[:3], idempotency_key="k")
        with pytest.raises(UsageError, match=r"nothing was forgotten.*'k' as done"):
            await ledger.mark_not_sent(left)
        again = await tingting.contacts.add_many(campaigns[1], NUMBERS[:3], idempotency_key="k")
    assert [3, 3] == [added.created, again.created]
    assert Counter(NUMBERS[:3]) == numbers_of(sandbox, campaigns[1])


async def test_forgetting_a_job(ledgers: list[Any], ledger_place: Any) -> None:
    """A job that a call works on cannot be forgotten; of one whose process died, nothing is left."""
    first, second, third = ledgers
    job = await open_one(first)
    await job.interrupt(is_unknown=False, has_effect=True)
    [left] = await second.unresolved()
    job = await open_one(first)
    with pytest.raises(UsageError, match="is in progress: its own process will record the outcome"):
        await second.mark_not_sent(left)
    await job.before_send()
    ledger_place.end_owners()
    [left] = await second.unresolved()
    await second.mark_not_sent(left)
    assert [] == await third._storage.sends()
    with pytest.raises(LedgerError, match="no longer belongs to this process"):
        await job.before_send()
    assert not (await open_one(third, "another content")).had_begun


async def test_forgetting_a_job_is_cancelled_at_every_await(ledgers: list[Any]) -> None:
    """`mark_not_sent` of a job that is cancelled, at whichever await, leaves the job as it was, or nothing."""
    step, is_cancelled = 0, True
    while is_cancelled:
        step += 1
        await (await open_one(ledgers[0])).interrupt(is_unknown=False, has_effect=True)
        [left] = await ledgers[1].unresolved()
        forgetting: Any = ledgers[0].mark_not_sent(left)
        is_cancelled = await cancel_at(forgetting, step, "cancel")
        assert await ledgers[1].unresolved() in ([], [left])
        await ledgers[1].mark_not_sent(left)
        assert [] == await ledgers[2]._storage.sends()
    assert step > 2


Opener = Callable[..., Awaitable[Job]]


@pytest.fixture
async def ledgers(ledger_place: Any) -> AsyncIterator[list[Any]]:
    """Return three ledger objects at one place, as three processes have."""
    opened = [ledger_place.open() for _ in range(3)]
    yield opened
    for each in opened:
        await each.aclose()


async def open_one(ledger: Any, content: str = "20 contacts", patience: float = 0) -> Job:
    """Begin a job, or continue it, without the waiting that takes time."""

    async def sleep(_: float) -> None:
        await asyncio.sleep(0)

    request = Request.create("/", Response, "things.add", json=content)
    given: dict[str, Any] = {"read_clocks": lambda: read_clocks(None), "sleep": sleep}
    deadline = asyncio.get_running_loop().time() + patience
    keyed = attrs.evolve(request, idempotency_key="k", send_target="things of 7")
    return await open_job(ledger, "http://a", keyed, deadline=deadline, **given)


@pytest.mark.parametrize("lost_by", ["interrupt", "abandon", "complete"])
async def test_the_mark_of_a_job_that_was_taken_over(ledgers: list[Any], ledger_place: Any, lost_by: str) -> None:
    """A call that lost its job before it sent anything does not hide from later ones that the job has begun."""
    first, second, third = ledgers
    lost = await open_one(first)
    ledger_place.end_owners()
    taken = await open_one(second)
    assert taken.had_begun
    await taken.before_send()
    with pytest.raises(LedgerError, match="no longer belongs to this process"):
        await lost.before_send()
    if lost_by == "interrupt":
        await lost.interrupt(is_unknown=False, has_effect=False)
    elif lost_by == "abandon":
        lost.abandon(is_unknown=False, has_effect=False)
        await first.unresolved()
    else:
        await lost.complete({}, "20 contacts")
        await first.prune(datetime.now(UTC))
    ledger_place.end_owners()  # The second call has done a part, and dies.
    last = await open_one(third)
    assert (True, False) == (last.had_begun, last.is_done)
    await last.complete({}, "20 contacts")
    assert [SendState.DONE] * 2 == [send.state for send in await third._storage.sends()]


async def test_a_job_that_is_being_taken_over(
    ledgers: list[Any], shared_postgres: PostgresServer, database: str
) -> None:
    """While another process takes a job over, its mark is not deleted: who comes first decides, in one transaction."""
    import psycopg

    job = await open_one(ledgers[0])
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with psycopg.connect(shared_postgres.dsn(database)) as other:
        other.execute("DELETE FROM tingting_sends WHERE operation = 'things.add'")
        ending = asyncio.create_task(job.interrupt(is_unknown=False, has_effect=False))
        while shared_postgres.run(waiting, database=database) != [(1,)]:
            await asyncio.sleep(0.005)
    await ending
    assert ["things.add (begun)"] == [send.operation for send in await ledgers[1]._storage.sends()]


async def test_a_job_that_was_lost_to_nobody(ledgers: list[Any], ledger_place: Any) -> None:
    """If nothing was sent, the key is free for another content, even if the call was taken for dead meanwhile."""
    first, second, _ = ledgers
    lost = await open_one(first)
    ledger_place.end_owners()
    await lost.interrupt(is_unknown=False, has_effect=False)
    assert [] == await second._storage.sends()
    assert not (await open_one(second, "another content")).had_begun


@pytest.mark.parametrize("how", ["cancel", "late"])
async def test_jobs_cancelled_at_every_await(ledgers: list[Any], how: Any) -> None:
    """A call that is cancelled while it begins a job, at whichever await, leaves nothing in the ledger."""
    step, is_cancelled = 0, True
    while is_cancelled:
        step += 1
        opening: Any = open_one(ledgers[0])
        is_cancelled = await cancel_at(opening, step, how)
        if is_cancelled:
            assert [] == await ledgers[1]._storage.sends(), f"{how} at step {step}"
    assert step > 2


async def test_additions_cancelled_at_every_await(sandbox: Sandbox, connect: Any, ledger: Any) -> None:
    """`add_many` that is cancelled at any await before a request left leaves nothing in the ledger."""
    chance, step, is_cancelled = Random(4), 0, True
    async with connect(TingTing, ledger=ledger) as tingting:
        campaign = (await tingting.campaigns.create("Bills", "PHONE")).id
        before = len(sandbox.requests)
        while is_cancelled:
            step += 1
            call: Any = tingting.contacts.add_many(campaign, NUMBERS[:2], idempotency_key=f"{step}")
            is_cancelled = await cancel_at(call, step, chance.choice(["cancel", "late"]))
            if len(sandbox.requests) > before:
                break
            assert [] == await ledger._storage.sends(), f"step {step}"
    assert step > 3


async def test_a_job_whose_coroutine_is_closed(ledgers: list[Any]) -> None:
    """A call that is closed together with its event loop, while it begins a job, leaves nothing after the next use."""
    for step in range(1, 10):
        opening: Any = open_one(ledgers[0])
        waits_for = None
        for _ in range(step):
            if waits_for is not None:
                waits_for._asyncio_future_blocking = False
                await asyncio.wait([waits_for])
            try:
                waits_for = opening.send(None)
            except StopIteration:
                assert step > 2
                return
        opening.close()
        assert [] == await ledgers[0].unresolved()
        assert [] == await ledgers[1]._storage.sends(), f"step {step}"
    raise AssertionError("it never ended")


@pytest.mark.parametrize("seed", range(6))
async def test_jobs_that_change_hands(ledgers: list[Any], ledger_place: Any, seed: int) -> None:
    """However calls begin, lose, take over, end and are cancelled: whoever has a job knows whether a part is done."""
    chance, jobs, has_effect = Random(seed), dict[int, tuple[Job, bool]](), False
    holder: int | None = None
    for _ in range(40):
        who = chance.randrange(3)
        match chance.choice(
            ["open", "open", "open", "cancel", "send", "send", "interrupt", "abandon", "lose", "complete"]
        ):
            case "open" if holder is None and who not in jobs:
                job = await open_one(ledgers[who])
                assert job.had_begun or not has_effect
                assert not job.is_done
                jobs[who], holder = (job, False), who
            case "cancel" if holder is None and who not in jobs:
                opening: Any = open_one(ledgers[who])
                if not await cancel_at(opening, chance.randrange(1, 6), chance.choice(["cancel", "late"])):
                    ledger_place.end_owners()  # The call has the job, and its process dies with it.
            case "send" if who in jobs:
                job = jobs[who][0]
                job._renewed = None  # As if some time had passed.
                try:
                    await job.before_send()
                except LedgerError:
                    assert holder != who
                else:
                    assert holder == who
                    jobs[who], has_effect = (job, True), True
            case "interrupt" | "abandon" as action if who in jobs:
                job, sent = jobs.pop(who)
                ending = {"is_unknown": sent and chance.random() < 0.5, "has_effect": sent}
                if action == "interrupt":
                    await job.interrupt(**ending)
                else:
                    job.abandon(**ending)
                    await ledgers[who].ready()
                holder = None if holder == who else holder
            case "complete" if who in jobs and holder != who:
                await jobs.pop(who)[0].complete({}, "20 contacts")
            case "lose":
                ledger_place.end_owners()
                holder = None
            case _:
                continue
