"""A job goes from a list of recipients to what became of each, once, however often and wherever it is run."""

import asyncio
import csv
import json
import math
import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from support.jobs import KEY, NUMBERS, PEOPLE, forward, make_job, run_job, texted
from support.v1 import connect, count_effects

import tingting_async
from tingting_async import (
    CampaignJob,
    Guards,
    JobOutcome,
    JobProgress,
    JobStep,
    MisuseError,
    NotFoundError,
    OutcomeUnknownError,
    Prices,
    RecipientList,
    SqliteLedger,
    Timeout,
    UsageError,
    WaitTimeoutError,
)
from tingting_async.sandbox import Fault, Sandbox
from tingting_async.v1 import CampaignStatus, NewContact

pytestmark = pytest.mark.anyio

STEPS = ["*/campaign/create/", "*/add-contact/", "*/run-campaign/*"]
MESSY = [
    ("Class 5 parents", None, None, None),
    ("क्र.सं.", "नाम", "मोबाइल नम्बर", "बाँकी रकम"),
    (1, "सीता", "9841000001", "1,250.00"),
    (2, "राम", "9851000002.0", "900"),
    (3, "हरि", "+977-9841000001", "900"),
    (4, "गीता", "01-4412345", "0"),
    (None, None, None, None),
    (5, "शिव", "98610000", "450"),
    (6, "उमा", "9861000003", " "),
    (7, "/fd k|;fb g]kfn", "9861000004", "5"),
    (8, "मीना", "9861000005", "70"),
    (9, "मीना", "9861000005", "70"),
    ("जम्मा", None, 8, "3,500.00"),
]
"""What people write: a title, two rows for one number, a landline, a number without its end, and a total."""
OUTCOMES = {
    3: (JobOutcome.LEFT_OUT, "conflict"),
    4: (JobOutcome.REACHED, ""),
    5: (JobOutcome.LEFT_OUT, "conflict"),
    6: (JobOutcome.LEFT_OUT, "landline"),
    7: (JobOutcome.LEFT_OUT, "blank"),
    8: (JobOutcome.LEFT_OUT, "too short"),
    9: (JobOutcome.LEFT_OUT, "no value"),
    10: (JobOutcome.LEFT_OUT, "legacy font"),
    11: (JobOutcome.REACHED, ""),
    12: (JobOutcome.LEFT_OUT, "duplicate"),
}


