"""What a person marks: a mark is recorded, or refused with an error that says what the ledger records."""

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from tingting_async import DuplicateSendError, OutcomeUnknownError, SendState, UsageError, Verdict
from tingting_async.sandbox import Fault, Sandbox
from tingting_async.v1 import Campaign

pytestmark = pytest.mark.anyio


def create(tingting: Any, **options: Any) -> Any:
    """Create a campaign with a key."""
    return tingting.campaigns.create("Dashain", "PHONE", idempotency_key="k", **options)


async def lose(sandbox: Sandbox, call: Any, ledger: Any) -> Any:
    """Lose the request of a call, and return what the ledger records of it."""
    with sandbox.faults.during([Fault("reset", method="POST", times=1)]), pytest.raises(OutcomeUnknownError):
        await call()
    [send] = await ledger.unresolved()
    return send


@pytest.mark.parametrize(
    "result",
    [True, "", "abc", "-5", " 3", "3 4", "\u0967", [1], 1.5, -5, 10**5000, Campaign(id=3, name="Sita")],
    ids=range(12),
)
async def test_a_result_that_is_no_id(sandbox: Sandbox, connect: Any, ledger: Any, result: Any) -> None:
    """A creation is not marked with a result that is not an id; its key can still be marked with the right one."""
    async with ledger, connect() as tingting:
        campaign = (await tingting.campaigns.create("Dashain", "PHONE")).id
        send = await lose(sandbox, lambda: create(tingting, timeout=1), ledger)
        with pytest.raises(UsageError, match=r"mark_sent: nothing was recorded.*`result` is .*must be") as caught:
            await ledger.mark_sent(send, result=result)
        assert "Sita" not in str(caught.value)
        assert [send] == await ledger.unresolved()
        await ledger.mark_sent(send, result=campaign)
        assert campaign == (await create(tingting)).id


async def test_a_result_of_an_older_version(sandbox: Sandbox, connect: Any, ledger: Any) -> None:
    """A recorded result that is not an id raises an error that says how to record the id."""
    async with ledger, connect() as tingting:
        campaign = (await tingting.campaigns.create("Dashain", "PHONE")).id
        send = await lose(sandbox, lambda: create(tingting, timeout=1), ledger)
        await ledger.mark_sent(send)
        [done] = await ledger._storage.sends()
        await ledger._record(done, Verdict.DONE, "<Campaign 3>")
        with pytest.raises(
            UsageError, match=r"not the id of what was created\. .*mark_sent\(send, result=…\)"
        ) as caught:
            await create(tingting)
        cause = caught.value.__cause__
        assert isinstance(cause, DuplicateSendError)
        await ledger.mark_sent(cause.send, result=str(campaign))
        assert campaign == (await create(tingting)).id


async def test_another_mark(sandbox: Sandbox, connect: Any, ledger: Any) -> None:
    """A second mark that says something else is refused with what the ledger records, which can then be corrected."""
    async with ledger, connect() as tingting:
        wrong, right = [(await tingting.campaigns.create("Dashain", "PHONE")).id for _ in range(2)]
        send = await lose(sandbox, lambda: create(tingting, timeout=1), ledger)
        await ledger.mark_sent(send, result=wrong)
        for mark in (lambda: ledger.mark_sent(send, result=right), lambda: ledger.mark_not_sent(send)):
            with pytest.raises(UsageError, match=f"the key 'k'.* as done with the result '{wrong}'") as caught:
                await mark()
        assert wrong == (await create(tingting)).id
        cause = caught.value.__cause__
        assert isinstance(cause, DuplicateSendError)
        await ledger.mark_sent(cause.send, result=right)
        assert right == (await create(tingting)).id
        await ledger.mark_not_sent(cause.send)
        assert (await create(tingting)).id not in (wrong, right)


async def test_the_same_mark_again(sandbox: Sandbox, connect: Any, ledger: Any) -> None:
    """The same mark again changes nothing, and raises nothing."""
    async with ledger, connect() as tingting:
        send = await lose(sandbox, lambda: create(tingting, timeout=1), ledger)
        for result in (7, "7", None):
            await ledger.mark_sent(send, result=result)
        [done] = await ledger._storage.sends()
        assert (SendState.DONE, "7") == (done.state, done.result)
        for _ in range(2):
            await ledger.mark_not_sent(done)
        assert [] == await ledger._storage.sends()


@pytest.mark.parametrize("key", ["k", None])
async def test_a_send_that_is_not_there(
    sandbox: Sandbox, connect: Any, ledger: Any, send_otp: Any, key: str | None
) -> None:
    """After a mark as not sent, a mark as sent is recorded, unless no later send could be refused because of it."""
    async with ledger, connect() as tingting:
        send = await lose(sandbox, lambda: send_otp(tingting, idempotency_key=key), ledger)
        await ledger.mark_not_sent(send)
        if key is None:
            with pytest.raises(UsageError, match=r"mark_sent: nothing was recorded.*does not have this send"):
                await ledger.mark_sent(send)
            assert [] == await ledger._storage.sends()
        else:
            await ledger.mark_sent(send)
            with pytest.raises(DuplicateSendError, match="as done"):
                await send_otp(tingting, idempotency_key=key)


async def test_a_later_attempt(sandbox: Sandbox, connect: Any, ledger: Any, send_otp: Any) -> None:
    """A mark of an earlier attempt is refused if the record of a later one differs, and changes nothing if not."""
    async with ledger, connect() as tingting:
        first = await lose(sandbox, lambda: send_otp(tingting, idempotency_key="k"), ledger)
        await ledger.mark_not_sent(first)
        second = await lose(sandbox, lambda: send_otp(tingting, idempotency_key="k"), ledger)
        for mark in (ledger.mark_sent, ledger.mark_not_sent):
            with pytest.raises(UsageError, match=r"otp\.send \(the key 'k'\) as unknown") as caught:
                await mark(first)
            cause = caught.value.__cause__
            assert isinstance(cause, DuplicateSendError)
            assert second == cause.send
        await ledger.mark_sent(second)
        await ledger.mark_sent(first)
        assert 1 == await ledger.prune(datetime.now(UTC) + timedelta(days=1))
        await ledger.mark_not_sent(attrs.evolve(second, state=SendState.DONE))
        await send_otp(tingting, idempotency_key="k")
