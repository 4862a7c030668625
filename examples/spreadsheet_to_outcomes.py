"""Text everybody in fees.csv once, and write what became of each row: on the sandbox, so nobody is texted."""

import tempfile
from pathlib import Path

import anyio

from tingting_async import CampaignJob, RecipientList, SqliteLedger
from tingting_async.sandbox import Sandbox
from tingting_async.v1 import TingTing


async def main() -> None:
    """Do the job. With the same ledger and file, it may be killed at any moment, and run again."""
    people = await RecipientList.read(Path(__file__).with_name("fees.csv"))
    job = CampaignJob(name="Fees", services="SMS", sms_message="{Name}: {Fee}", recipients=people, idempotency_key="f1")
    folder = tempfile.mkdtemp()
    ledger = SqliteLedger(f"{folder}/sends.sqlite")
    async with Sandbox() as box, TingTing(base_url=box.url, api_token=box.api_token, ledger=ledger) as tingting:
        result = await job.run(tingting, on_progress=print)
    print(result.summary(), await result.write(f"{folder}/outcomes.csv"), folder, sep="\n")


anyio.run(main)