async def test_messy_list(tmp_path: Path) -> None:
    """Every row of a messy list is reached or left out, with its row as the spreadsheet shows it and its reason."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        job = await make_job(MESSY, sms_message="{नाम}, {बाँकी रकम}")
        result = await run_job(sandbox, job, ledger)
        assert ["9851000002", "9861000005"] == texted(sandbox)
    assert {row.row: (row.outcome, row.problem) for row in result.rows} == OUTCOMES
    assert all(row.was_reached == (not row.reason) and row.is_final for row in result.rows)
    left_out = [row.reason for row in result.rows if row.outcome is JobOutcome.LEFT_OUT]
    assert all(f"Row {row}" in reason for row, reason in zip([3, 5, 6, 7, 8, 9, 10, 12], left_out, strict=True))
    assert "9861000005" not in repr(result)
    summary = result.summary()
    assert (10, {JobOutcome.REACHED: 2, JobOutcome.LEFT_OUT: 8}, Decimal(2)) == (
        summary.rows,
        summary.outcomes,
        summary.credits,
    )
    assert sum(summary.problems.values()) == 8
    assert "2 of 10 rows were reached.\n8 left out (2 conflict, 1 landline" in str(summary)


async def test_run_again(tmp_path: Path) -> None:
    """The same job elsewhere, with the rows in another order, sends nothing, and returns the same outcomes."""
    async with Sandbox(campaigns=0) as sandbox:
        async with SqliteLedger(tmp_path / "sends.sqlite") as ledger:
            first = await run_job(sandbox, await make_job(), ledger)
        posts = sum(received.method == "POST" for received in sandbox.requests)
        async with SqliteLedger(tmp_path / "sends.sqlite") as ledger:
            job = await make_job([PEOPLE[0], *reversed(PEOPLE[1:])])
            again = await run_job(sandbox, job, ledger)
            assert [] == await ledger.unresolved()
        assert posts == sum(received.method == "POST" for received in sandbox.requests)
        assert NUMBERS == texted(sandbox)
    assert [row.number for row in first.rows] == NUMBERS
    assert [row.number for row in again.rows] == NUMBERS[::-1]
    assert {row.number: row.outcome for row in again.rows} == dict.fromkeys(NUMBERS, JobOutcome.REACHED)


@pytest.mark.parametrize(
    ("path", "lost"),
    [
        *((path, lost) for path in STEPS for lost in ("reset_after", "truncate", "gateway_timeout")),
        # A lost addition is sent again only after ten seconds; see tests/v1/test_keyed_additions.py.
        *((path, "reset") for path in STEPS if "add" not in path),
    ],
)
async def test_lost_response(tmp_path: Path, path: str, lost: Any) -> None:
    """A step whose response is lost, whether it was carried out or not, happens once, and the job goes on."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        fault = sandbox.faults.add(Fault(lost, method="POST", path=path, times=1))
        result = await run_job(sandbox, await make_job(), ledger)
        assert {JobOutcome.REACHED} == {row.outcome for row in result.rows}
        assert NUMBERS == texted(sandbox)
        assert (1, 1) == (fault.count, count_effects(sandbox, "created"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows": PEOPLE[:3]}, "for `recipients`."),
        ({"rows": [*PEOPLE, ("Hari", "9861000009", "1")]}, "for `recipients`."),
        ({"rows": [*PEOPLE[:3], ("Gita", "9861000003", "11")]}, "for `recipients`."),
        ({"sms_message": "{name}!"}, "for `sms_message`."),
        ({"rows": PEOPLE[:3], "name": "Fee"}, "for `name` and `recipients`."),
    ],
)
@pytest.mark.parametrize("until", [JobStep.ADDING, JobStep.FOLLOWING])
async def test_another_job(tmp_path: Path, change: Any, said: str, until: JobStep) -> None:
    """The same key with other recipients or another message is refused, and the error says what a new key would do."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        await stop_at(until, sandbox, ledger)
        posts = sum(received.method == "POST" for received in sandbox.requests)
        with pytest.raises(UsageError, match=f"nothing was sent.*'{KEY}'.*{said}") as caught:
            await run_job(sandbox, await make_job(**{"rows": PEOPLE, **change}), ledger)
        advice = "which calls and texts everybody again" if until is JobStep.FOLLOWING else "Nobody was reached"
        assert advice in str(caught.value)
        assert posts == sum(received.method == "POST" for received in sandbox.requests)


async def stop_at(step: JobStep, sandbox: Sandbox, ledger: Any) -> None:
    """Run a job, and cancel it when it comes to a step."""

    def stop(progress: JobProgress) -> None:
        if progress.step is step:
            task.cancel()

    task = asyncio.ensure_future(run_job(sandbox, await make_job(), ledger, on_progress=stop))
    await asyncio.wait([task])
    assert task.cancelled()


@pytest.mark.parametrize("step", JobStep)
async def test_cancelled(tmp_path: Path, step: JobStep) -> None:
    """A job that is cancelled at any step is completed by the next run, and everybody is texted once."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        if step is JobStep.READING:
            await run_job(sandbox, await make_job(), ledger)
        else:
            await stop_at(step, sandbox, ledger)
        result = await run_job(sandbox, await make_job(), ledger)
        assert (NUMBERS, 1, 1) == (
            texted(sandbox),
            count_effects(sandbox, "created"),
            count_effects(sandbox, "run"),
        )
    assert {JobOutcome.REACHED} == {row.outcome for row in result.rows}


