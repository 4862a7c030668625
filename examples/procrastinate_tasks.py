"""The tasks of `procrastinate_fleet.py`, in a module of their own, because their names contain the module's name.

Reads DATABASE_URL. Reads DEAD_AFTER if it is set. To try the job on the sandbox, run `fleet_job.py`.
"""

import os
from pathlib import Path
from typing import cast

from fleet_job import text_everybody
from procrastinate import App, JobContext, PsycopgConnector, RetryStrategy

from tingting_async.v1 import TingTing

DATABASE = os.environ["DATABASE_URL"]
DEAD_AFTER = float(os.environ.get("DEAD_AFTER", "10"))
"""Seconds without a sign of life after which a worker is dead, and its jobs go to another one."""

app = App(connector=PsycopgConnector(conninfo=DATABASE))


@app.task(pass_context=True, retry=RetryStrategy(max_attempts=20, wait=5))
async def process(context: JobContext, source: str) -> None:
    """Process one file. Whatever went wrong, a later attempt goes on where this one ended."""
    session = cast("TingTing", context.additional_context["tingting"])  # pyright: ignore[reportUnknownMemberType]
    await text_everybody(session, Path(source))


@app.periodic(cron="* * * * * */5")  # Every 5 seconds.
@app.task(queueing_lock="redeliver")
async def redeliver(timestamp: int) -> None:  # noqa: ARG001 - the time at which it was due
    """Give the jobs of dead workers to others."""
    for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=DEAD_AFTER):
        await app.job_manager.retry_job(job)
