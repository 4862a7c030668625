"""Closing a session ends every wait between two requests of an operation, at once and with SessionClosedError."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tingting_async import (
    DuplicateSendError,
    OutcomeUnknownError,
    SessionClosedError,
    SqliteLedger,
    TingTing as Classic,
)
from tingting_async.outcomes import Reconcilable
from tingting_async.sandbox import Fault, Sandbox
from tingting_async.v1 import TingTing

pytestmark = pytest.mark.anyio

NUMBER, CODE = "9800000009", "482917"
FOR_EVER = 1e9

Call = Callable[[Any, int], Awaitable[Any]]
REQUESTS: dict[str, tuple[Any, Call]] = {
    "contacts.add": (TingTing, lambda to, on: to.contacts.add(on, NUMBER)),
    "campaigns.create": (TingTing, lambda to, _: to.campaigns.create("Of no other", "PHONE")),
    "campaigns.run": (TingTing, lambda to, on: to.campaigns.run(on)),
    "campaigns.run, prepared": (TingTing, lambda to, on: to.campaigns.run(on, message="m", sms_message="m")),
    "otp.send": (
        TingTing,
        lambda to, _: to.otp.send(NUMBER, "{otp}", channel="text", otp=CODE, idempotency_key="key"),
    ),
    "classic campaigns.create": (Classic, lambda to, _: to.campaigns.create("Of no other", "SMS", numbers=[NUMBER])),
    "classic numbers.add": (Classic, lambda to, on: to.numbers.add(on, NUMBER)),
    "classic phone_numbers.buy": (Classic, lambda to, _: to.phone_numbers.buy("PN-of-no-other")),
}
"""Requests whose outcome `reconcile()` looks up, in two checks if the first one finds nothing."""


def connect(kind: Any, sandbox: Sandbox, folder: Path) -> Any:
    """Return a session with a ledger."""
    return kind(base_url=sandbox.url, api_token=sandbox.api_token, ledger=SqliteLedger(folder / "ledger.sqlite"))


async def close_during(call: Coroutine[Any, Any, Any], tingting: Any) -> BaseException | None:
    """Start a call, close the session when the call waits for a very long time, and return the call's error."""
    loop: Any = asyncio.get_running_loop()
    task = asyncio.create_task(call)
    while not any(timer.when() > loop.time() + FOR_EVER / 2 for timer in loop._scheduled):
        assert not task.done()
        await asyncio.sleep(0.001)
    await tingting.aclose()
    done, _ = await asyncio.wait([task], timeout=10)
    task.cancel()
    await asyncio.wait([task])
    return task.exception() if done else None


async def lose(tingting: Any, sandbox: Sandbox, call: Call, campaign_id: int) -> Reconcilable:
    """Make a call whose request is lost before it is carried out, and return its error."""
    with sandbox.faults.during([Fault("reset", method="POST", times=1)]):
        with pytest.raises(OutcomeUnknownError) as caught:
            await call(tingting, campaign_id)
    return caught.value


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("again", [False, True])
async def test_reconcile(tmp_path: Path, name: str, again: bool) -> None:
    """Closing ends the wait between the two checks of `reconcile()`, also if the ledger refused the send."""
    kind, call = REQUESTS[name]
    async with Sandbox(campaigns=1, numbers=2) as sandbox, connect(kind, sandbox, tmp_path) as tingting:
        (campaign_id,) = sandbox.world.campaigns
        error: Any = await lose(tingting, sandbox, call, campaign_id)
        if again:
            try:
                with sandbox.faults.during([Fault("reset", method="POST", times=1)]):
                    await call(tingting, campaign_id)
            except (DuplicateSendError, OutcomeUnknownError) as refused:
                error = refused
        ended = await close_during(error.reconcile(wait=FOR_EVER), tingting)
        assert SessionClosedError is type(ended)
        operation = name.partition(",")[0].removeprefix("classic ")
        assert f"{operation}: the session was closed during the call." == str(ended)


async def test_watching(tmp_path: Path) -> None:
    """Closing ends `campaigns.wait` and `campaigns.progress` between two polls."""

    async def watch(tingting: TingTing) -> None:
        async for _ in tingting.campaigns.progress(campaign_id, **pace):
            pass

    pace = {"poll_interval": FOR_EVER, "max_poll_interval": FOR_EVER}
    async with Sandbox(campaigns=1) as sandbox:
        (campaign_id,) = sandbox.world.campaigns
        for call in (watch, lambda tingting: tingting.campaigns.wait(campaign_id, timeout=FOR_EVER, **pace)):
            async with connect(TingTing, sandbox, tmp_path) as tingting:
                ended = await close_during(call(tingting), tingting)
            assert SessionClosedError is type(ended)


async def test_reconcile_after_closing(tmp_path: Path) -> None:
    """`reconcile()` of a closed session raises SessionClosedError, and does not wait."""
    kind, call = REQUESTS["contacts.add"]
    async with Sandbox(campaigns=1, numbers=2) as sandbox:
        async with connect(kind, sandbox, tmp_path) as tingting:
            error: Any = await lose(tingting, sandbox, call, next(iter(sandbox.world.campaigns)))
        with pytest.raises(SessionClosedError):
            await error.reconcile(wait=FOR_EVER)