async def test_two_at_once(tmp_path: Path) -> None:
    """Two runs of one job at the same moment create one campaign, text everybody once, and return the same rows."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        jobs = [await make_job(), await make_job()]
        results = await asyncio.gather(*(run_job(sandbox, job, ledger) for job in jobs))
        assert (NUMBERS, 1, 1) == (
            texted(sandbox),
            count_effects(sandbox, "created"),
            count_effects(sandbox, "run"),
        )
    assert results[0].rows == results[1].rows


async def test_progress(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """`on_progress` is called at each step and whenever the campaign changes. Its error is logged, with its place."""
    seen: list[JobProgress] = []
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        advance = forward(sandbox)

        def note(progress: JobProgress) -> None:
            seen.append(progress)
            advance(progress)
            raise RuntimeError("9841000001")

        result = await run_job(sandbox, await make_job(), ledger, on_progress=note)
    assert list(JobStep) == list(dict.fromkeys(each.step for each in seen))
    assert ["checking", "creating", "adding 0 of 3 recipients", "adding 3 of 3 recipients"] == [*map(str, seen)][:4]
    assert ["following: 100 %", "reading"] == [*map(str, seen)][-2:]
    assert result.campaign == seen[-1].campaign
    said = f"`on_progress` raised RuntimeError in note, {__file__}:"
    assert all(said in text and "9841000001" not in text for text in caplog.messages)
    assert len(seen) == len(caplog.messages)


async def test_progress_of_a_job_that_was_run(tmp_path: Path) -> None:
    """The progress of a job that was run before names only the steps that this run takes: following and reading."""
    seen: list[JobProgress] = []
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        await run_job(sandbox, await make_job(), ledger)
        await run_job(sandbox, await make_job(), ledger, on_progress=seen.append)
    assert ["checking", "following: 100 %", "reading"] == [*map(str, seen)]
    assert [None, 3, 3] == [each.recipients for each in seen]


class Awaited:
    """A function object that would have to be awaited."""

    async def __call__(self, progress: JobProgress) -> None:
        """Do nothing."""


@pytest.mark.parametrize("has_key", [True, False])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            (name, value)
            for name in ("timeout", "poll_interval", "max_poll_interval")
            for value in ("5", -1, 0, math.nan)
        ),
        ("timeout", Timeout(total=5)),
        ("poll_interval", 40),
        ("wait", "5"),
        ("wait", -1),
        ("on_progress", "print"),
        ("on_progress", Awaited()),
    ],
)
async def test_options_of_a_run(tmp_path: Path, name: str, value: object, *, has_key: bool) -> None:
    """An invalid option is refused before the first request, so nobody is reached."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        async with connect(sandbox, ledger=ledger if has_key else None) as tingting:
            job = await make_job(**({} if has_key else {"idempotency_key": None}))
            options: dict[str, Any] = {name: value}
            with pytest.raises(UsageError, match=f"^CampaignJob.run: `{name}` "):
                await job.run(tingting, **options)
        assert [] == sandbox.requests


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("recipients", "fees.xlsx", "To read a file, write `await RecipientList.read(path)`"),
        ("recipients", Path("fees.xlsx"), "To read a file"),
        ("recipients", None, "must be an iterable of rows, not NoneType"),
        ("recipients", {"number": "9800000001"}, "must be an iterable of rows, not dict"),
        ("idempotency_key", 5, "must be a string on one line"),
        ("idempotency_key", "", "must be a string on one line"),
        ("idempotency_key", "k" * 201, "the limit is 200"),
    ],
)
async def test_arguments_of_a_job(name: str, value: object, said: str) -> None:
    """Recipients and keys of another type are refused when the job is made, by the name of the argument."""
    with pytest.raises(UsageError, match=f"^CampaignJob: `{name}` .*{re.escape(said)}"):
        await make_job(**{name: value})


async def test_recipients_that_were_not_awaited() -> None:
    """A list that was not awaited is refused, with what to write."""
    with pytest.raises(UsageError, match=r"not coroutine\. Await it first"):
        await make_job(recipients=RecipientList.read("fees.xlsx"))


async def test_timeout_without_a_key() -> None:
    """A job without a key that times out cannot be run again: the error says how to follow the campaign instead."""
    async with Sandbox(campaigns=0) as sandbox:
        with pytest.raises(
            WaitTimeoutError, match=r"accepted the run of campaign \d+; .*campaigns\.wait\(\d+\)"
        ) as caught:
            await run_job(sandbox, await make_job(idempotency_key=None), None, on_progress=None, timeout=0.05)
        assert "Run the job again" not in str(caught.value)


async def test_timeout(tmp_path: Path) -> None:
    """A job whose campaign does not end in time raises an error, and the next run only follows it."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        with pytest.raises(WaitTimeoutError, match=r"Run the job again") as caught:
            await run_job(sandbox, await make_job(), ledger, on_progress=None, timeout=0.05)
        assert CampaignStatus.RUNNING is caught.value.last.status
        assert "run the job again" in " ".join(caught.value.__notes__)
        await run_job(sandbox, await make_job(), ledger)
        assert NUMBERS == texted(sandbox)


def lose_run(sandbox: Sandbox) -> Callable[[JobProgress], None]:
    """Return an `on_progress` that lets the response to the run get lost, and the list that would show the run."""

    def meddle(progress: JobProgress) -> None:
        if progress.step is JobStep.RUNNING:
            sandbox.faults.add(Fault("reset_after", path="*/run-campaign/*", times=1))
            sandbox.faults.add(lost)

    lost = Fault(
        "status",
        method="GET",
        path="/api/v1/campaign/?*",
        status=400,
        body={"detail": "No."},
        where=lambda _: count_effects(sandbox, "run") == 1,
    )
    return meddle


async def test_progress_of_a_run_in_doubt(tmp_path: Path) -> None:
    """If it is not certain that the campaign was run, the progress says that it is being run."""
    seen: list[JobProgress] = []
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        with pytest.raises(OutcomeUnknownError):
            await run_job(sandbox, await make_job(), ledger, on_progress=lose_run(sandbox))
        sandbox.faults.clear()
        await run_job(sandbox, await make_job(), ledger, on_progress=seen.append)
        assert (NUMBERS, 1) == (texted(sandbox), count_effects(sandbox, "run"))
    steps = [JobStep.CHECKING, JobStep.RUNNING, JobStep.FOLLOWING, JobStep.READING]
    assert steps == list(dict.fromkeys(each.step for each in seen))


async def test_only_a_person_can_decide(tmp_path: Path) -> None:
    """If nobody can find out whether the campaign was run, a person records it, and the next run goes on."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        with pytest.raises(OutcomeUnknownError, match="mark_sent") as caught:
            await run_job(sandbox, await make_job(), ledger, on_progress=lose_run(sandbox))
        sandbox.faults.clear()
        [send] = await ledger.unresolved()
        assert ("campaigns.run", caught.value.send.id) == (send.operation, send.id)
        await ledger.mark_sent(send)
        result = await run_job(sandbox, await make_job(), ledger)
        assert (NUMBERS, 1) == (texted(sandbox), count_effects(sandbox, "run"))
    assert {JobOutcome.REACHED} == {row.outcome for row in result.rows}


