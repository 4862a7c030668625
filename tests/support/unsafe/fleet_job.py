"""The job of examples/fleet_job.py without idempotency keys, to show what they are for."""

import csv
from pathlib import Path

from tingting_async.v1 import NewContact, Services, TingTing


async def text_everybody(tingting: TingTing, source: Path) -> None:
    """Create a campaign, fill it, run it, follow it and save its report."""
    with source.open(newline="", encoding="utf-8") as file:
        people = [NewContact(row["number"], {"name": row["name"]}) for row in csv.DictReader(file)]
    campaign = await tingting.campaigns.create(source.stem, Services.SMS, sms_message="{name}, your bill is ready.")
    await tingting.contacts.add_many(campaign.id, people)
    await tingting.campaigns.run(campaign.id)
    await tingting.campaigns.wait(campaign.id)
    await tingting.reports.download(campaign.id, source.with_suffix(".report.csv"))
