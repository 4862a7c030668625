"""Type-checked, never run: the ledger, its sends, and acting on a duplicate."""

from datetime import UTC, datetime
from pathlib import Path
from typing import assert_type

from tingting_async import (
    Campaign,
    DuplicateSendError,
    Ledger,
    Reconciliation,
    RunStarted,
    Send,
    SendState,
    SqliteLedger,
    TingTing,
    ensure_sent,
)


async def ledger(path: Path) -> None:
    sends: Ledger = SqliteLedger(path)
    unresolved = await sends.unresolved()
    assert_type(unresolved, list[Send])
    for send in unresolved:
        assert_type(send.operation, str)
        assert_type(send.key, str | None)
        assert_type(send.state, SendState)
        assert_type(send.started_at, datetime)
        assert_type(await sends.mark_sent(send), None)
        assert_type(await sends.mark_sent(send, result=31), None)
        assert_type(await sends.mark_not_sent(send), None)
        assert_type(send.result, str | None)
    assert_type(await sends.prune(datetime(2030, 1, 1, tzinfo=UTC)), int)


async def duplicate(api_token: str) -> None:
    async with TingTing(api_token=api_token, ledger=SqliteLedger("sends.db")) as tingting:
        try:
            await tingting.campaigns.run(1, message="a", idempotency_key="monday")
        except DuplicateSendError as error:
            assert_type(error.send, Send | None)
            if error.send is not None and error.send.state is SendState.UNKNOWN:
                assert_type(await error.reconcile(), Reconciliation)


async def once(api_token: str) -> None:
    async with TingTing(api_token=api_token, ledger=SqliteLedger("sends.db")) as tingting:
        campaign = await tingting.campaigns.create("a", "PHONE", numbers=["9800000001"], idempotency_key="monday")
        assert_type(campaign, Campaign)
        started = await ensure_sent(lambda: tingting.campaigns.run(campaign.id, message="a"), timeout=60.0)
        assert_type(started, RunStarted | None)