async def test_without_a_ledger() -> None:
    """Without a ledger and a key, a job runs once; running it again is refused, because it would text people twice."""
    async with Sandbox(campaigns=0) as sandbox:
        job = await make_job(idempotency_key=None)
        result = await run_job(sandbox, job, None)
        with pytest.raises(UsageError, match="without an `idempotency_key`, so it cannot continue"):
            await run_job(sandbox, job, None)
        assert NUMBERS == texted(sandbox)
    assert {JobOutcome.REACHED} == {row.outcome for row in result.rows}


async def test_key_and_ledger(tmp_path: Path) -> None:
    """A key needs a ledger, and a ledger a key; nothing is requested before that is clear."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        with pytest.raises(UsageError, match="`idempotency_key` needs a ledger"):
            await run_job(sandbox, await make_job(), None)
        with pytest.raises(UsageError, match="has a ledger, so give an `idempotency_key`"):
            await run_job(sandbox, await make_job(idempotency_key=None), ledger)
        assert [] == sandbox.requests


async def test_key_of_another_run(tmp_path: Path) -> None:
    """A key that was used to run a campaign of somebody's own is refused before anything is created."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        async with connect(sandbox, ledger=ledger) as tingting:
            campaign = await tingting.campaigns.create("Own", "SMS", sms_message="Hi")
            await tingting.contacts.add(campaign.id, "9800000001")
            await tingting.campaigns.run(campaign.id, idempotency_key=KEY)
        with pytest.raises(UsageError, match="was used for a run of a campaign that no job has created"):
            await run_job(sandbox, await make_job(), ledger)
        assert 1 == count_effects(sandbox, "created")


async def test_classic_session() -> None:
    """A session of the classic API is refused, and the error names the one that is needed."""
    async with tingting_async.TingTing(api_token="0123456789abcdef") as classic:
        job = await make_job()
        with pytest.raises(MisuseError, match=r"from tingting_async\.v1 import TingTing"):
            await job.run(classic)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"services": "SURVEY"}, r"runs no surveys"),
        ({"services": "FAX"}, "`services`"),
        ({"sms_message": None}, "`SMS` needs `sms_message`"),
        ({"sms_message": " "}, "`sms_message` is empty"),
        ({"services": "PHONE", "message": "Hi"}, r"`PHONE` needs `voice`, one of `voices.list\(\)`; `lines`"),
        ({"services": "SMS & PHONE", "voice": 1, "lines": [1]}, "`SMS_AND_PHONE` needs `message`"),
        ({"draft": True}, "do not give `draft`"),
        ({"allow_legacy_font": "false"}, "`allow_legacy_font` is 'false'; it must be True or False"),
        ({"name": ""}, "`name` is empty"),
        ({"sms": "Hi"}, "unexpected keyword argument 'sms'"),
    ],
)
async def test_arguments(options: Any, said: str) -> None:
    """A job whose campaign would reach nobody is refused when it is made."""
    with pytest.raises(UsageError, match=said):
        await make_job(**options)


