"""Operations of the classic API whose response is lost or inconclusive: nothing is done twice."""

from collections.abc import Awaitable, Callable

import pytest
from support.classic import connect, count_effects, first_campaign

from tingting_async import OutcomeUnknownError, TingTing
from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


async def run(tingting: TingTing) -> object:
    """Run the first campaign."""
    return await tingting.campaigns.run((await first_campaign(tingting)).id, message="hi")


async def send_otp(tingting: TingTing) -> object:
    """Text a one-time password."""
    return await tingting.otp.send("9800000001", "{otp}", channel="text", otp="123456")


async def buy(tingting: TingTing) -> object:
    """Buy the first line for sale."""
    line = await tingting.phone_numbers.for_sale().first()
    assert line is not None
    return await tingting.phone_numbers.buy(line.sid)


async def add(tingting: TingTing) -> object:
    """Add a number to the first campaign."""
    return await tingting.numbers.add((await first_campaign(tingting)).id, "9800000001")


Operation = Callable[[TingTing], Awaitable[object]]
SENDS: list[tuple[str, str, Operation]] = [
    ("campaigns.run", "run", run),
    ("otp.send", "otp", send_otp),
    ("phone_numbers.buy", "purchase", buy),
]


@pytest.mark.parametrize("kind", ["reset_after", "gateway_timeout", "truncate", "html", "empty"])
@pytest.mark.parametrize(("operation", "effect", "call"), SENDS)
async def test_sent_once(operation: str, effect: str, call: Operation, kind: str) -> None:
    """However its response is lost, a send is requested once, and its outcome is unknown."""
    async with Sandbox(campaigns=1, numbers=2) as sandbox, connect(sandbox) as tingting:
        sandbox.faults.add(Fault(method="POST", kind=kind))
        with pytest.raises(OutcomeUnknownError, match="To find out") as caught:
            await call(tingting)
        assert operation == caught.value.operation
        assert sum(received.method == "POST" for received in sandbox.requests) == 1
        assert count_effects(sandbox, effect) <= 1


async def test_creation() -> None:
    """A campaign whose creation was not confirmed is not created again."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        sandbox.faults.add(Fault(method="POST", kind="reset_after"))
        with pytest.raises(OutcomeUnknownError, match=r"campaigns\.list"):
            await tingting.campaigns.create("Once", "PHONE", numbers=["9800000001"])
        assert [campaign.name async for campaign in tingting.campaigns.list()] == ["Once"]


async def test_deletion() -> None:
    """A deletion whose response was lost is retried, and the 404 of the retry counts as success."""
    async with Sandbox(campaigns=1) as sandbox, connect(sandbox) as tingting:
        campaign = await first_campaign(tingting)
        sandbox.faults.add(Fault(method="DELETE", kind="reset_after", times=1))
        assert (await tingting.campaigns.delete(campaign.id)).text == "Already gone."
        assert sum(received.method == "DELETE" for received in sandbox.requests) == 2


UNCLEAR = [b"{}", b'{"detail": "Not found."}', b'{"success": null, "message": "x"}', b'{"status": "ok"}']


@pytest.mark.parametrize("body", UNCLEAR)
@pytest.mark.parametrize("call", [run, add])
async def test_inconclusive_response(call: Operation, body: bytes) -> None:
    """A run or an addition is of unknown outcome if the response says neither that it was done nor that it was not."""
    async with Sandbox(campaigns=1, numbers=1) as sandbox, connect(sandbox) as tingting:
        sandbox.faults.add(Fault(method="POST", kind="status", status=200, body=body))
        with pytest.raises(OutcomeUnknownError):
            await call(tingting)


async def test_loose_confirmation() -> None:
    """A confirmation counts even if its undocumented parts have another form: that it was done must not be lost."""
    body = b'{"status": 200, "success": true, "message": ["Campaign", "is running"], "errors": {}, "data": []}'
    async with Sandbox(campaigns=1, numbers=1) as sandbox, connect(sandbox) as tingting:
        campaign = await first_campaign(tingting)
        sandbox.faults.add(Fault(method="POST", kind="status", status=200, body=body))
        started = await tingting.campaigns.run(campaign.id, message="hi")
        assert (started.text, started.errors, started.data) == ("Campaign; is running", (), {})
