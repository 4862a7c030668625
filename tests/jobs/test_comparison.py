"""Before its campaign is run, a job compares it with what it wants: others may have changed it."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.jobs import KEY, NUMBERS, PEOPLE, forward, make_job, run_job, texted
from support.v1 import connect, count_effects, count_requests

from tingting_async import (
    ConflictError,
    Guards,
    JobOutcome,
    JobProgress,
    JobStep,
    NotFoundError,
    OutcomeUnknownError,
    SqliteLedger,
    UsageError,
)
from tingting_async.sandbox import Fault, Sandbox
from tingting_async.v1 import CampaignStatus

pytestmark = pytest.mark.anyio

ID = 2
"""The id of the job's campaign."""
CALL = {"services": "PHONE", "message": "{name}", "sms_message": None, "voice": 1, "lines": [1]}
LATER = datetime.now(UTC) + timedelta(days=2)


def at_step(sandbox: Sandbox, step: JobStep, change: Callable[[], Any]) -> Any:
    """Return an `on_progress` that changes something when a job comes to a step for the first time."""
    advance, seen = forward(sandbox), set[JobStep]()

    def note(progress: JobProgress) -> None:
        if progress.step is step and step not in seen:
            change()
        seen.add(progress.step)
        advance(progress)

    return note


async def stop_at(step: JobStep, sandbox: Sandbox, ledger: Any, **options: Any) -> None:
    """Run a job, and cancel it when it comes to a step."""
    note = at_step(sandbox, step, lambda: task.cancel())  # noqa: PLW0108 - there is no task yet
    task = asyncio.ensure_future(run_job(sandbox, await make_job(**options), ledger, on_progress=note))
    await asyncio.wait([task])
    assert task.cancelled()


def remove(sandbox: Sandbox, number: str) -> None:
    """Delete the contacts of the job's campaign that have a number."""
    for contact in [each for each in sandbox.world.campaigns[ID].contacts if each.number == number]:
        sandbox.world.remove_contact(contact)


@pytest.mark.parametrize("is_stopped", [True, False])
@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("9800000009", r"1 contact that is not among the recipients \(…09\)"),
        ("+12025550123", r"1 contact that is not among the recipients \(…23\)"),
        (NUMBERS[0], r"1 number more than once \(…01\)"),
    ],
)
async def test_strangers(tmp_path: Path, number: str, said: str, is_stopped: bool) -> None:
    """A campaign with a contact that is not a recipient, or that is there twice, is not run until it is removed."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:

        def add() -> None:
            sandbox.world.add_contact(sandbox.world.campaigns[ID], number, {})

        note = at_step(sandbox, JobStep.RUNNING, add)
        if is_stopped:
            await stop_at(JobStep.RUNNING, sandbox, ledger)
            add()
            note = forward(sandbox)
        with pytest.raises(ConflictError, match=f"nothing was sent. Campaign {ID}.*{said}") as caught:
            await run_job(sandbox, await make_job(), ledger, on_progress=note)
        assert number not in str(caught.value)
        assert ([], 0) == (texted(sandbox), count_effects(sandbox, "run"))
        sandbox.world.remove_contact(sandbox.world.campaigns[ID].contacts[-1])
        result = await run_job(sandbox, await make_job(), ledger)
        assert NUMBERS == texted(sandbox)
    assert {JobOutcome.REACHED: 3} == result.summary().outcomes


async def test_exchanged_contact(tmp_path: Path) -> None:
    """A contact that somebody has exchanged for another is found by the next run, although the number is the same."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        await stop_at(JobStep.RUNNING, sandbox, ledger)
        remove(sandbox, NUMBERS[0])
        sandbox.world.add_contact(sandbox.world.campaigns[ID], "9800000009", {})
        with pytest.raises(ConflictError, match="1 contact that is not among the recipients"):
            await run_job(sandbox, await make_job(), ledger)
        assert 0 == count_effects(sandbox, "run")


