"""One-time passwords."""

import re
from pathlib import Path
from typing import Any

import pytest
from support.v1 import connect

import tingting_async
from tingting_async import DuplicateSendError, OutcomeUnknownError, SqliteLedger, UsageError, Verdict, ensure_sent
from tingting_async.sandbox import Fault, Sandbox
from tingting_async.v1 import OtpChannel, TingTing

pytestmark = pytest.mark.anyio


async def test_send_by_sms() -> None:
    """A code of the caller's own is sent as it is given, zeros included."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        sent = await tingting.otp.send("9800000001", "{otp}", channel="text", otp="0042", company_name="prixa")
        assert ("0042", "prixa") == (sent.otp, sent.company_name)


async def test_send_by_call() -> None:
    """A code that the service generates has the length that is given."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        voice = await tingting.voices.list().first()
        sent = await tingting.otp.send("9800000002", "{otp}", channel=OtpChannel.VOICE, voice=voice, length=4)
        assert 4 == len(str(sent.otp))


async def test_list() -> None:
    """The codes that were sent are listed, newest first."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        for number, code in (("9800000001", "0042"), ("9800000002", "1234")):
            await tingting.otp.send(number, "{otp}", channel="text", otp=code)
        codes = [(each.number, each.otp) async for each in tingting.otp.list()]
        assert [("9800000002", "1234"), ("9800000001", "0042")] == codes


@pytest.mark.parametrize("arguments", [{"channel": "voice"}, {"channel": "text", "voice": "np_rija"}])
async def test_a_voice_is_for_calls(arguments: dict[str, Any]) -> None:
    """A voice is required for a call, and refused for an SMS."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        with pytest.raises(UsageError, match="`voice`"):
            await tingting.otp.send("9800000001", "{otp}", **arguments)
        assert [] == sandbox.requests


async def test_code_that_the_service_chose() -> None:
    """If the service chose the code and the response is lost, the error says what a person can do, and no more."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        with sandbox.faults.during([Fault("reset_after", method="POST", times=2)]):
            with pytest.raises(OutcomeUnknownError) as chosen:
                await tingting.otp.send("9800000001", "{otp}", channel="text")
            with pytest.raises(OutcomeUnknownError) as own:
                await tingting.otp.send("9800000001", "{otp}", channel="text", otp="0042")
        reconciliation = await chosen.value.reconcile()
    advice = "To find out, ask the person whether it arrived, or look in otp.list() for a row with this number and "
    advice += "time: the service chose the code, so `reconcile()` cannot recognise it."
    assert str(chosen.value).endswith(advice)
    said = "The service shows no proof of what became of otp.send. "
    assert (Verdict.UNKNOWN, said + advice) == (reconciliation.verdict, reconciliation.reason)
    assert str(own.value).endswith("look for it in otp.list(). This error's `reconcile()` does that.")


@pytest.mark.parametrize("kind", [TingTing, tingting_async.TingTing])
async def test_code_that_the_service_chose_with_a_ledger(tmp_path: Path, kind: Any) -> None:
    """With a ledger, the error says how to record what a person found out, and that a new key is another send."""
    async with Sandbox() as sandbox, SqliteLedger(tmp_path / "ledger") as ledger:
        async with kind(base_url=sandbox.url, api_token=sandbox.api_token, ledger=ledger) as tingting:

            async def send() -> Any:
                return await tingting.otp.send("9800000001", "{otp}", channel="text", idempotency_key="a")

            with sandbox.faults.during([Fault("reset_after", method="POST", times=1)]):
                with pytest.raises(OutcomeUnknownError, match=r"To find out, ask the person") as lost:
                    await send()
            with pytest.raises(DuplicateSendError, match=r"It may have been sent: call .*find out yourself\.") as again:
                await send()
            for caught in (lost, again):
                advice = "Then call the ledger's `mark_sent()` or `mark_not_sent()` with this error's `send`. Only "
                advice += "`mark_not_sent()` allows the same send again. A new `idempotency_key` makes another send."
                assert str(caught.value).endswith(f" {advice}")
                assert caught.value.send is not None
            await ledger.mark_not_sent(again.value.send)
            await send()
        assert 2 == sandbox.tally()["otp", "9800000001"]


async def test_ensure_sent_of_a_code_that_the_service_chose(tmp_path: Path) -> None:
    """`ensure_sent` does not send such a code again, and says what a person can do and how to record it."""
    async with Sandbox() as sandbox, SqliteLedger(tmp_path / "ledger") as ledger:
        async with connect(sandbox, ledger=ledger) as tingting:
            with sandbox.faults.during([Fault("reset_after", method="POST", times=1)]):
                with pytest.raises(OutcomeUnknownError, match=r"ask the person.*`mark_sent\(\)`") as caught:
                    await ensure_sent(
                        lambda: tingting.otp.send("9800000001", "{otp}", channel="text", idempotency_key="a")
                    )
    assert "cannot recognise it." in str(caught.value)


async def test_clocks_that_drift_apart() -> None:
    """If a clock was set since the send, or runs faster, the reason says by how much the clocks differ."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        await tingting.campaigns.list().first()  # Its response shows the service's time.
        with sandbox.faults.during([Fault("reset_after", method="POST", times=1)]):
            with pytest.raises(OutcomeUnknownError) as caught:
                await tingting.otp.send("9800000001", "{otp}", channel="text", otp="0042")
        sandbox.clock.advance(3600)
        reconciliation = await caught.value.reconcile(wait=0)
    assert Verdict.UNKNOWN is reconciliation.verdict
    said = (
        r"do not show that .* after the send\. Since the send, (3,600|3,599|3,601) s more have passed by the service's "
    )
    assert re.search(said + r"clock than by this machine's\.", reconciliation.reason)


async def test_no_evidence() -> None:
    """If the service shows no evidence of an operation, `reconcile()` says what a person can do."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        campaign = await tingting.campaigns.create("A", "PHONE", message="m")
        await tingting.contacts.add(campaign.id, "9800000001")
        contact = await tingting.contacts.list(campaign.id).first()
        assert contact is not None
        with sandbox.faults.during([Fault("reset_after", method="POST", times=1)]):
            with pytest.raises(OutcomeUnknownError) as caught:
                await tingting.contacts.demo_call(contact.id)
        reconciliation = await caught.value.reconcile()
    said = "The service shows no proof of what became of contacts.demo_call. To find out, ask the person whether the "
    assert f"{said}phone rang." == reconciliation.reason
