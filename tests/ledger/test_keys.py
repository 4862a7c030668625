"""Which sends are the same, by their key or by their target."""

from typing import Any

import pytest

import tingting_async.v1
from tingting_async import DuplicateSendError, Ledger, TingTing, UsageError, Verdict
from tingting_async.ledger.claims import MAX_KEY_LENGTH
from tingting_async.outcomes import SendState
from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

NUMBER = "9800000001"


async def test_campaign_runs_once(
    sandbox: Sandbox, connect: Any, ledger: Ledger, campaigns: list[int], posts: Any
) -> None:
    """A campaign that was run is refused in every session, operation and generation, and nothing is sent."""
    campaign = campaigns[0]
    async with connect() as tingting:
        await tingting.campaigns.run(campaign)
    async with connect() as tingting, connect(TingTing) as classic:
        for run in (
            tingting.campaigns.run(campaign),
            classic.campaigns.run(campaign, message="m"),
            tingting.surveys.run(campaign),
        ):
            with pytest.raises(DuplicateSendError, match=f"the target 'campaign {campaign}' as done") as caught:
                await run
            send = caught.value.send
            assert (send.key, send.target, send.state) == (None, f"campaign {campaign}", SendState.DONE)
            assert (await caught.value.reconcile(wait=0)).verdict is Verdict.DONE
        assert await ledger.unresolved() == []
    assert posts() == 1


async def test_survey_runs_once(sandbox: Sandbox, connect: Any, campaigns: list[int], posts: Any) -> None:
    """A survey that was run is refused as a campaign: its contacts would be called a second time."""
    async with connect() as tingting:
        await tingting.surveys.run(campaigns[0])
        with pytest.raises(DuplicateSendError, match=rf"{campaigns[0]}' as done \(surveys\.run,"):
            await tingting.campaigns.run(campaigns[0])
    assert posts() == 1


async def test_refused_before_it_is_changed(sandbox: Sandbox, connect: Any, campaigns: list[int]) -> None:
    """A campaign that was run is refused before its message is changed for the run."""
    async with connect() as tingting:
        await tingting.campaigns.run(campaigns[0], message="one")
        with pytest.raises(DuplicateSendError) as caught:
            await tingting.campaigns.run(campaigns[0], message="two")
        assert (await caught.value.reconcile(wait=0)).verdict is Verdict.DONE
    assert sandbox.world.campaigns[campaigns[0]].message == "one"


@pytest.mark.parametrize("kind", [TingTing, tingting_async.v1.TingTing])
async def test_given_key_counts_for_every_campaign(
    sandbox: Sandbox, connect: Any, campaigns: list[int], posts: Any, kind: Any
) -> None:
    """A key that was given for a run is refused for every campaign, in both generations."""
    one, other, *_ = campaigns
    async with connect(kind) as tingting, connect(tingting_async.v1.TingTing) as v1, connect(TingTing) as classic:
        run = {"message": "m"} if kind is TingTing else {}
        await tingting.campaigns.run(one, idempotency_key="newsletter", **run)
        for again in (
            v1.campaigns.run(one, idempotency_key="newsletter"),
            v1.campaigns.run(other, idempotency_key="newsletter"),
            v1.campaigns.run(other, message="m", idempotency_key="newsletter"),
            classic.campaigns.run(other, message="m", idempotency_key="newsletter"),
        ):
            with pytest.raises(
                DuplicateSendError, match=rf"key 'newsletter' as done \(campaigns\.run, campaign {one},"
            ):
                await again
    assert posts() == 1


async def test_given_key_of_another_operation(
    sandbox: Sandbox, connect: Any, campaigns: list[int], send_otp: Any, posts: Any
) -> None:
    """The same key for another operation is another send."""
    async with connect() as tingting:
        await tingting.campaigns.run(campaigns[0], idempotency_key="a")
        await tingting.surveys.run(campaigns[1], idempotency_key="a")
        await send_otp(tingting, idempotency_key="a")
    assert posts() == 3


async def test_given_key_of_another_operation_on_the_same_campaign(
    sandbox: Sandbox, connect: Any, campaigns: list[int], posts: Any
) -> None:
    """The same key for the same campaign is refused as a survey too: its contacts would be called a second time."""
    async with connect() as tingting:
        await tingting.campaigns.run(campaigns[0], idempotency_key="a")
        with pytest.raises(DuplicateSendError, match=r"the key 'a' as done \(campaigns\.run"):
            await tingting.surveys.run(campaigns[0], idempotency_key="a")
    assert posts() == 1


