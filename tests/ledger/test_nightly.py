"""Jobs that create, fill and run campaigns, in processes that are killed with `kill -9` again and again."""

import asyncio
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from support import killed

from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

WORKER = Path(__file__).parent / "nightly.py"
KILLS = 3
"""How often each of the two workers is killed, at most."""


async def until_done(sandbox: Sandbox, job: Path, seed: int) -> int:
    """Kill a worker while it creates or runs a campaign, and start it again, until all is done; return how often."""
    random = Random(seed)

    def make_fault() -> Fault:
        path = random.choice(["*/campaign/create/", "*/run-campaign/*"])
        return Fault(random.choice(["stall", "stall_after"]), method="POST", path=path, nth=random.randint(1, 4))

    return await killed.until_done(sandbox, WORKER, job, seed, kills=KILLS, make_fault=make_fault)


@pytest.mark.timeout(240)
async def test_two_workers(tmp_path: Path, ledger_place: Any) -> None:
    """Whenever two workers are killed, each campaign is created once and run once, and everybody is called once."""
    async with Sandbox(campaigns=3) as sandbox:
        account = sandbox.world.add_account("pool@example.com", "password")
        account.credits = 10_000
        names = [f"Bulletin {n}" if n < 8 else "Newsletter" for n in range(14)]
        campaigns = [(f"job {n}", name, [f"98{n:02d}00000{i}" for i in range(3)]) for n, name in enumerate(names)]
        job = tmp_path / "job.json"
        settings = {"url": sandbox.url, "token": account.api_token, "started": sandbox.clock.now()}
        where = {"kind": ledger_place.kind, "ledger": ledger_place.where}
        job.write_text(json.dumps({**settings, **where, "campaigns": campaigns}))

        kills = await asyncio.gather(*(until_done(sandbox, job, seed) for seed in (1, 2)))

        assert sum(kills) >= KILLS
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
