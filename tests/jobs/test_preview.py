"""What a job would do, before it does anything."""

import csv
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from support.jobs import KEY, NUMBERS, PEOPLE, forward, make_job, run_job
from support.v1 import connect

from tingting_async import Guards, Prices, RecipientList, SqliteLedger, TingTing as Classic, TingTingError, UsageError
from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

ROWS = [
    *PEOPLE,
    ("Hari", "98410", "5"),
    ("", "9841000008", "6"),
    ("Maya", "9841000009", "/fd lzj"),
    ("Uma", "01-4412345", "7"),
    ("Kala", "9841000010", "8"),
    ("Sita", "+977 9841000001", "1,250.00"),
]
KINDS = ["", "", "", "too short", "no value", "legacy font", "landline", "suppressed", "duplicate"]


async def preview(sandbox: Sandbox, *, guards: Guards | None = None, prices: Prices | None = None, **job: Any) -> Any:
    """Return the preview of a job without a ledger."""
    async with connect(sandbox, guards=guards) as tingting:
        return await (await make_job(**{"rows": ROWS, "idempotency_key": None, **job})).preview(tingting, prices=prices)


async def test_no_prices() -> None:
    """Prices of another type are refused before anything is requested."""
    async with Sandbox(campaigns=0) as sandbox:
        with pytest.raises(UsageError, match="`prices` must be `Prices"):
            await preview(sandbox, prices=cast("Any", 1.5))
        assert [] == sandbox.requests


async def test_preview(tmp_path: Path) -> None:
    """A preview has who would be reached with what text, and who would be left out and why; nothing is sent."""
    async with Sandbox() as sandbox:
        campaigns = len(sandbox.world.campaigns)
        found = await preview(sandbox, guards=Guards(suppressed=["9841000010"]))
        assert (campaigns, [], set()) == (
            len(sandbox.world.campaigns),
            [*sandbox.side_effects],
            {request.method for request in sandbox.requests} - {"GET"},
        )
    assert KINDS == [row.problem for row in found.rows]
    expected = [("9841000001", "Sita: 1,250.00"), ("9851000002", "Ram: 900"), ("9861000003", "Gita: 10")]
    assert expected == [(row.number, row.sms_message) for row in found.reached]
    assert [5, 6, 7, 8, 9, 10] == [row.row for row in found.left_out]
    assert "Row 6 has no value for name." == found.rows[4].reason
    assert ((), 0, 3, None, None) == (
        found.problems,
        found.calls,
        found.sms_parts,
        found.estimated_credits,
        found.credits_left,
    )
    assert str(found).startswith("3 of 9 rows would be reached.\n1 left out: too short.")
    assert "98410" not in repr(found)
    assert 9 == await found.write(tmp_path / "preview.csv")
    with (tmp_path / "preview.csv").open(encoding="utf-8-sig", newline="") as file:
        first = next(csv.DictReader(file))
    assert ("2", "Sita", "Sita: 1,250.00") == (first["row"], first["name"], first["sms_message"])


async def test_calls() -> None:
    """Calls are previewed with the text that each person would hear, and their cost with the prices that are given."""
    fields = {"services": "SMS & PHONE", "message": "Namaste {name}", "voice": 1, "lines": [1]}
    async with Sandbox() as sandbox:
        found = await preview(sandbox, rows=PEOPLE, prices=Prices(per_sms_part=1, per_call=2.5), **fields)
        assert ["Namaste Sita", "Namaste Ram", "Namaste Gita"] == [row.message for row in found.rows]
        assert (3, 3, Decimal("10.5"), ()) == (found.calls, found.sms_parts, found.estimated_credits, found.problems)
        assert found.credits_left is not None
        costly = await preview(sandbox, rows=PEOPLE, prices=Prices(per_sms_part=10**9, per_call=1), **fields)
        assert ["It is estimated to cost"] == [problem[:23] for problem in costly.problems]
        with pytest.raises(UsageError, match="per_call"):
            await preview(sandbox, rows=PEOPLE, prices=Prices(per_sms_part=1), **fields)


@pytest.mark.parametrize(
    ("guards", "job", "said"),
    [
        (Guards(max_recipients=2), {}, "`max_recipients` is 2, and it would reach 3"),
        (Guards(max_credits=2, prices=Prices(per_sms_part=1)), {}, "`max_credits` is 2"),
        (Guards(suppressed=lambda: ["?"]), {}, "the suppression list cannot be read"),
        (Guards(suppressed=NUMBERS), {}, "all are on the suppression list"),
        (None, {"rows": [PEOPLE[0], ("Ram", "98410", "1")]}, "its only row is left out. Row 2"),
    ],
)
async def test_refused_as_a_whole(guards: Guards | None, job: dict[str, Any], said: str) -> None:
    """A reason why the whole job cannot run is a problem of the preview, which still has the rows."""
    async with Sandbox() as sandbox:
        found = await preview(sandbox, guards=guards, **{"rows": PEOPLE, **job})
        assert [True] == [said in problem for problem in found.problems]
        assert said in str(found)
        assert len(found.rows) == len(job.get("rows", PEOPLE)) - 1


