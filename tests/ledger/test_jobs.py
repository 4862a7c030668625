"""Operations of many requests with one key, on each kind of ledger: one call works on them, and another goes on."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from tingting_async import LedgerError, PartialFailureError, SendState, UsageError
from tingting_async.ledger.ledger import FRESH
from tingting_async.sandbox import Fault, Sandbox
from tingting_async.v1 import TingTing

pytestmark = pytest.mark.anyio

NUMBERS = [str(9_800_000_000 + row) for row in range(20)]
ADDING = "*/add-contact/"


def numbers_of(sandbox: Sandbox, campaign: int) -> Counter[str]:
    """Return how often each number is in a campaign."""
    return Counter(contact.number for contact in sandbox.world.campaigns[campaign].contacts)


async def refuse_to_mark(ledger: Any, send: Any) -> None:
    """Check that nobody can mark a job as done or not done, and that the error says what to do."""
    for mark in (ledger.mark_sent, ledger.mark_not_sent):
        with pytest.raises(UsageError, match=r"Repeat the call with the same `idempotency_key`"):
            await mark(send)
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
    """What a call has left is unresolved until another one has done the rest. Its content stays that of the first."""
    async with connect(TingTing) as one, connect(TingTing) as other:
        campaign = (await one.campaigns.create("Bills", "PHONE")).id
        with sandbox.faults.during([Fault("status", path=ADDING, nth=3, status=400, body={"detail": "No."})]):
            with pytest.raises(PartialFailureError):
                await one.contacts.add_many(campaign, NUMBERS, chunk=4, concurrency=1, idempotency_key="k")
        [left] = await ledger.unresolved()
        assert ("k", SendState.UNKNOWN) == (left.key, left.state)
        assert ("contacts.add_many", f"contacts of campaign {campaign}") == (left.operation, left.target)
        await refuse_to_mark(ledger, left)
        with pytest.raises(UsageError, match="another content"):
            await other.contacts.add_many(campaign, NUMBERS[1:], idempotency_key="k")
        done = await other.contacts.add_many(campaign, NUMBERS, idempotency_key="k")
        assert (12, 8) == (done.created, done.skipped)
        assert [] == await ledger.unresolved()
        again = await one.contacts.add_many(campaign, NUMBERS, idempotency_key="k")
        assert (12, 8) == (again.created, again.skipped)
    assert Counter(NUMBERS) == numbers_of(sandbox, campaign)


async def test_a_call_that_lost_its_job(sandbox: Sandbox, connect: Any, ledger: Any, ledger_place: Any) -> None:
    """A call that others take for dead sends nothing more, so that the one that goes on adds no contact twice."""
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
