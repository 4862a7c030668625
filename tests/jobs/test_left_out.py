"""Rows that a job leaves out: they can be corrected, and the messages say what to do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from support.jobs import NUMBERS, PEOPLE, forward, make_job, run_job, texted
from support.v1 import connect

from tingting_async import (
    GuardError,
    Guards,
    JobOutcome,
    JobProgress,
    JobStep,
    RecipientList,
    SqliteLedger,
    UsageError,
)
from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

LIST = """Name,Phone,amount
Sita,9841000001,"1,250.00"
,9841000002,5
,9841000002,5
Ram,98510,6
Gita,9861000003,7
Gita,+977 9861000003,7
Uma,01-4412345,8
Maya,9841000009,/fd lzj
"""


async def people_of(tmp_path: Path) -> RecipientList:
    """Return the recipients of a list in a file with empty rows and a title above them."""
    path = tmp_path / "fees.csv"
    path.write_text(f"Fees,,\n\n{LIST}", encoding="utf-8")
    return await RecipientList.read(path)


@pytest.mark.parametrize("name", ["rejects.csv", "rejects.xlsx"])
async def test_rejects(tmp_path: Path, name: str) -> None:
    """All rows that were not given to the service are in the rejects, and are reached once they are corrected."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        job = await make_job(recipients=await people_of(tmp_path), sms_message="{Name}: {amount}")
        result = await run_job(sandbox, job, ledger)
        assert 6 == await result.write_rejects(tmp_path / name)
        rejects = await RecipientList.read(tmp_path / name)
        assert [5, 6, 7, 9, 10, 11] == [row.row for row in rejects.input_rows()]
        await rejects.write_rejects(tmp_path / "again.csv")
        reached = [row for row in result.rows if row.outcome not in ("left out", "refused")]
        # Rows 5 and 6 have one number and no name. Somebody corrects the first, and removes the second.
        table = [[*row.cells] for row in rejects.input_rows() if row.row != 6]
        table[0][0], table[1][1], table[4][2] = "Hari", "9851000002", "10"
        corrected = await RecipientList.from_rows([("Name", "Phone", "amount"), *table], besides=reached)
        job = await make_job(
            recipients=corrected, sms_message="{Name}: {amount}", idempotency_key="corrected", name="Corrected"
        )
        result = await run_job(sandbox, job, ledger)
        assert ["reached", "reached", "left out", "left out", "reached"] == [row.outcome for row in result.rows]
        expected = [NUMBERS[0], "9841000002", "9841000009", "9851000002", NUMBERS[2]]
        assert sorted(expected) == texted(sandbox)


async def test_corrected_rows(tmp_path: Path) -> None:
    """A row that only the job has left out is ready after its correction, although another had its number, too.

    The outcomes of the corrected file have the numbers of the rows in the original file.
    """
    path = tmp_path / "rejects.csv"
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        job = await make_job(recipients=await people_of(tmp_path), sms_message="{Name}: {amount}")
        await (await run_job(sandbox, job, ledger)).write_rejects(path)
        text = path.read_text(encoding="utf-8").replace("\n,9841000002,5,", "\nHari,9841000002,5,")
        path.write_text(text.replace("98510,", "9851000002,").replace("/fd lzj", "9"), encoding="utf-8")
        job = await make_job(
            recipients=await RecipientList.read(path),
            sms_message="{Name}: {amount}",
            idempotency_key="corrected",
            name="Corrected",
        )
        result = await run_job(sandbox, job, ledger)
    outcomes = [(row.row, row.problem) for row in result.rows]
    assert [(5, ""), (6, "duplicate"), (7, ""), (9, "duplicate"), (10, "landline"), (11, "")] == outcomes


SPOILED = "S.N.,phone,name\n1,9841000001,Ram\n#N/A,9841000001,Ram\n3,9841000001,Ram\n4,{other}\n"


@pytest.mark.parametrize("is_corrected", [False, True])
async def test_duplicates_of_who_is_reached(tmp_path: Path, is_corrected: bool) -> None:
    """The rejects of a job and of its preview have no row that reaches a person again, whatever is wrong with it.

    The person is reached by another row of the list, or by another list.
    """
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        path = tmp_path / "list.csv"
        path.write_text(SPOILED.format(other="9851000002,"), encoding="utf-8")
        first = await RecipientList.read(path)
        job = await make_job(recipients=first, sms_message="{name}")
        async with connect(sandbox, ledger=ledger) as tingting:
            await (await job.preview(tingting)).write_rejects(tmp_path / "preview.csv")
        await (await run_job(sandbox, job, ledger)).write_rejects(tmp_path / "first.csv")
        path.write_text(SPOILED.format(other="9861000003,Gita"), encoding="utf-8")
        job = await make_job(
            recipients=await RecipientList.read(path, besides=first),
            sms_message="{name}",
            idempotency_key="second",
        )
        await (await run_job(sandbox, job, ledger)).write_rejects(tmp_path / "second.csv")
        assert [NUMBERS[0], NUMBERS[2]] == texted(sandbox)
    for name in ("preview.csv", "first.csv", "second.csv"):
        text = (tmp_path / name).read_text(encoding="utf-8-sig")
        (tmp_path / name).write_text(text.replace("#N/A", "2") if is_corrected else text, encoding="utf-8")
        assert [] == [each for each in await RecipientList.read(tmp_path / name) if each.number == "9841000001"]


