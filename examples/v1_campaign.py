"""The v1 API: a voice campaign from its creation to its report, on the sandbox, so nobody is called."""

import tempfile
from pathlib import Path

import anyio

from tingting_async.sandbox import Sandbox
from tingting_async.v1 import NewContact, Services, TingTing


async def main() -> None:
    """Create a campaign, add contacts, run it, follow its progress and download its report."""
    async with (
        Sandbox(campaigns=0) as sandbox,
        TingTing(base_url=sandbox.url, email=sandbox.email, password=sandbox.password) as tingting,
    ):
        line = await tingting.phone_numbers.list().first()
        voice = await tingting.voices.list().first()
        assert line is not None
        assert voice is not None
        campaign = await tingting.campaigns.create(
            "Vaccination", Services.PHONE, lines=[line.id], voice=voice, message="नमस्ते {name}, भोलि खोप छ।"
        )
        people = [NewContact("9800000001", {"name": "सीता"}), NewContact("9800000002", {"name": "राम"})]
        added = await tingting.contacts.add_many(campaign.id, people)
        print(f"{added.created} contacts added, {added.skipped} skipped")

        # If the response is lost, this raises an OutcomeUnknownError: docs/reliability.md says what to do then.
        await tingting.campaigns.run(campaign.id, preflight=True)

        async for seen in tingting.campaigns.progress(campaign.id, poll_interval=0.01):
            print(f"{seen.status}: {seen.progress_percent} %")
            sandbox.clock.advance(60)  # The real service takes longer: leave out this line and `poll_interval`.

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "report.csv"
            await tingting.reports.download(campaign.id, path)
            print(f"The report has {len(await anyio.Path(path).read_bytes())} bytes")
        async for row in tingting.reports.rows(campaign.id):
            print(row)  # Shows only the last two digits.


if __name__ == "__main__":
    anyio.run(main)
