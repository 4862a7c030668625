"""A worker that does a whole job, and can be killed at any point and started again. It writes the outcomes."""

import json
import sys
from pathlib import Path
from random import Random
from typing import Any

import anyio

from tingting_async import CampaignJob, PostgresLedger, RecipientList, SqliteLedger, TingTingError
from tingting_async.v1 import TingTing


async def work(seed: int, given: dict[str, Any]) -> None:
    """Do the job; as a queue would, try it again if it fails."""
    ledger = (SqliteLedger if given["kind"] == "sqlite" else PostgresLedger)(given["ledger"])
    random = Random(seed)
    async with ledger, TingTing(base_url=given["url"], api_token=given["token"], ledger=ledger) as tingting:
        for attempt in range(20):
            people = await RecipientList.read(given["file"])
            text, key = "{name}: {amount}", given["key"]
            job = CampaignJob(name=key, services="SMS", sms_message=text, recipients=people, idempotency_key=key)
            try:
                result = await job.run(tingting, wait=0.3, poll_interval=0.2, max_poll_interval=0.5)
            except TingTingError:
                if attempt == 19:
                    raise
                await anyio.sleep(random.uniform(0.1, 0.5))
            else:
                await result.write(given["outcomes"])
                return


if __name__ == "__main__":
    anyio.run(work, int(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()))
