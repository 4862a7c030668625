"""The v1 API: an SMS to each of twenty-five people, on the sandbox, so nobody is texted."""

import tempfile
from pathlib import Path

import anyio

from tingting_async.sandbox import Sandbox
from tingting_async.v1 import ContactStatus, NewContact, Services, TingTing


async def main() -> None:
    """Create a campaign, add contacts, check it, run it, wait for its end and download its report."""
    async with (
        Sandbox(campaigns=0) as sandbox,
        TingTing(base_url=sandbox.url, email=sandbox.email, password=sandbox.password) as tingting,
    ):
        # `sms_message` is what an SMS says; `message` is what a call says.
        campaign = await tingting.campaigns.create("Bills", Services.SMS, sms_message="{name}, Rs. {amount} are due.")
        people = [NewContact(9800000001 + n, {"name": f"Customer {n}", "amount": 100 + n}) for n in range(25)]
        added = await tingting.contacts.add_many(campaign.id, people)
        print(f"{added.created} contacts added")

        report = await tingting.campaigns.preflight(campaign.id)
        print(f"Problems: {', '.join(report.problems) or 'none'}")
        # If the response is lost, this raises an OutcomeUnknownError: docs/reliability.md says what to do then.
        await tingting.campaigns.run(campaign.id, preflight=True)

        sandbox.clock.advance(600)  # The real service takes longer: leave out this line.
        done = await tingting.campaigns.wait(campaign.id, timeout=60)
        contacts = await tingting.contacts.list(campaign.id).collect()
        texted = [contact for contact in contacts if contact.status is ContactStatus.COMPLETED]
        print(f"{done.status}: {len(texted)} of {len(contacts)} texted")

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "report.csv"
            await tingting.reports.download(campaign.id, path)
            print(f"The report has {len(await anyio.Path(path).read_bytes())} bytes")


if __name__ == "__main__":
    anyio.run(main)
