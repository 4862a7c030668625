"""A job of a fleet: text everybody in a file once, and save the report. It may be killed and run again anywhere.

`procrastinate_fleet.py` and `taskiq_fleet.py` run it in queues. Run alone, it shows one job, on the sandbox, so nobody
is texted.
"""

import csv
import tempfile
from pathlib import Path

import anyio

from tingting_async import SqliteLedger, ensure_sent
from tingting_async.v1 import NewContact, Services, TingTing


async def text_everybody(tingting: TingTing, source: Path) -> Path:
    """Create a campaign, fill it, run it, follow it and save its report. Each step is done once for the file's name."""
    key, report = source.stem, source.with_suffix(".report.csv")
    with source.open(newline="", encoding="utf-8") as file:
        people = [NewContact(row["number"], {"name": row["name"]}) for row in csv.DictReader(file)]
    campaign = await tingting.campaigns.create(
        key, Services.SMS, sms_message="{name}, your bill is ready.", idempotency_key=key
    )
    await tingting.contacts.add_many(campaign.id, people, idempotency_key=key)
    await ensure_sent(lambda: tingting.campaigns.run(campaign.id, idempotency_key=key))
    await tingting.campaigns.wait(campaign.id)
    await tingting.reports.download(campaign.id, report)
    return report


async def main() -> None:
    """Run one job twice: the second run finds that everything is done."""
    from tingting_async.sandbox import Sandbox  # noqa: PLC0415 - not for the workers that import this module

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "bills.csv"
        source.write_text("number,name\n9800000001,Sita\n9800000002,Ram\n", encoding="utf-8")
        async with (
            Sandbox(campaigns=0) as sandbox,
            SqliteLedger(Path(folder) / "sends.sqlite") as ledger,
            TingTing(base_url=sandbox.url, email=sandbox.email, password=sandbox.password, ledger=ledger) as tingting,
        ):
            for _ in range(2):
                report = await text_everybody(tingting, source)
                print(f"{report.name} has {len(report.read_text().splitlines()) - 1} rows")
            print(f"{sum(effect.kind == 'sms' for effect in sandbox.side_effects)} people were texted")


if __name__ == "__main__":
    anyio.run(main)