@pytest.mark.parametrize(
    ("rows", "message", "said"),
    [
        (PEOPLE, "{name:>9}", "placeholder for 'name:>9', and `recipients` has no such column"),
        (PEOPLE, "{{name}}", "a brace that belongs to no placeholder.*{name}"),
        (PEOPLE, "Dear {name, {amount}", "a brace that belongs to no placeholder"),
        (PEOPLE, "{naem}", "placeholder for 'naem', and `recipients` has no such column.*: 'name', 'amount'"),
        ([("number",), ("9800000001",)], "{name}", "columns are: none beside the phone numbers"),
        ([*PEOPLE[:1], ("A", "014444444", "1")], "{name}", "its only row is left out. Row 2.*landline"),
        (PEOPLE, "g]kfn ;/sf/sf] ;rgf", "typed for a legacy Nepali font"),
        ([], "Hi {name}", "`recipients` is empty: it has no rows"),
    ],
)
async def test_check(tmp_path: Path, rows: Any, message: str, said: str) -> None:
    """What would reach nobody, or text nonsense, is refused before anything is requested."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        with pytest.raises(UsageError, match=said):
            await run_job(sandbox, await make_job(rows, sms_message=message), ledger)
        assert [] == sandbox.requests


async def test_calls(tmp_path: Path) -> None:
    """Landlines are called, and rows have what the service says of the call: status, duration, credits."""
    rows = [*PEOPLE, ("Hari", "01-4412345", "9"), *((f"P{n}", f"98620000{n:02}", n) for n in range(12))]
    options = {"services": "PHONE", "message": "{name}", "sms_message": None, "voice": 1, "lines": iter([1])}
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        result = await run_job(sandbox, await make_job(rows, **options), ledger)
        async with connect(sandbox) as tingting:
            contacts = {each.number: each async for each in tingting.contacts.list(result.campaign.id)}
    assert 16 == len(result.rows) == len(contacts)
    for row in result.rows:
        contact = contacts[str(row.number)]
        assert (contact.status, contact.duration, contact.credit_consumed) == (row.status, row.duration, row.credits)
        assert row.status is not None
        assert (row.status.was_reached, row.status.is_final) == (row.was_reached, row.is_final)
        assert row.outcome is (JobOutcome.REACHED if row.was_reached else JobOutcome.NOT_REACHED)
    assert {JobOutcome.REACHED, JobOutcome.NOT_REACHED} == set(result.summary().outcomes)


async def test_stopped_campaign(tmp_path: Path) -> None:
    """A campaign that somebody stops ends the job; the rows say who was not reached."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        await stop_at(JobStep.FOLLOWING, sandbox, ledger)
        async with connect(sandbox) as tingting:
            await tingting.campaigns.stop(2)
        result = await run_job(sandbox, await make_job(), ledger)
    assert CampaignStatus.TERMINATED is result.campaign.status
    assert {JobOutcome.NOT_REACHED: 3} == result.summary().outcomes


async def test_refused_by_the_service(tmp_path: Path) -> None:
    """A row that the service refuses has the service's reason; later runs say that the campaign does not have it."""
    refusal = {"created": 2, "skipped": 0, "contacts": [], "errors": [{"row": 2, "error": "It is blocked."}]}
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        sandbox.faults.add(Fault("status_after", path="*/add-contact/", status=201, body=refusal))
        advance = forward(sandbox)

        def drop(progress: JobProgress) -> None:
            if progress.step is JobStep.RUNNING:  # As the service would have refused it.
                contacts = sandbox.world.campaigns[2].contacts
                for contact in [each for each in contacts if each.number == NUMBERS[2]]:
                    sandbox.world.remove_contact(contact)
            advance(progress)

        first, again = [await run_job(sandbox, await make_job(), ledger, on_progress=drop) for _ in range(2)]
        assert NUMBERS[:2] == texted(sandbox)
    assert (JobOutcome.REFUSED, "It is blocked.") == (first.rows[2].outcome, first.rows[2].reason)
    assert first.rows[:2] == again.rows[:2]
    assert JobOutcome.UNKNOWN is again.rows[2].outcome
    assert "has no contact with this number" in again.rows[2].reason


async def test_all_refused(tmp_path: Path) -> None:
    """If the service refuses every contact, the campaign is not run, and the error has the service's reasons."""
    refusal = {"created": 0, "skipped": 0, "contacts": [], "errors": [{"row": 0, "error": "9841000001 is blocked."}]}
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        sandbox.faults.add(Fault("status", path="*/add-contact/", status=201, body=refusal))
        with pytest.raises(UsageError, match=r"refused all contacts; nobody was reached. …01 is blocked\."):
            await run_job(sandbox, await make_job(), ledger)
        assert 0 == count_effects(sandbox, "run")