async def test_given_key_that_looks_like_a_target(
    sandbox: Sandbox, connect: Any, ledger: Ledger, campaigns: list[int]
) -> None:
    """A given key with the text of a target, old or new, is not that target."""
    one, other, *_ = campaigns
    keys = [f"campaign {one}", f"campaign {other}", f"campaign {one}: a", "campaigns.run: a"]
    async with connect() as tingting:
        for campaign, key in zip(campaigns[2:], keys, strict=False):
            await tingting.campaigns.run(campaign, idempotency_key=key)
        await tingting.campaigns.run(one)
        await tingting.campaigns.run(other, idempotency_key="a")
        with pytest.raises(DuplicateSendError):
            await tingting.campaigns.run(one)
    assert [sandbox.tally()["run", str(campaign)] for campaign in campaigns] == [1] * len(campaigns)


async def test_another_run_on_purpose(sandbox: Sandbox, connect: Any, campaigns: list[int]) -> None:
    """A campaign that was run may be run again, once for each new key."""
    campaign = campaigns[0]
    async with connect(TingTing) as classic:
        await classic.campaigns.run(campaign, message="m")
        sandbox.world.campaigns[campaign].status = "Completed"
        await classic.campaigns.run(campaign, message="m", idempotency_key="again")
        with pytest.raises(DuplicateSendError, match=f"the key 'again' as done .*campaign {campaign},"):
            await classic.campaigns.run(campaign, message="m", idempotency_key="again")
    assert sandbox.tally()["run", str(campaign)] == 2


@pytest.mark.parametrize("kind", [TingTing, tingting_async.v1.TingTing])
async def test_codes(sandbox: Sandbox, connect: Any, kind: Any, send_otp: Any) -> None:
    """A code with a key is sent once; a code without a key is sent every time."""
    async with connect(kind) as tingting:
        await send_otp(tingting, idempotency_key="sign-up 7")
        with pytest.raises(DuplicateSendError, match=r"the key 'sign-up 7' as done \(otp\.send, 2"):
            await send_otp(tingting, idempotency_key="sign-up 7", otp="654321")
        await send_otp(tingting)
        await send_otp(tingting)
    assert sandbox.tally()["otp", NUMBER] == 3


async def test_calls_and_purchases(sandbox: Sandbox, connect: Any, campaigns: list[int], posts: Any) -> None:
    """A demo call and a survey's test call are made once for each key; a line is bought once."""
    contact = sandbox.world.campaigns[campaigns[0]].contacts[0].id
    async with connect() as tingting, connect(TingTing) as classic:
        sid = (await classic.phone_numbers.for_sale().first()).sid
        for send in (
            lambda: tingting.contacts.demo_call(contact, idempotency_key="a"),
            lambda: tingting.surveys.test_call(contact, idempotency_key="a"),
            lambda: classic.phone_numbers.buy(sid),
        ):
            await send()
            with pytest.raises(DuplicateSendError):
                await send()
    assert posts() == 3


@pytest.mark.parametrize("key", ["", "  ", " a", "a ", "a\nb", "x" * (MAX_KEY_LENGTH + 1), 5])
async def test_invalid_keys(connect: Any, key: Any, send_otp: Any, posts: Any) -> None:
    """A key must be a string on one line, of limited length."""
    async with connect() as tingting:
        with pytest.raises(UsageError, match="`idempotency_key`"):
            await send_otp(tingting, idempotency_key=key)
    assert posts() == 0


async def test_keys_in_two_unicode_forms(sandbox: Sandbox, connect: Any, send_otp: Any, posts: Any) -> None:
    """A key is the same whether its characters are composed or not."""
    async with connect() as tingting:
        await send_otp(tingting, idempotency_key="sign-up of Jos\u00e9")
        with pytest.raises(DuplicateSendError):
            await send_otp(tingting, idempotency_key="sign-up of Jose\u0301")
    assert posts() == 1


async def test_key_without_a_ledger(sandbox: Sandbox, connect: Any, campaigns: list[int], send_otp: Any) -> None:
    """A key without a ledger is refused, and nothing is sent."""
    async with connect(ledger=None) as tingting:
        with pytest.raises(UsageError, match="ledger"):
            await send_otp(tingting, idempotency_key="a")
        with pytest.raises(UsageError, match="ledger"):
            await tingting.campaigns.run(campaigns[0], message="m", idempotency_key="a")
    assert sandbox.requests == []


async def test_another_service(connect: Any, sandbox: Sandbox, send_otp: Any) -> None:
    """The same key at another address is another send."""
    async with connect() as tingting, Sandbox() as other:
        await send_otp(tingting, idempotency_key="a")
        async with connect(base_url=other.url, api_token=other.api_token) as elsewhere:
            await send_otp(elsewhere, idempotency_key="a")
    assert other.tally()["otp", NUMBER] == 1