async def test_quiet_hours_and_schedule() -> None:
    """The guards look at the schedule, as they do before a run."""
    at = datetime(2099, 1, 1, 10, tzinfo=UTC) + timedelta(hours=12)
    async with Sandbox() as sandbox:
        found = await preview(sandbox, rows=PEOPLE, guards=Guards(quiet_hours=(time(20), time(8))), schedule=at)
        assert [True] == ["`quiet_hours`" in problem for problem in found.problems]


async def test_again(tmp_path: Path) -> None:
    """The preview of a job that was sent reaches nobody and checks no guard, and leaves no trace in the ledger.

    With other recipients or fields, it says that `run` refuses the job, in the words of `run`.
    """
    async with Sandbox() as sandbox:
        ledger = SqliteLedger(tmp_path / "sends.sqlite")
        async with connect(sandbox, ledger=ledger) as tingting:
            assert () == (await (await make_job()).preview(tingting)).problems
            assert [] == await ledger.unresolved()
        result = await run_job(sandbox, await make_job(), SqliteLedger(tmp_path / "sends.sqlite"))
        assert 3 == len(result.rows)
        guards = Guards(suppressed=[NUMBERS[0]], max_recipients=1, prices=Prices(per_sms_part=10**9))
        async with connect(sandbox, ledger=SqliteLedger(tmp_path / "sends.sqlite"), guards=guards) as tingting:
            found = await (await make_job(idempotency_key=KEY)).preview(tingting)
            (problem,) = found.problems
            assert "run before with this key: `run` calls and texts nobody again" in problem
            assert (True, (), (), 0, 0) == (found.was_sent, found.reached, found.left_out, found.calls, found.sms_parts)
            assert ([""] * 3, 0) == ([row.sms_message for row in found.rows], found.estimated_credits)
            assert str(found).startswith("0 of 3 rows would be reached.\nCredits: 0 are estimated")
            assert 0 == await found.write_rejects(tmp_path / "rejects.csv")
            for other in ({"rows": PEOPLE[:3]}, {"sms_message": "{name}"}, {"name": "Fines"}):
                job = await make_job(**other)
                found = await job.preview(tingting)
                with pytest.raises(UsageError, match="had other arguments for") as refused:
                    await job.run(tingting)
                assert ((), (str(refused.value),)) == (found.reached, found.problems)


async def test_begun_with_others(tmp_path: Path) -> None:
    """A job that has begun and was not sent is refused with other recipients, and its preview says so."""
    async with Sandbox() as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        async with connect(sandbox, ledger=ledger) as tingting:
            sandbox.faults.add(Fault("status", path="*/run-campaign/*", status=403))
            with pytest.raises(TingTingError):
                await (await make_job()).run(tingting, wait=0.1)
            assert ((), 3) == ((found := await (await make_job()).preview(tingting)).problems, len(found.reached))
            found = await (await make_job(PEOPLE[:3])).preview(tingting)
            (problem,) = found.problems
    assert str(found).startswith("`run` would be refused now. Otherwise, ")
    assert "had other arguments for `recipients`" in problem


async def test_other_sessions() -> None:
    """A preview needs what a run needs, and names itself in the error."""
    job = await make_job(idempotency_key=None)
    with pytest.raises(UsageError, match=r"CampaignJob.preview: `tingting` must be a session of the v1 API"):
        await job.preview(Classic(api_token="token"))  # type: ignore[arg-type]


async def test_rejects(tmp_path: Path) -> None:
    """The rows that would be left out are written to a file, and are ready once they are corrected."""
    path = tmp_path / "rejects.csv"
    async with Sandbox() as sandbox:
        found = await preview(sandbox, guards=Guards(suppressed=["9841000010"]))
        assert 6 == await found.write_rejects(path)
        text = (
            path.read_text(encoding="utf-8").replace("98410,", "9841000005,").replace("\n,9841000008", "\nA,9841000008")
        )
        path.write_text(text.replace("/fd lzj", "राम"), encoding="utf-8")
        corrected = await RecipientList.read(path, besides=[row.number for row in found.reached])
        again = await preview(sandbox, rows=[*corrected], guards=Guards(suppressed=["9841000010"]))
    assert [5, 6, 7, 8, 9] == [person.row for person in corrected]
    assert ["9841000005", "9841000008", "9841000009"] == [row.number for row in again.reached]


async def test_prices_that_are_only_for_the_preview() -> None:
    """Credits that would not suffice by the `prices` of a preview are a problem, and do not refuse the run."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        job = await make_job(idempotency_key=None)
        found = await job.preview(tingting, prices=Prices(per_sms_part=10**6))
        assert (False, 1) == (found.is_refused, len(found.problems))
        assert str(found).startswith("3 of 3 rows would be reached.")
        await job.run(tingting, on_progress=forward(sandbox), poll_interval=0.01)
