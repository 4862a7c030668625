"""How texts show numbers of things."""

from decimal import Decimal

import pytest

from tingting_async.jobs.job_result import JobOutcome, JobSummary
from tingting_async.quantities import counted
from tingting_async.recipients.recipient_list import ListSummary


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (Decimal(1), "1 row"), (Decimal("1.50"), "1.50 rows")],
)
def test_counted(count: int | Decimal, shown: str) -> None:
    """One thing is shown in the singular, any other number in the plural."""
    assert shown == counted(count, "row")


@pytest.mark.parametrize(
    ("reached", "rows", "shown"),
    [(1, 1, "1 of 1 rows was"), (1, 3, "1 of 3 rows was"), (0, 1, "0 of 1 rows were"), (2, 3, "2 of 3 rows were")],
)
def test_summary_of_a_job(reached: int, rows: int, shown: str) -> None:
    """The summary of a job has a verb in the singular for one row that was reached."""
    summary = JobSummary(rows, {JobOutcome.REACHED: reached}, {}, {}, Decimal(0))
    assert f"{shown} reached.\nCredits: 0." == str(summary)


def test_summary_of_a_list() -> None:
    """The summary of a list has a verb in the singular for one row that is ready."""
    assert ["1 of 1 rows is ready.", "2 of 3 rows are ready."] == [
        str(ListSummary(rows, ready, {}, 0, ())) for rows, ready in ((1, 1), (3, 2))
    ]
