"""Jobs against the sandbox, whose clock goes forward while they follow their campaigns."""

from typing import Any

from support.v1 import connect

from tingting_async import CampaignJob, JobProgress, JobResult, JobStep, RecipientList
from tingting_async.sandbox import Sandbox

KEY = "fees 2083-08"
PEOPLE = [
    ("name", "mobile", "amount"),
    ("Sita", "9841000001", "1,250.00"),
    ("Ram", "+977 985-1000002", "900"),
    ("Gita", "9861000003", "10"),
]
NUMBERS = ["9841000001", "9851000002", "9861000003"]


async def make_job(rows: Any = PEOPLE, **options: Any) -> CampaignJob:
    """Return a job that texts people, by default three."""
    people = await RecipientList.from_rows(rows)
    options = {"services": "SMS", "sms_message": "{name}: {amount}", "idempotency_key": KEY, **options}
    return CampaignJob(**{"name": "Fees", "recipients": people, **options})


def forward(sandbox: Sandbox) -> Any:
    """Return an `on_progress` that lets the campaign end at its next poll."""

    def advance(progress: JobProgress) -> None:
        if progress.step is JobStep.FOLLOWING:
            sandbox.clock.advance(600)

    return advance


async def run_job(sandbox: Sandbox, job: CampaignJob, ledger: Any, **options: Any) -> JobResult:
    """Run a job in a session of its own, to its end and without waiting."""
    options = {"on_progress": forward(sandbox), "poll_interval": 0.01, "wait": 0.1, **options}
    async with connect(sandbox, ledger=ledger) as tingting:
        return await job.run(tingting, **options)


def texted(sandbox: Sandbox) -> list[str]:
    """Return the numbers that were texted, in ascending order, each as often as it was."""
    return sorted(effect.target for effect in sandbox.side_effects if effect.kind == "sms")
