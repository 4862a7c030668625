"""Jobs that create, fill and run campaigns, in processes that are killed with `kill -9` again and again."""

import asyncio
import json
import signal
import sys
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

WORKER = Path(__file__).parent / "nightly.py"
KILLS = 3
"""How often each of the two workers is killed, at most."""


async def start(seed: int, job: Path) -> asyncio.subprocess.Process:
    """Start a worker."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-P", str(WORKER), str(seed), str(job), stderr=asyncio.subprocess.PIPE
    )


async def until_done(sandbox: Sandbox, job: Path, seed: int) -> int:
    """Start a worker, kill it while it creates or runs a campaign, and start it again, until it has done the whole job.

    Returns:
        How often the worker was killed.
    """
    random, killed = Random(seed), 0
    for attempt in range(KILLS):
        path = random.choice(["*/campaign/create/", "*/run-campaign/*"])
        fault = Fault(random.choice(["stall", "stall_after"]), method="POST", path=path, nth=random.randint(1, 4))
        process = await start(seed * 100 + attempt, job)
        sandbox.faults.add(fault)
        ended, hit = asyncio.ensure_future(process.wait()), asyncio.ensure_future(fault.stalled.wait())
        await asyncio.wait([ended, hit], return_when=asyncio.FIRST_COMPLETED)
        hit.cancel()
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        killed += await ended == -signal.SIGKILL
        fault.release()
    process = await start(seed, job)
    _, output = await process.communicate()
    assert process.returncode == 0, output.decode()
    return killed


@pytest.mark.timeout(240)
async def test_two_workers(tmp_path: Path, ledger_place: Any) -> None:
    """Whenever two workers are killed, each campaign is created once and run once, and everybody is called once."""
    async with Sandbox(campaigns=3) as sandbox:
        account = sandbox.world.add_account("pool@example.com", "password")
        account.credits = 10_000
        names = [f"Newsletter {n}" if n < 8 else "Newsletter" for n in range(14)]
        campaigns = [(f"job {n}", name, [f"98{n:02d}00000{i}" for i in range(3)]) for n, name in enumerate(names)]
        job = tmp_path / "job.json"
        settings = {"url": sandbox.url, "token": account.api_token, "started": sandbox.clock.now()}
        where = {"kind": ledger_place.kind, "ledger": ledger_place.where}
        job.write_text(json.dumps({**settings, **where, "campaigns": campaigns}))

        killed = await asyncio.gather(*(until_done(sandbox, job, seed) for seed in (1, 2)))

        assert sum(killed) >= KILLS
        made = sandbox.world.campaigns_by_creation(account)
        assert sorted(names) == sorted(campaign.name for campaign in made)
        tally = sandbox.tally()
        assert [1] * len(names) == [tally["run", str(campaign.id)] for campaign in made]
        sandbox.clock.advance(10 * 86_400)
        tally = sandbox.tally()
        numbers = [number for _, _, numbers in campaigns for number in numbers]
        assert dict.fromkeys(numbers, 1) == {number: tally["call", number] for number in numbers}
        async with ledger_place.open() as ledger:
            assert [] == await ledger.unresolved()