@pytest.mark.parametrize(
    ("options", "name", "value"),
    [
        ({}, "services", "SMS & PHONE"),
        ({}, "sms_message", "WRONG"),
        ({}, "schedule", LATER),
        ({}, "draft", True),
        ({"credit_limit": 5}, "credit_limit", 500),
        ({"schedule": LATER}, "schedule", LATER + timedelta(hours=1)),
        ({"schedule": LATER}, "schedule", None),
        (CALL, "message", "WRONG"),
        (CALL, "voice", 2),
        (CALL, "voice", None),
        (CALL, "lines", [2]),
        (CALL, "category", "Audio"),
        ({**CALL, "length_factor": 1.5}, "length_factor", 2),
        ({**CALL, "services": "SMS & PHONE", "sms_message": "{name}"}, "sms_message", "WRONG"),
        (
            {**CALL, "services": "SMS & PHONE", "sms_message": "{name}", "failover": ["unanswered"]},
            "failover",
            ["failed"],
        ),
    ],
)
async def test_fields(tmp_path: Path, options: Any, name: str, value: Any) -> None:
    """A campaign of which somebody has changed a field that matters is not run, and the error names the field."""
    field = {"lines": "user_phone", "failover": "failover_target"}.get(name, name)
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        await stop_at(JobStep.RUNNING, sandbox, ledger, **options)
        campaign = sandbox.world.campaigns[ID]
        before = campaign.scheduled_at if name == "schedule" else getattr(campaign, field)
        async with connect(sandbox) as tingting:
            await tingting.campaigns.update(ID, **{name: value})
        with pytest.raises(ConflictError, match=f"not what the job wants: `{name}` differs"):
            await run_job(sandbox, await make_job(**options), ledger)
        assert 0 == count_effects(sandbox, "run", "sms", "call")
        setattr(campaign, "scheduled_at" if name == "schedule" else field, before)
        note = at_step(sandbox, JobStep.FOLLOWING, lambda: sandbox.clock.advance(4 * 86_400))
        await run_job(sandbox, await make_job(**options), ledger, on_progress=note)
        assert 1 == count_effects(sandbox, "run")


async def test_somebody_elses_campaign(tmp_path: Path) -> None:
    """If the creation is lost, a campaign of this name that somebody else has filled is neither run nor added to."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:

        def create() -> bool:
            world = sandbox.world
            if not world.campaigns:
                campaign = world.add_campaign(world.owner, "Fees", "SMS", "")
                campaign.sms_message = "{name}: {amount}"
                world.add_contact(campaign, NUMBERS[0], {"name": "Somebody", "amount": "5"})
            return True

        sandbox.faults.add(Fault("reset", path="*/campaign/create/", times=1, where=lambda _: create()))
        with pytest.raises(ConflictError, match="it has 1 contact, and this job has added none"):
            await run_job(sandbox, await make_job(), ledger)
        assert (1, 0) == (len(sandbox.world.campaigns[ID].contacts), count_effects(sandbox, "run"))


async def test_deleted_contact(tmp_path: Path) -> None:
    """A recipient whom somebody has deleted from the campaign is added again, and everybody is texted once."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        note = at_step(sandbox, JobStep.RUNNING, lambda: remove(sandbox, NUMBERS[1]))
        result = await run_job(sandbox, await make_job(), ledger, on_progress=note)
        assert (NUMBERS, 1) == (texted(sandbox), count_effects(sandbox, "run"))
    assert {JobOutcome.REACHED: 3} == result.summary().outcomes


async def test_deleted_and_refused_contact(tmp_path: Path) -> None:
    """A recipient whom the service refuses when it is added again is reported with the reason, and the others go on."""
    refusal = {"created": 0, "skipped": 0, "contacts": [], "errors": [{"row": 0, "error": "It is blocked."}]}
    suppressed = ["9800000099"]
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        await stop_at(JobStep.RUNNING, sandbox, ledger)
        remove(sandbox, NUMBERS[2])
        fault = sandbox.faults.add(Fault("status", path="*/add-contact/", status=201, body=refusal))
        guards = Guards(suppressed=lambda: suppressed)  # The contacts are read again after one was removed.
        async with connect(sandbox, ledger=ledger, guards=guards) as tingting:
            note = at_step(sandbox, JobStep.RUNNING, lambda: suppressed.append(NUMBERS[0]))
            result = await (await make_job()).run(tingting, on_progress=note, poll_interval=0.01, wait=0.1)
        assert (NUMBERS[1:2], 1) == (texted(sandbox), fault.count)
    assert (JobOutcome.REFUSED, "It is blocked.") == (result.rows[2].outcome, result.rows[2].reason)


