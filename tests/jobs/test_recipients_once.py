"""A job reads its recipients once and whole, however many calls need them, and whatever becomes of the reading."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from support.jobs import run_job, texted
from support.v1 import connect

from tingting_async import CampaignJob, SqliteLedger, UsageError
from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

NUMBERS = [f"98012{number:05d}" for number in range(600)]


async def in_async_steps() -> AsyncIterator[str]:
    """Yield the numbers, and let other tasks run after each."""
    for number in NUMBERS:
        await asyncio.sleep(0)
        yield number


class Reader:
    """An iterator that fails in the middle, and goes on after that."""

    def __init__(self) -> None:
        self._numbers = iter(NUMBERS)
        self._left = 300

    def __iter__(self) -> "Reader":
        return self

    def __next__(self) -> str:
        if self._left == 0:
            self._left -= 1
            raise OSError("the file cannot be read")
        self._left -= 1
        return next(self._numbers)


def job_for(recipients: Any) -> CampaignJob:
    """Return a job that texts the recipients."""
    return CampaignJob(name="A", services="SMS", sms_message="hi", recipients=recipients, idempotency_key="a")


@pytest.mark.parametrize("make", [lambda: (number for number in NUMBERS), in_async_steps], ids=["sync", "async"])
@pytest.mark.parametrize("first", ["run", "preview"])
async def test_two_calls_at_once(tmp_path: Path, make: Any, first: str) -> None:
    """Two calls at the same time that need an iterator share what it yields, and everybody is texted once."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        job = job_for(make())
        async with connect(sandbox, ledger=ledger) as tingting:
            other = run_job(sandbox, job, ledger) if first == "run" else job.preview(tingting)
            results: list[Any] = await asyncio.gather(other, run_job(sandbox, job, ledger))
        assert NUMBERS == texted(sandbox)
    assert [600, 600] == [len(result.rows) for result in results]


@pytest.mark.parametrize(
    "make",
    [Reader, lambda: iter([*NUMBERS[:300], object(), *NUMBERS[300:]])],
    ids=["reading fails", "a row is refused"],
)
async def test_reading_that_fails(tmp_path: Path, make: Any) -> None:
    """After a failure in the middle of an iterator, the job never runs with the rest of it."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        job = job_for(make())
        with pytest.raises((UsageError, OSError)):
            await run_job(sandbox, job, ledger)
        with pytest.raises(
            UsageError, match=r"an earlier call has read a part of it.* Make the job again, with a list"
        ):
            await run_job(sandbox, job, ledger)
        assert [] == texted(sandbox)


async def test_reading_that_is_cancelled(tmp_path: Path) -> None:
    """After a cancellation in the middle of an iterator, the job never runs with the rest of it."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        begun = asyncio.Event()

        async def rows() -> AsyncIterator[str]:
            yield NUMBERS[0]
            begun.set()
            await asyncio.Event().wait()

        job = job_for(rows())
        task = asyncio.ensure_future(run_job(sandbox, job, ledger))
        await begun.wait()
        task.cancel()
        await asyncio.wait([task])
        with pytest.raises(UsageError, match="an earlier call has read a part of it"):
            await run_job(sandbox, job, ledger)
        assert [] == texted(sandbox)


async def test_a_list_that_was_corrected(tmp_path: Path) -> None:
    """A list with a wrong row can be corrected, and the same job run again."""
    async with Sandbox(campaigns=0) as sandbox, SqliteLedger(tmp_path / "sends.sqlite") as ledger:
        rows: list[Any] = [*NUMBERS[:3], object()]
        job = job_for(rows)
        with pytest.raises(UsageError, match=r"rows\[3\]"):
            await run_job(sandbox, job, ledger)
        rows.pop()
        await run_job(sandbox, job, ledger)
        assert NUMBERS[:3] == texted(sandbox)


def test_two_event_loops() -> None:
    """A job whose reading failed in one event loop can be previewed twice at once in another."""
    numbers: list[Any] = [*NUMBERS[:3], object()]

    class Rows:
        """Rows that can be read again."""

        async def __aiter__(self) -> AsyncIterator[Any]:
            for number in numbers:
                await asyncio.sleep(0)
                yield number

    job = CampaignJob(name="A", services="SMS", sms_message="hi", recipients=Rows())

    async def preview_twice() -> list[Any]:
        async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
            return await asyncio.gather(job.preview(tingting), job.preview(tingting), return_exceptions=True)

    assert [UsageError] * 2 == [type(each) for each in asyncio.run(preview_twice())]
    numbers.pop()
    assert [3, 3] == [len(each.reached) for each in asyncio.run(preview_twice())]