async def test_refused(tmp_path: Path) -> None:
    """Contacts that the service has refused are in the rejects, with its reason."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        result = await run_job(sandbox, await make_job(), ledger)
        row = attrs.evolve(result.rows[1], outcome=JobOutcome.REFUSED, reason="It is blocked.")
        result = attrs.evolve(result, rows=(result.rows[0], row, result.rows[2]))
    path = tmp_path / "rejects.csv"
    assert 1 == await result.write_rejects(path)
    assert path.read_text(encoding="utf-8-sig").endswith("Ram,'+977 985-1000002,900,3,It is blocked.\n")


async def test_legacy_font(tmp_path: Path) -> None:
    """A message or a value that only seems to be typed for a legacy font is sent, if the job says so."""
    rows = [PEOPLE[0], ("/fd lzj", "9841000001", "5")]
    with pytest.raises(UsageError, match=r"only row is left out.*`allow_legacy_font=True`"):
        async with Sandbox() as sandbox:
            await run_job(sandbox, await make_job(rows, idempotency_key=None), None)
    with pytest.raises(UsageError, match=r"The message seems to be typed .*`allow_legacy_font=True`"):
        async with Sandbox() as sandbox:
            await run_job(sandbox, await make_job(idempotency_key=None, sms_message="/fd lzj g]kfn"), None)
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        job = await make_job(rows, allow_legacy_font=True, sms_message="/fd lzj g]kfn {name}")
        assert ["reached"] == [row.outcome for row in (await run_job(sandbox, job, ledger)).rows]


def at(step: JobStep, sandbox: Sandbox, change: Callable[[], object]) -> Callable[[JobProgress], None]:
    """Return an `on_progress` that changes something at a step, and lets the campaign end."""
    advance = forward(sandbox)

    def note(progress: JobProgress) -> None:
        if progress.step is step:
            change()
        advance(progress)

    return note


async def run_changed(
    tmp_path: Path, step: JobStep, suppressed: list[str], change: Callable[[], object]
) -> tuple[Any, list[str]]:
    """Run a job during which the suppression list changes. Return its result, or its error, and who was texted."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        guards = Guards(suppressed=lambda: suppressed)
        async with connect(sandbox, ledger=ledger, guards=guards) as tingting:
            try:
                note = at(step, sandbox, change)
                result: Any = await (await make_job()).run(tingting, on_progress=note, poll_interval=0.01)
            except UsageError as error:
                result = error
        return result, texted(sandbox)


@pytest.mark.parametrize("step", [JobStep.CREATING, JobStep.ADDING, JobStep.RUNNING])
async def test_suppressed_meanwhile(tmp_path: Path, step: JobStep) -> None:
    """Who is put on the suppression list while the job is at work is left out for that reason, at whatever step."""
    suppressed = ["9800000099"]
    result, reached = await run_changed(tmp_path, step, suppressed, lambda: suppressed.append(NUMBERS[0]))
    assert NUMBERS[1:] == reached
    expected = [("left out", "suppressed"), ("reached", ""), ("reached", "")]
    assert expected == [(row.outcome, row.problem) for row in result.rows]


@pytest.mark.parametrize("step", [JobStep.CREATING, JobStep.ADDING, JobStep.RUNNING])
async def test_all_suppressed_meanwhile(tmp_path: Path, step: JobStep) -> None:
    """If everybody is put on the suppression list while the job is at work, the error says so, and what to do."""
    suppressed = ["9800000099"]
    error, reached = await run_changed(tmp_path, step, suppressed, lambda: suppressed.extend(NUMBERS))
    assert [] == reached
    assert "the suppression list has changed, and now all `recipients` are on it" in str(error)
    assert "delete it" in str(error)


@pytest.mark.parametrize("step", [JobStep.ADDING, JobStep.RUNNING])
async def test_unreadable_meanwhile(tmp_path: Path, step: JobStep) -> None:
    """If a guard refuses the job half-way, the note says how to continue: with the same key, not a new one."""
    suppressed = ["9800000099"]
    error, reached = await run_changed(tmp_path, step, suppressed, lambda: suppressed.append("?"))
    assert ([], True) == (reached, isinstance(error, GuardError))
    (note,) = error.__notes__
    assert "may have changed since the job began" in note
    assert "run the job again with the same key" in note
    assert "new key" not in note
