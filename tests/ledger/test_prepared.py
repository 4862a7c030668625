"""Sends that other requests prepare: the ledger is asked first, so that a send that was made is not an error."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tingting_async import DuplicateSendError, OutcomeUnknownError, SendState, TingTing, UsageError, ensure_sent
from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

WHEN = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(hours=2)
RUNS: dict[str, Callable[[Any, int], Any]] = {
    "preflight": lambda tingting, which: tingting.campaigns.run(which, preflight=True),
    "preflight, key": lambda tingting, which: tingting.campaigns.run(which, preflight=True, idempotency_key="k"),
    "preflight, message": lambda tingting, which: tingting.campaigns.run(which, preflight=True, message="नमस्ते"),
    "preflight, schedule": lambda tingting, which: tingting.campaigns.run(which, preflight=True, schedule=WHEN),
}


@pytest.fixture
def campaign(sandbox: Sandbox, campaigns: list[int]) -> int:
    """Return the id of a campaign whose preflight finds no problem."""
    made = sandbox.world.campaigns[campaigns[0]]
    made.voice, made.message = 3, "नमस्ते"
    return campaigns[0]


def runs(sandbox: Sandbox) -> int:
    """Return how often the sandbox has run a campaign."""
    return sum(effect.kind == "run" for effect in sandbox.side_effects)


@pytest.mark.parametrize("name", RUNS)
async def test_done(sandbox: Sandbox, connect: Any, campaign: int, name: str) -> None:
    """After a run that was confirmed, the ledger refuses the run, and `ensure_sent` returns None: no check fails."""
    async with connect() as tingting:
        await RUNS[name](tingting, campaign)
        assert await ensure_sent(lambda: RUNS[name](tingting, campaign)) is None
        with pytest.raises(DuplicateSendError) as caught:
            await RUNS[name](tingting, campaign)
        del sandbox.world.campaigns[campaign]
        with pytest.raises(DuplicateSendError):
            await RUNS[name](tingting, campaign)
    assert (SendState.DONE, 1) == (caught.value.send and caught.value.send.state, runs(sandbox))


@pytest.mark.parametrize("fault", ["reset", "reset_after"])
@pytest.mark.parametrize("name", RUNS)
async def test_unknown(sandbox: Sandbox, connect: Any, campaign: int, name: str, fault: str) -> None:
    """After a run whose response was lost, the ledger refuses the run, and `ensure_sent` reconciles."""
    async with connect() as tingting:
        with sandbox.faults.during([Fault(fault, method="POST", times=1)]), pytest.raises(OutcomeUnknownError):
            await RUNS[name](tingting, campaign)
        with pytest.raises(DuplicateSendError) as caught:
            await RUNS[name](tingting, campaign)
        result = await ensure_sent(lambda: RUNS[name](tingting, campaign), wait=0)
    assert (SendState.UNKNOWN, fault == "reset_after", 1) == (
        caught.value.send and caught.value.send.state,
        result is None,
        runs(sandbox),
    )


@pytest.mark.parametrize("name", RUNS)
async def test_in_progress(sandbox: Sandbox, connect: Any, campaign: int, name: str) -> None:
    """While another call runs the campaign, the ledger refuses the run, and `ensure_sent` waits for the other call."""
    stall = sandbox.faults.add(Fault("stall_after", method="POST", times=1))
    async with connect() as one, connect() as other:
        first = asyncio.create_task(RUNS[name](one, campaign))
        await stall.stalled.wait()
        with pytest.raises(DuplicateSendError) as caught:
            await RUNS[name](other, campaign)
        assert SendState.IN_PROGRESS is (caught.value.send and caught.value.send.state)
        second = asyncio.create_task(ensure_sent(lambda: RUNS[name](other, campaign)))
        stall.release()
        assert await first is not None
        assert await second is None
    assert 1 == runs(sandbox)


@pytest.mark.parametrize("name", RUNS)
async def test_run_meanwhile(sandbox: Sandbox, connect: Any, campaign: int, name: str) -> None:
    """If another call runs the campaign while this one prepares it, this one is refused as a duplicate."""
    async with connect() as one, connect() as other:
        stall = sandbox.faults.add(Fault("stall", method="GET", times=1))
        late = asyncio.create_task(RUNS[name](one, campaign))
        await stall.stalled.wait()
        await RUNS["preflight, key" if "key" in name else "preflight"](other, campaign)
        stall.release()
        with pytest.raises(DuplicateSendError):
            await late
    assert 1 == runs(sandbox)


async def test_problems_stay_errors(sandbox: Sandbox, connect: Any, campaign: int) -> None:
    """A problem that no run of the ledger explains is an error, with `ensure_sent` and without it."""
    sandbox.world.campaigns[campaign].message = ""
    async with connect() as tingting:
        with pytest.raises(UsageError, match="It has no message"):
            await tingting.campaigns.run(campaign, preflight=True)
        with pytest.raises(UsageError, match="It has no message"):
            await ensure_sent(lambda: tingting.campaigns.run(campaign, preflight=True))
    assert 0 == runs(sandbox)


@pytest.mark.parametrize("options", [{"check_tags": True}, {"schedule": WHEN}, {"check_tags": True, "schedule": WHEN}])
async def test_classic(sandbox: Sandbox, connect: Any, campaign: int, options: Any) -> None:
    """In the classic API, neither tags nor a schedule that has passed hide that the campaign was run."""
    async with connect(TingTing) as classic:
        await classic.campaigns.run(campaign, message="m", idempotency_key="k", **options)
        del sandbox.world.campaigns[campaign]
        if "schedule" in options:
            options = {**options, "schedule": WHEN - timedelta(days=1)}
        with pytest.raises(DuplicateSendError):
            await classic.campaigns.run(campaign, message="{none}", idempotency_key="k", **options)
        again = ensure_sent(lambda: classic.campaigns.run(campaign, message="m", idempotency_key="k", **options))
        assert await again is None
    assert 1 == runs(sandbox)