@pytest.mark.parametrize("is_suppressed_first", [True, False])
async def test_suppressed_are_not_missing(tmp_path: Path, is_suppressed_first: bool) -> None:
    """Who is on the suppression list is not added again, whether it was put there before the job or meanwhile."""
    suppressed = [NUMBERS[0] if is_suppressed_first else "9800000099"]
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        note = at_step(sandbox, JobStep.RUNNING, lambda: suppressed.append(NUMBERS[0]))
        guards = Guards(suppressed=lambda: suppressed)
        async with connect(sandbox, ledger=ledger, guards=guards) as tingting:
            result = await (await make_job()).run(tingting, on_progress=note, poll_interval=0.01, wait=0.1)
        assert (NUMBERS[1:], 1) == (texted(sandbox), count_requests(sandbox, f"/api/v1/campaign/{ID}/add-contact/"))
    assert ["suppressed", "", ""] == [row.problem for row in result.rows]


async def test_run_by_somebody_else(tmp_path: Path) -> None:
    """A campaign that somebody else has run is never run again; a person decides whether the job follows it."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        await stop_at(JobStep.RUNNING, sandbox, ledger)
        async with connect(sandbox) as tingting:
            await tingting.campaigns.run(ID)
        sandbox.clock.advance(600)
        for _ in range(2):
            with pytest.raises(OutcomeUnknownError, match="mark_sent"):
                await run_job(sandbox, await make_job(), ledger)
        [send] = await ledger.unresolved()
        assert ("campaigns.run", KEY, f"campaign {ID}") == (send.operation, send.key, send.target)
        await ledger.mark_not_sent(send)
        with pytest.raises(OutcomeUnknownError, match="'Completed' before this job had run it"):
            await run_job(sandbox, await make_job(), ledger)
        [send] = await ledger.unresolved()
        await ledger.mark_sent(send)
        result = await run_job(sandbox, await make_job(), ledger)
        assert (NUMBERS, 1) == (texted(sandbox), count_effects(sandbox, "run"))
    assert {JobOutcome.REACHED: 3} == result.summary().outcomes


async def test_run_by_somebody_else_meanwhile(tmp_path: Path) -> None:
    """A campaign that somebody runs while the job comes to its own run is not run again, with a key and without."""
    for key in (KEY, None):
        async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / f"{key}.sqlite") as ledger:

            def run() -> None:
                sandbox.world.campaigns[ID].status = CampaignStatus.RUNNING.value

            note = at_step(sandbox, JobStep.RUNNING, run)
            job = await make_job(idempotency_key=key)
            with pytest.raises(OutcomeUnknownError, match="'Running' before this job had run it"):
                await run_job(sandbox, job, ledger if key else None, on_progress=note)
            assert 0 == count_effects(sandbox, "run", "sms")


async def test_deleted_meanwhile(tmp_path: Path) -> None:
    """A campaign that is deleted before its run is not created again under the same key."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        note = at_step(sandbox, JobStep.RUNNING, lambda: sandbox.world.remove_campaign(sandbox.world.campaigns[ID]))
        for _ in range(2):
            with pytest.raises(NotFoundError):
                await run_job(sandbox, await make_job(), ledger, on_progress=note)
        assert (1, 0) == (count_effects(sandbox, "created"), count_effects(sandbox, "run"))


@pytest.mark.parametrize("step", [JobStep.ADDING, JobStep.RUNNING])
async def test_late(tmp_path: Path, step: JobStep) -> None:
    """A job whose `schedule` has passed before its run runs nothing, and says so also when it is run again."""
    schedule = datetime.now(UTC) + timedelta(hours=1)
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        note = at_step(sandbox, step, lambda: sandbox.clock.advance(7200))
        for _ in range(2):
            with pytest.raises(UsageError, match="`schedule` has passed"):
                await run_job(sandbox, await make_job(schedule=schedule), ledger, on_progress=note)
        assert (1, 0) == (count_effects(sandbox, "created"), count_effects(sandbox, "run", "sms"))
        posts = sum(received.method == "POST" for received in sandbox.requests)
        late = await make_job(schedule=datetime.now(UTC) - timedelta(seconds=1), idempotency_key="late")
        with pytest.raises(UsageError, match="`schedule` has passed"):
            await run_job(sandbox, late, ledger)
        assert posts == sum(received.method == "POST" for received in sandbox.requests)


async def test_undisturbed_job_is_cheap(tmp_path: Path) -> None:
    """A job that nobody disturbs requests its campaign once and one page of its contacts, before the run."""
    rows = [*PEOPLE, *((f"P{n}", f"98620000{n:02}", n) for n in range(30))]
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        await run_job(sandbox, await make_job(rows), ledger)
        paths = [received.path for received in sandbox.requests]
    before = paths[: paths.index(f"/api/v1/run-campaign/{ID}/")]
    counts = [before.count(f"/api/v1/{path}/{ID}/") for path in ("campaign", "campaign-detail")]
    assert [1, 1] == counts