async def test_other_contacts(tmp_path: Path) -> None:
    """A contact that somebody else added is no row, and is noted; a report that cannot be read is noted, too."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        await stop_at(JobStep.FOLLOWING, sandbox, ledger)
        async with connect(sandbox) as tingting:
            await tingting.contacts.add(2, "9800000009")
        sandbox.faults.add(Fault("status", path="*/download/report/*", status=200, body={"detail": "Later."}))
        result = await run_job(sandbox, await make_job(), ledger)
    assert NUMBERS == [row.number for row in result.rows]
    assert "has 1 contact that is not among the recipients" in result.notes[1]
    assert "The report could not be read" in str(result.summary())


async def test_hidden_numbers(tmp_path: Path) -> None:
    """If the service hides numbers, rows are unknown, and never matched by their position."""
    page = {"id": 1, "number": "98XXXXXX01", "status": "completed"}
    body = {"count": 1, "total_pages": 1, "next": None, "previous": None, "results": [page]}
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        sandbox.faults.add(Fault("status", path="*/campaign-detail/*", status=200, body=body))
        result = await run_job(sandbox, await make_job(), ledger)
    assert {JobOutcome.UNKNOWN: 3} == result.summary().outcomes
    assert "does not show the numbers" in result.rows[0].reason


async def test_attempts(tmp_path: Path) -> None:
    """The number of attempts is what the report says, if it has such a column."""
    report = b"Number,Status,Call Attempts\n9841000001,completed,3\n+9779851000002,completed,x\n"
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        fault = Fault("status", path="*/download/report/*", status=200, body=report, headers={"Content-Length": "78"})
        sandbox.faults.add(fault)
        result = await run_job(sandbox, await make_job(), ledger)
    assert [3, None, None] == [row.attempts for row in result.rows]


async def test_deleted_campaign(tmp_path: Path) -> None:
    """A job whose campaign was deleted is not done again under the same key, and says what a new key does."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        await stop_at(JobStep.ADDING, sandbox, ledger)
        async with connect(sandbox) as tingting:
            await tingting.campaigns.delete(2)
        with pytest.raises(NotFoundError, match="was deleted") as caught:
            await run_job(sandbox, await make_job(), ledger)
        assert [] == texted(sandbox)
    [note] = caught.value.__notes__
    assert "It reaches everybody on the list, including people who were already reached" in note


async def test_restarted_sandbox(tmp_path: Path) -> None:
    """A sandbox that was started again has no campaign of the ledger: the error advises a new one, which works."""
    async with SqliteLedger(tmp_path / "old.sqlite") as old, SqliteLedger(tmp_path / "new.sqlite") as new:
        async with Sandbox(campaigns=0) as sandbox:
            await run_job(sandbox, await make_job(), old)
            port = urlsplit(sandbox.url).port
        assert port is not None
        async with Sandbox(campaigns=0, port=port) as sandbox:
            with pytest.raises(NotFoundError, match=r"a sandbox that is started again .* needs a new ledger"):
                await run_job(sandbox, await make_job(), old)
            assert [] == texted(sandbox)
            await run_job(sandbox, await make_job(), new)
            assert NUMBERS == texted(sandbox)


@pytest.mark.parametrize(
    "recipients",
    [
        [NewContact(number, {"name": "A", "amount": 1}) for number in NUMBERS],
        ({"phone": number, "name": "A", "amount": 1} for number in NUMBERS),
    ],
    ids=["contacts", "generator"],
)
async def test_rows_of_python(tmp_path: Path, recipients: Any) -> None:
    """Recipients may be whatever a `RecipientList` takes; an iterator is read once, and the job can be run again."""
    options = {"services": "SMS", "sms_message": "{name} {amount}", "idempotency_key": KEY}
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        job = CampaignJob(name="Fees", recipients=recipients, **options)
        results = [await run_job(sandbox, job, ledger) for _ in range(2)]
        assert NUMBERS == texted(sandbox)
    assert results[0].rows == results[1].rows
    assert [1, 2, 3] == [row.row for row in results[0].rows]


