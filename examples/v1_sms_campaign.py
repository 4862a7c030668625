"""The v1 API: a text for each of twenty-five people, on the sandbox, so nobody's telephone buzzes."""

import tempfile
from pathlib import Path

import anyio

from tingting_async import OutcomeUnknownError, Verdict
from tingting_async.sandbox import Sandbox
from tingting_async.v1 import ContactStatus, NewContact, Services, TingTing


async def main() -> None:
    """Create, fill, check, run, wait, report."""
    async with (
        Sandbox(campaigns=0) as sandbox,
        TingTing(base_url=sandbox.url, email=sandbox.email, password=sandbox.password) as tingting,
    ):
        # What is texted is `sms_message`; `message` is what a call says.
        campaign = await tingting.campaigns.create("Bills", Services.SMS, sms_message="{name}, Rs. {amount} are due.")
        people = [NewContact(9800000001 + n, {"name": f"Customer {n}", "amount": 100 + n}) for n in range(25)]
        added = await tingting.contacts.add_many(campaign.id, people)
        print(f"{added.created} contacts added")

        check = await tingting.campaigns.preflight(campaign.id)
        print(f"Problems: {', '.join(check.problems) or 'none'}")
        try:
            await tingting.campaigns.run(campaign.id, preflight=True)
        except OutcomeUnknownError as error:  # The answer was lost: look what became of it, and do not send it again.
            if (await error.reconcile()).verdict is Verdict.NOT_DONE:
                raise

        sandbox.clock.advance(600)  # The real service takes its time.
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
