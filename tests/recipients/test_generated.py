"""Files of all formats, in which 3 % of the rows have a problem of each kind."""

from pathlib import Path

import pytest
from support.people import HEADER, OTHERS, PROBLEMS, people
from support.sheets import FORMATS, write_sheet

from tingting_async import RecipientList

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("format", FORMATS)
async def test_every_row(tmp_path: Path, format: str) -> None:
    """Every good number is ready once. Every other row is a reject with its reason, also if the rejects are read."""
    rows, wrong, right = people(2000)
    assert {*PROBLEMS, *OTHERS} == set(wrong.values())
    given = await RecipientList.read(write_sheet(tmp_path / f"people.{format}", rows), mobile_only=True)
    assert right == {each.number: each.row for each in given}
    assert len(right) == len(given)
    wrong = dict(sorted(wrong.items()))
    assert wrong == {problem.row: str(problem.kind) for problem in given.problems}
    summary = given.summary()
    assert (2000, len(right), len(wrong)) == (summary.rows, summary.ready, sum(summary.problems.values()))

    path = tmp_path / "rejects.csv"
    assert len(wrong) == await given.write_rejects(path)
    again = await RecipientList.read(path, mobile_only=True)
    assert tuple(HEADER) == again.columns
    assert ([], [*wrong.values()]) == ([*again], [str(problem.kind) for problem in again.problems])
