"""A worker that can be killed at any point and started again. It runs campaigns and sends codes, each once."""

import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import anyio

from tingting_async import ensure_sent
from tingting_async.ledger.sqlite import SqliteLedger
from tingting_async.v1 import TingTing


async def work(seed: int, job: dict[str, Any]) -> None:
    """Do the whole job, eight sends at a time."""
    async with TingTing(
        base_url=job["url"], api_token=job["token"], ledger=SqliteLedger(job["ledger"]), timeout=600
    ) as tingting:
        sends: list[Callable[[], Awaitable[object]]] = [
            *(lambda campaign=campaign: tingting.campaigns.run(campaign) for campaign in job["campaigns"]),
            *(
                lambda number=number, code=code: tingting.otp.send(
                    number, "Your code is {otp}", channel="text", otp=code, idempotency_key=f"sign-up {number}"
                )
                for number, code in job["codes"]
            ),
        ]
        Random(seed).shuffle(sends)
        slots = anyio.CapacityLimiter(8)

        async def one(send: Callable[[], Awaitable[object]]) -> None:
            async with slots:
                await ensure_sent(send, wait=0.5)

        async with anyio.create_task_group() as tasks:
            for send in sends:
                tasks.start_soon(one, send)


if __name__ == "__main__":
    anyio.run(work, int(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()))