async def test_secrets(tmp_path: Path) -> None:
    """Neither the job nor its rows show a full number or a value."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        job = await make_job([*PEOPLE, ("Hari", "98610000099", "1")])
        result = await run_job(sandbox, job, ledger)
    shown = f"{job!r} {result!r} {result.rows!r} {result.summary()} {[row.reason for row in result.rows]}"
    assert all(secret not in shown for secret in (*NUMBERS, "98610000099", "Sita", "1,250"))


async def test_write(tmp_path: Path) -> None:
    """The outcomes are written with a line for each row of the input, whose sums are those of the summary."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        result = await run_job(sandbox, await make_job(MESSY, sms_message="{नाम}, {बाँकी रकम}"), ledger)
    for name in ("outcomes.csv", "outcomes.jsonl", "outcomes.xlsx"):
        assert len(OUTCOMES) == await result.write(tmp_path / name)
    lines = [json.loads(line) for line in (tmp_path / "outcomes.jsonl").read_text(encoding="utf-8").splitlines()]
    assert list(OUTCOMES) == [line["row"] for line in lines]
    summary = result.summary()
    assert dict(summary.outcomes) == Counter(line["outcome"] for line in lines)
    assert float(summary.credits) == sum(line["credits"] or 0 for line in lines)
    with (tmp_path / "outcomes.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [line["reason"] for line in lines] == [row["reason"] for row in rows]
    assert "9851000002" == rows[1]["number"]


async def test_write_own_columns(tmp_path: Path) -> None:
    """Each row that is written has the columns of the input, also if one of them has the name of a field."""
    rows = [
        {"phone": "+977-9841000001", "name": "Sita", "status": "paid"},
        {"phone": "984", "name": "Ram", "status": ""},
    ]
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        job = await make_job(rows, sms_message="{name}!")
        result = await run_job(sandbox, job, ledger)
    await result.write(tmp_path / "outcomes.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "outcomes.jsonl").read_text(encoding="utf-8").splitlines()]
    names = ["row", "phone", "name", "status (input)", "number", "outcome", "status"]
    assert [
        [1, "+977-9841000001", "Sita", "paid", "9841000001", "reached", "completed"],
        [2, "984", "Ram", "", None, "left out", None],
    ] == [[line[name] for name in names] for line in lines]
    assert names == [*lines[0]][: len(names)]


async def test_written_rows_are_read_again(tmp_path: Path) -> None:
    """A file of outcomes is a list of recipients, too, so that those who were not reached can be called again."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        result = await run_job(sandbox, await make_job(), ledger)
    await result.write(tmp_path / "outcomes.xlsx")
    people = await RecipientList.read(tmp_path / "outcomes.xlsx", number="number")
    assert NUMBERS == [each.number for each in people]


async def test_suppressed(tmp_path: Path) -> None:
    """Numbers on the suppression list are left out; one that is put there after it was reached keeps its outcome."""
    suppressed = ["+977 9841000001"]
    guards = Guards(suppressed=lambda: suppressed)
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        results = []
        for _ in range(2):
            async with connect(sandbox, ledger=ledger, guards=guards) as tingting:
                job = await make_job()
                results.append(await job.run(tingting, on_progress=forward(sandbox), poll_interval=0.01))
            suppressed.append(NUMBERS[1])
        suppressed.append("not a number")
        async with connect(sandbox, ledger=ledger, guards=guards) as tingting:
            await (await make_job()).run(tingting, poll_interval=0.01)
        assert NUMBERS[1:] == texted(sandbox)
    expected = [(JobOutcome.LEFT_OUT, "suppressed"), (JobOutcome.REACHED, ""), (JobOutcome.REACHED, "")]
    for result in results:
        assert expected == [(row.outcome, row.problem) for row in result.rows]


@pytest.mark.parametrize("left_out", [[], NUMBERS[2:]])
async def test_suppressed_since(tmp_path: Path, left_out: list[str]) -> None:
    """The list of today does not explain why somebody is missing in a job that was sent: they may have been reached.

    So they are not in the rejects. The outcomes can be read although everybody is on the list by now.
    """
    suppressed = ["9800000099", *left_out]
    guards = Guards(suppressed=lambda: suppressed)
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        for _ in range(2):
            async with connect(sandbox, ledger=ledger, guards=guards) as tingting:
                job = await make_job()
                result = await job.run(tingting, on_progress=forward(sandbox), poll_interval=0.01)
            if suppressed[1:] == left_out:
                (campaign,) = sandbox.world.campaigns.values()
                sandbox.world.remove_contact(next(each for each in campaign.contacts if each.number == NUMBERS[0]))
                suppressed.extend(NUMBERS)
    outcomes = [JobOutcome.UNKNOWN, JobOutcome.REACHED, JobOutcome.UNKNOWN if left_out else JobOutcome.REACHED]
    assert outcomes == [row.outcome for row in result.rows]
    assert "it was left out, the service refused it, or it was deleted" in result.rows[0].reason
    assert 0 == await result.write_rejects(tmp_path / "rejects.csv")


@pytest.mark.parametrize("is_stopped", [False, True])
async def test_suppressed_meanwhile(tmp_path: Path, is_stopped: bool) -> None:
    """Who is put on the suppression list after being added is removed from the campaign, in the same run or a later."""
    suppressed = ["9800000099"]
    guards = Guards(suppressed=lambda: suppressed)
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        if is_stopped:
            await stop_at(JobStep.RUNNING, sandbox, ledger)
        advance = forward(sandbox)

        def suppress(progress: JobProgress) -> None:
            if progress.step is JobStep.RUNNING or is_stopped:
                suppressed.append(NUMBERS[0])
            advance(progress)

        async with connect(sandbox, ledger=ledger, guards=guards) as tingting:
            result = await (await make_job()).run(tingting, on_progress=suppress, poll_interval=0.01)
        assert NUMBERS[1:] == texted(sandbox)
    assert ["suppressed", "", ""] == [row.problem for row in result.rows]
    assert 3 == sum(result.summary().outcomes.values())


@pytest.mark.parametrize(
    ("guards", "said"),
    [
        ({"max_recipients": 2}, "`max_recipients` is 2, and it would reach 3"),
        ({"max_credits": 5, "prices": Prices(per_sms_part=2)}, "`max_credits` is 5, and it is estimated to cost 6"),
        ({"prices": Prices(per_sms_part=10**9)}, "estimated to cost 3000000000 credits, and the account has"),
        ({"suppressed": NUMBERS}, "all are on the suppression list"),
        ({"suppressed": lambda: ["?"]}, "cannot be read"),
        ({"quiet_hours": (time(0), time(23, 59, 59, 999_999))}, "`quiet_hours` are from 00:00"),
    ],
)
async def test_guards(tmp_path: Path, guards: Any, said: str) -> None:
    """A job that the guards do not allow is refused before anything is created."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        async with connect(sandbox, ledger=ledger, guards=Guards(**guards)) as tingting:
            job = await make_job()
            with pytest.raises(UsageError, match=said):
                await job.run(tingting)
        assert sum(received.method == "POST" for received in sandbox.requests) == 0


async def test_guards_of_what_was_sent(tmp_path: Path) -> None:
    """A job that was run is followed, although the guards would not allow it any more."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        await stop_at(JobStep.FOLLOWING, sandbox, ledger)
        async with connect(sandbox, ledger=ledger, guards=Guards(max_recipients=0)) as tingting:
            result = await (await make_job()).run(tingting, on_progress=forward(sandbox), poll_interval=0.01)
    assert {JobOutcome.REACHED: 3} == result.summary().outcomes


async def test_schedule(tmp_path: Path) -> None:
    """A scheduled job is followed until its campaign has run, also by a run after the time of its schedule."""
    schedule = datetime.now(UTC) + timedelta(hours=1)
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        with pytest.raises(WaitTimeoutError) as caught:
            await run_job(sandbox, await make_job(schedule=schedule), ledger, on_progress=None, timeout=0.05)
        assert CampaignStatus.SCHEDULED is caught.value.last.status
        assert [] == texted(sandbox)
        sandbox.clock.advance(7200)
        result = await run_job(sandbox, await make_job(schedule=schedule), ledger)
        assert NUMBERS == texted(sandbox)
    assert {JobOutcome.REACHED: 3} == result.summary().outcomes


async def test_progress_of_a_scheduled_job(tmp_path: Path) -> None:
    """The progress of a job that is scheduled says for when, and a preview says that nobody is reached until then."""
    schedule, seen = datetime(2085, 1, 31, 21, 39, tzinfo=UTC), list[JobProgress]()
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        with pytest.raises(WaitTimeoutError):
            await run_job(sandbox, await make_job(schedule=schedule), ledger, on_progress=seen.append, timeout=0.05)
        async with connect(sandbox, ledger=ledger) as tingting:
            found = await (await make_job(schedule=schedule)).preview(tingting)
    assert str(seen[-1]).startswith("following: scheduled for 2085-")
    assert found.problems[0].startswith("The job was run before with this key, for 2085-01-31 21:39 UTC. Until then, ")


async def test_scheduled_job_that_was_stopped(tmp_path: Path) -> None:
    """Nobody of a scheduled campaign that was stopped is 'open': nothing more is tried, and the rows say why."""
    schedule = datetime.now(UTC) + timedelta(hours=1)
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        with pytest.raises(WaitTimeoutError):
            await run_job(sandbox, await make_job(schedule=schedule), ledger, on_progress=None, timeout=0.05)
        async with connect(sandbox) as tingting:
            await tingting.campaigns.stop(2)
        result = await run_job(sandbox, await make_job(schedule=schedule), ledger)
        assert [] == texted(sandbox)
    assert {JobOutcome.NOT_REACHED: 3} == result.summary().outcomes
    assert {(True, "The campaign was stopped before anything was tried.")} == {
        (row.is_final, row.reason) for row in result.rows
    }
