"""A nightly job that can be killed at any point and started again: create campaigns, fill them, run them, each once."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import anyio

from tingting_async import PostgresLedger, SqliteLedger, ensure_sent
from tingting_async.v1 import TingTing


async def work(seed: int, job: dict[str, Any]) -> None:
    """Do the whole job, four campaigns at a time."""
    ledger = (SqliteLedger if job["kind"] == "sqlite" else PostgresLedger)(job["ledger"])
    campaigns = list(job["campaigns"])
    Random(seed).shuffle(campaigns)
    slots = anyio.CapacityLimiter(4)
    tomorrow = datetime.fromtimestamp(job["started"], UTC) + timedelta(days=1)
    async with ledger, TingTing(base_url=job["url"], api_token=job["token"], ledger=ledger, timeout=600) as tingting:

        async def send(key: str, name: str, numbers: list[str]) -> None:
            async with slots:
                campaign = await ensure_sent(
                    lambda: tingting.campaigns.create(
                        name, "PHONE", lines=[1], message=f"To {key}", schedule=tomorrow, idempotency_key=key
                    ),
                    timeout=600,
                    wait=0.5,
                )
                assert campaign is not None
                there = {contact.number async for contact in tingting.contacts.list(campaign.id)}
                if missing := [number for number in numbers if number not in there]:
                    await tingting.contacts.add_many(campaign.id, missing)
                await ensure_sent(
                    lambda: tingting.campaigns.run(campaign.id, idempotency_key=key), timeout=600, wait=0.5
                )

        async with anyio.create_task_group() as tasks:
            for each in campaigns:
                tasks.start_soon(send, *each)


if __name__ == "__main__":
    anyio.run(work, int(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()))
