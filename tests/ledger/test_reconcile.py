"""What becomes of a send whose outcome is unknown: `reconcile()`, `mark_sent()` and `mark_not_sent()`."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tingting_async import DuplicateSendError, Ledger, OutcomeUnknownError, TingTing, UsageError, Verdict
from tingting_async.ledger.claims import Claim, Decision
from tingting_async.ledger.sqlite import SqliteLedger
from tingting_async.outcomes import SendState
from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

NUMBER = "9800000001"


def lost(sandbox: Sandbox, kind: str = "reset") -> Any:
    """Lose the next POST before the service carries it out, or, with `reset_after`, its response."""
    return sandbox.faults.during([Fault(kind, method="POST", times=1)])


@pytest.mark.parametrize("is_done", [True, False])
async def test_lost_response(
    sandbox: Sandbox, connect: Any, ledger: Ledger, campaigns: list[int], is_done: bool
) -> None:
    """After a lost response the same send is refused until `reconcile()` of either error has found the outcome."""
    verdict = Verdict.DONE if is_done else Verdict.NOT_DONE
    for nth, campaign in enumerate(campaigns[:2]):
        async with connect() as tingting:
            with lost(sandbox, "reset_after" if is_done else "reset"), pytest.raises(OutcomeUnknownError) as unknown:
                await tingting.campaigns.run(campaign)
            with pytest.raises(DuplicateSendError, match="It may have been sent") as refused:
                await tingting.campaigns.run(campaign)
            assert refused.value.send.state is SendState.UNKNOWN
            assert [send.target for send in await ledger.unresolved()] == [f"campaign {campaign}"]
            error = (unknown, refused)[nth].value
            assert (await error.reconcile(wait=0)).verdict is verdict
            assert await ledger.unresolved() == []
            if is_done:
                with pytest.raises(DuplicateSendError, match="as done"):
                    await tingting.campaigns.run(campaign)
            else:
                await tingting.campaigns.run(campaign)
            # A late verdict is about the first attempt, and changes no newer one.
            await error.reconcile(wait=0)
            with pytest.raises(UsageError, match="as done, which `send` does not show"):
                await ledger.mark_not_sent(refused.value.send)
            with pytest.raises(DuplicateSendError):
                await tingting.campaigns.run(campaign)
        assert sandbox.tally()["run", str(campaign)] == 1


@pytest.mark.parametrize("operation", ["campaigns", "surveys"])
@pytest.mark.parametrize("is_done", [True, False])
async def test_key_of_another_campaign(
    sandbox: Sandbox, connect: Any, campaigns: list[int], is_done: bool, operation: str
) -> None:
    """`reconcile()` looks at the campaign that was stored with the key, not at the one of the refused call."""
    one, other, *_ = campaigns
    sandbox.world.campaigns[other].status = "Running" if not is_done else "Not Started"
    async with connect() as tingting:
        run = getattr(tingting, operation).run
        with lost(sandbox, "reset_after" if is_done else "reset"), pytest.raises(OutcomeUnknownError):
            await run(one, idempotency_key="newsletter")
        with pytest.raises(DuplicateSendError, match=f"campaign {one}") as refused:
            await run(other, idempotency_key="newsletter")
        assert (refused.value.send.key, refused.value.send.target) == ("newsletter", f"campaign {one}")
        reconciliation = await refused.value.reconcile(wait=0)
        assert reconciliation.result.id == one
        assert reconciliation.verdict is (Verdict.DONE if is_done else Verdict.NOT_DONE)


async def test_job_that_creates_its_campaign_again(sandbox: Sandbox, connect: Any, campaigns: list[int]) -> None:
    """A job that is started again with another campaign runs it only if the first run did not happen."""
    one, other, *_ = campaigns
    async with connect() as tingting:
        with lost(sandbox), pytest.raises(OutcomeUnknownError):
            await tingting.campaigns.run(one, idempotency_key="newsletter")
        with pytest.raises(DuplicateSendError) as refused:
            await tingting.campaigns.run(other, idempotency_key="newsletter")
        assert (await refused.value.reconcile(wait=0)).verdict is Verdict.NOT_DONE
        await tingting.campaigns.run(other, idempotency_key="newsletter")
        with pytest.raises(DuplicateSendError):
            await tingting.campaigns.run(one, idempotency_key="newsletter")
    assert [sandbox.tally()["run", str(campaign)] for campaign in (one, other)] == [0, 1]


async def test_line_of_another_purchase(sandbox: Sandbox, connect: Any) -> None:
    """`reconcile()` of a purchase looks for the line that was stored with the key."""
    async with connect(TingTing) as classic:
        one, other, *_ = [line.sid async for line in classic.phone_numbers.for_sale()]
        with lost(sandbox, "reset_after"), pytest.raises(OutcomeUnknownError):
            await classic.phone_numbers.buy(one, idempotency_key="office")
        with pytest.raises(DuplicateSendError) as refused:
            await classic.phone_numbers.buy(other, idempotency_key="office")
        reconciliation = await refused.value.reconcile(wait=0)
        assert (reconciliation.verdict, reconciliation.result.sid) == (Verdict.DONE, one)


async def test_another_run_that_was_lost(sandbox: Sandbox, connect: Any, ledger: Ledger, campaigns: list[int]) -> None:
    """While a first run lasts, nothing shows whether a lost second run happened: the verdict is unknown."""
    one, other, *_ = campaigns
    async with connect() as tingting:
        for campaign, run in ((one, tingting.campaigns.run), (other, tingting.surveys.run)):
            await run(campaign)
            with lost(sandbox), pytest.raises(OutcomeUnknownError) as caught:
                await run(campaign, idempotency_key="second wave")
            reconciliation = await caught.value.reconcile(wait=0)
            assert reconciliation.verdict is Verdict.UNKNOWN
            assert "call the ledger's `mark_sent()`" in reconciliation.reason
        assert [(send.key, send.target) for send in await ledger.unresolved()] == [
            ("second wave", f"campaign {campaign}") for campaign in (one, other)
        ]


async def test_a_later_run(sandbox: Sandbox, connect: Any, campaigns: list[int]) -> None:
    """A run that was lost on its way is not taken for done because a later one, with another key, has begun."""
    one, other, *_ = campaigns
    async with connect() as tingting:
        for campaign, when in ((one, None), (other, datetime.now(UTC) + timedelta(days=1))):
            with lost(sandbox), pytest.raises(OutcomeUnknownError) as caught:
                await tingting.campaigns.run(campaign, idempotency_key=f"first wave of {campaign}")
            sandbox.clock.advance(2)
            await tingting.campaigns.run(campaign, idempotency_key=f"second wave of {campaign}", schedule=when)
            assert Verdict.UNKNOWN is (await caught.value.reconcile(wait=0)).verdict
            with pytest.raises(DuplicateSendError) as refused:
                await tingting.campaigns.run(campaign, idempotency_key=f"first wave of {campaign}")
            assert Verdict.UNKNOWN is (await refused.value.reconcile(wait=0)).verdict


async def test_a_check_that_is_cut_off(connect: Any, ledger_place: Any, campaigns: list[int]) -> None:
    """A check that was cancelled while a process that seems dead may still begin does not shorten the wait."""
    dead = ledger_place.open()
    async with connect() as tingting:
        service = tingting._core.base_url
        await dead._storage.claim(Claim("x", service, "campaigns.run", None, f"campaign {campaigns[0]}", ""))
        await dead._storage.aclose()
        with pytest.raises(DuplicateSendError) as refused:
            await tingting.campaigns.run(campaigns[0])
        for _ in range(2):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await refused.value.reconcile(wait=0)
        assert ["x"] == [send.id for send in await dead.unresolved()]
        await dead.aclose()


async def test_a_response_after_all(
    sandbox: Sandbox, connect: Any, send_otp: Any, ledger: Ledger, ledger_place: Any
) -> None:
    """If the response arrives after the claim was freed, the send is recorded as done, with the time of its start."""
    async with ledger, connect() as tingting:
        stall = sandbox.faults.add(Fault("stall", method="POST", times=1))
        slow = asyncio.create_task(send_otp(tingting, idempotency_key="sign-up"))
        await stall.stalled.wait()
        await asyncio.to_thread(ledger_place.end_owners)
        [send] = await ledger.unresolved()
        await ledger._storage.record(send.id, Decision(Verdict.NOT_DONE, send.state, has_waited=True))
        assert [] == await ledger._storage.sends()
        stall.release()
        await slow
        [again] = await ledger._storage.sends()
        assert (send.id, send.started_at, SendState.DONE) == (again.id, again.started_at, again.state)
        with pytest.raises(DuplicateSendError):
            await send_otp(tingting, idempotency_key="sign-up")
    assert 1 == sandbox.tally()["otp", NUMBER]


@pytest.mark.parametrize("is_pruned", [True, False])
async def test_a_send_that_was_forgotten_on_purpose(
    connect: Any, send_otp: Any, ledger: Ledger, posts: Any, is_pruned: bool
) -> None:
    """An old error that says "done" does not bring back a send that was pruned or marked as not sent."""
    async with ledger, connect() as tingting:
        await send_otp(tingting, idempotency_key="sign-up")
        with pytest.raises(DuplicateSendError) as refused:
            await send_otp(tingting, idempotency_key="sign-up")
        if is_pruned:
            await ledger.prune(datetime.now(UTC) + timedelta(seconds=1))
        else:
            await ledger.mark_not_sent(refused.value.send)
        assert Verdict.DONE is (await refused.value.reconcile(wait=0)).verdict
        await send_otp(tingting, idempotency_key="sign-up")
    assert 2 == posts()


async def test_a_person_is_right(sandbox: Sandbox, connect: Any, send_otp: Any, ledger: Ledger) -> None:
    """What a person marks as sent stays refused, even if a check has found meanwhile that it did not happen."""
    async with ledger, connect() as tingting:
        with lost(sandbox), pytest.raises(OutcomeUnknownError) as caught:
            await send_otp(tingting, idempotency_key="sign-up")
        [send] = await ledger.unresolved()
        assert Verdict.NOT_DONE is (await caught.value.reconcile(wait=0)).verdict
        await ledger.mark_sent(send)
        with pytest.raises(DuplicateSendError) as refused:
            await send_otp(tingting, idempotency_key="sign-up")
        assert SendState.DONE is refused.value.send.state
    assert 0 == sandbox.tally()["otp", NUMBER]


async def test_code_of_the_first_attempt(sandbox: Sandbox, connect: Any, send_otp: Any) -> None:
    """A code is looked for since the attempt that may have sent it, not since the refusal."""
    async with connect() as tingting:
        with lost(sandbox, "reset_after"), pytest.raises(OutcomeUnknownError):
            await send_otp(tingting, idempotency_key="sign-up")
        with pytest.raises(DuplicateSendError) as refused:
            await send_otp(tingting, idempotency_key="sign-up")
        assert refused.value.send.started_at < datetime.now(UTC)
        assert (await refused.value.reconcile(wait=0)).verdict is Verdict.DONE
    assert sandbox.tally()["otp", NUMBER] == 1


async def test_another_code(sandbox: Sandbox, connect: Any, send_otp: Any) -> None:
    """A second attempt with another code cannot look for the first code: it is unknown, and nothing is sent."""
    async with connect() as tingting:
        with lost(sandbox, "reset_after"), pytest.raises(OutcomeUnknownError):
            await send_otp(tingting, idempotency_key="sign-up", otp="123456")
        for _ in range(2):
            with pytest.raises(DuplicateSendError) as refused:
                await send_otp(tingting, idempotency_key="sign-up", otp="654321")
            assert (await refused.value.reconcile(wait=0)).verdict is Verdict.UNKNOWN
    assert sandbox.tally()["otp", NUMBER] == 1


async def test_person_decides(sandbox: Sandbox, connect: Any, ledger: Ledger, campaigns: list[int]) -> None:
    """If the service shows no evidence, a person calls `mark_sent()` or `mark_not_sent()`."""
    async with connect(TingTing) as classic:
        for campaign in campaigns[:2]:
            with lost(sandbox), pytest.raises(OutcomeUnknownError) as caught:
                await classic.campaigns.run(campaign, message="m")
            assert "Then call the ledger's `mark_sent()` or `mark_not_sent()`" in str(caught.value)
            assert "new `idempotency_key`" not in str(caught.value)  # The call had none.
            assert (await caught.value.reconcile(wait=0)).verdict is Verdict.UNKNOWN
        sent, not_sent = await ledger.unresolved()
        assert (sent.operation, sent.service) == ("campaigns.run", sandbox.url)
        await ledger.mark_sent(sent)
        await ledger.mark_not_sent(not_sent)
        assert await ledger.unresolved() == []
        with pytest.raises(DuplicateSendError, match="as done"):
            await classic.campaigns.run(campaigns[0], message="m")
        await classic.campaigns.run(campaigns[1], message="m")
        with pytest.raises(UsageError, match="as done, which `send` does not show"):  # There is another attempt.
            await ledger.mark_not_sent(not_sent)
        with pytest.raises(DuplicateSendError):
            await classic.campaigns.run(campaigns[1], message="m")


async def test_marked_while_another_caller_looks(
    sandbox: Sandbox, connect: Any, ledger: Ledger, campaigns: list[int]
) -> None:
    """A send that was marked as sent is not freed by those who saw it before that."""
    campaign = campaigns[0]
    async with connect() as tingting:
        with lost(sandbox), pytest.raises(OutcomeUnknownError):
            await tingting.campaigns.run(campaign)
        with pytest.raises(DuplicateSendError) as refused:
            await tingting.campaigns.run(campaign)
        [send] = await ledger.unresolved()
        await ledger.mark_sent(send)
        assert (await refused.value.reconcile(wait=0)).verdict is Verdict.NOT_DONE
        with pytest.raises(UsageError, match="as done, which `send` does not show"):
            await ledger.mark_not_sent(send)
        with pytest.raises(DuplicateSendError) as refused:
            await tingting.campaigns.run(campaign)
        assert refused.value.send.state is SendState.DONE
        await ledger.mark_not_sent(refused.value.send)  # This caller knows that it is recorded as done.
        await tingting.campaigns.run(campaign)
    assert sandbox.tally()["run", str(campaign)] == 1


async def test_send_of_another_ledger(
    sandbox: Sandbox, connect: Any, ledger: Ledger, path: Path, send_otp: Any
) -> None:
    """A send of another file changes nothing here, though it has the same key."""
    other_ledger = SqliteLedger(path.with_name("other"))
    async with connect(ledger=ledger) as one, connect(ledger=other_ledger) as other:
        for tingting in (one, other):
            with lost(sandbox, "reset_after"), pytest.raises(OutcomeUnknownError):
                await send_otp(tingting, idempotency_key="a")
        [here], [there] = await ledger.unresolved(), await other_ledger.unresolved()
        assert here.key == there.key
        with pytest.raises(UsageError, match="as unknown, which `send` does not show"):
            await ledger.mark_not_sent(there)
        assert await ledger.unresolved() == [here]
