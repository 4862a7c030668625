"""Each guard stops every operation that calls, texts or spends."""

import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from faults.conftest import NUMBER, Call, Generation, Targets

from tingting_async import Effect, GuardError, Guards, Prices, RequestEvent, RequestStarted, SqliteLedger
from tingting_async.decoding.scalars import KATHMANDU
from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

SENDS = {
    "classic": {"campaigns.run", "otp.send", "phone_numbers.buy"},
    "v1": {"campaigns.run", "surveys.run", "surveys.test_call", "contacts.demo_call", "otp.send"},
}
SEEDS = 12


def refusing(name: str, sandbox: Sandbox) -> dict[str, Any]:
    """Return the arguments of a guard that allows nothing now."""
    if name == "max_recipients":
        return {"max_recipients": 0}
    if name == "max_credits":
        return {"max_credits": 0, "prices": Prices(per_sms_part=1, per_call=0.5)}
    if name == "quiet_hours":
        now = datetime.now(KATHMANDU)
        return {"quiet_hours": ((now - timedelta(hours=1)).time(), (now + timedelta(hours=1)).time())}
    campaigns = sandbox.world.campaigns_of(sandbox.world.owner)
    numbers = [NUMBER, *(contact.number for campaign in campaigns for contact in campaign.contacts)]
    return {"suppressed": lambda: numbers}


def stops(guard: str, operation: str) -> bool:
    """Return whether a guard is about this operation: a line that is bought reaches nobody."""
    return operation != "phone_numbers.buy" or guard == "max_credits"


def note_sends(events: list[str]) -> Callable[[RequestEvent], None]:
    """Return a listener that notes the operation of each send that begins."""

    def note(event: RequestEvent) -> None:
        if isinstance(event, RequestStarted) and event.effect is Effect.SEND:
            events.append(event.operation)

    return note


async def test_every_send_is_known(generation: Generation, world: tuple[Sandbox, Targets]) -> None:
    """Without guards, the operations that send are those that the other test stops."""
    sandbox, targets = world
    sent: list[str] = []
    async with generation.session(base_url=sandbox.url, email=sandbox.email, password=sandbox.password) as tingting:
        tingting.subscribe(note_sends(sent))
        for call in generation.calls.values():
            await call(tingting, targets)
    assert SENDS["v1" if generation.session.__module__.startswith("tingting_async.v1") else "classic"] == {*sent}


@pytest.mark.parametrize("has_ledger", [False, True])
async def test_each_guard_stops_each_send(
    generation: Generation, world: tuple[Sandbox, Targets], tmp_path: Path, has_ledger: bool
) -> None:
    """Each guard, alone or with others, refuses each send before it leaves, and the ledger has no trace of it."""
    sandbox, targets = world
    names = SENDS["v1" if generation.session.__module__.startswith("tingting_async.v1") else "classic"]
    calls: dict[str, Call] = {name: generation.calls[name] for name in sorted(names)}
    file = tmp_path / "sends.sqlite"
    for seed in range(SEEDS):
        random = Random(seed)
        first, *_ = chosen = random.sample(["max_recipients", "max_credits", "quiet_hours", "suppressed"], 1 + seed % 2)
        guards = Guards(**{name: value for each in chosen for name, value in refusing(each, sandbox).items()})
        ledger = SqliteLedger(file) if has_ledger else None
        async with generation.session(
            base_url=sandbox.url, api_token=sandbox.api_token, guards=guards, ledger=ledger
        ) as tingting:
            for name in random.sample([*calls], len(calls)):
                if any(stops(guard, name) for guard in chosen):
                    with pytest.raises(GuardError) as caught:
                        await calls[name](tingting, targets)
                    assert caught.value.guard in chosen, first
                    assert name == caught.value.operation
        if ledger is not None:
            await ledger.aclose()
    assert {"GET"} == {received.method for received in sandbox.requests}
    assert [] == sandbox.side_effects
    if has_ledger and file.exists():
        with sqlite3.connect(file) as database:
            assert [(0,)] == database.execute("SELECT count(*) FROM sends").fetchall()
