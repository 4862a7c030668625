from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.sheets import Failed, Formula, write_sheet, write_sheets

from tingting_async import RecipientList, UsageError

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("format", ["xlsx", "xls", "ods"])]

PEOPLE: list[list[Any]] = [["name", "phone"], ["Sita", 9841000001], ["Ram", "+977 985-1000002"]]


async def test_cells(tmp_path: Path, format: str) -> None:
    """Cells become the text that the spreadsheet shows: no .0, no midnight, 15 digits."""
    cells = [1250, 1250.5, 0.1 + 0.2, -3, True, date(2026, 1, 2), datetime(2026, 1, 2, 15, 4), " as  typed ", "007"]
    header = [f"v{place}" for place in range(len(cells))]
    path = write_sheet(tmp_path / f"list.{format}", [["phone", *header], [9841000001, *cells], [9841000002]])
    people = await RecipientList.read(path)
    expected = ["1250", "1250.5", "0.3", "-3", "TRUE", "2026-01-02", "2026-01-02 15:04", " as  typed ", "007"]
    assert expected == list(people[0].variables.values())
    assert [""] * len(cells) == list(people[1].variables.values())


async def test_rows_and_columns(tmp_path: Path, format: str) -> None:
    """Rows and columns are those that the spreadsheet shows, though it begins with empty ones."""
    rows = [
        [],
        [None, "Our people"],
        [],
        [None, None, "phone", "name"],
        [None, None, 9841000001, "Sita"],
        [],
        [None, None, 98410, "Ram"],
    ]
    people = await RecipientList.read(write_sheet(tmp_path / f"list.{format}", rows))
    assert [("9841000001", {"name": "Sita"}, 5)] == [(p.number, p.variables, p.row) for p in people]
    (problem,) = people.problems
    assert (7, "phone", "too short") == (problem.row, problem.column, problem.kind)
    assert "Row 7, column C (phone)" in problem.message


async def test_hidden_sheets(tmp_path: Path, format: str) -> None:
    """Hidden and empty sheets are passed over, and a hidden one is read if it is named."""
    sheets = {"Old": [["phone"], [9851000009]], "People": PEOPLE, "Empty": []}
    path = write_sheets(tmp_path / f"list.{format}", sheets, hidden=["Old"])
    people = await RecipientList.read(path)
    assert ["9841000001", "9851000002"] == [each.number for each in people]
    assert "hidden sheets, not read: 'Old'" in str(people.summary())
    assert ["9851000009"] == [each.number for each in await RecipientList.read(path, sheet="old")]


async def test_several_sheets(tmp_path: Path, format: str) -> None:
    """If several sheets are visible, one must be chosen by its name."""
    path = write_sheets(tmp_path / f"list.{format}", {"Class 5": PEOPLE, "Class 6": [["phone"], [9851000009]]})
    with pytest.raises(UsageError, match=r"choose one of 'Class 5', 'Class 6' with `sheet=`"):
        await RecipientList.read(path)
    assert ["9851000009"] == [each.number for each in await RecipientList.read(path, sheet="Class 6")]
    with pytest.raises(UsageError, match="no such sheet, but 'Class 5', 'Class 6'"):
        await RecipientList.read(path, sheet="Class 7")


async def test_no_cells(tmp_path: Path, format: str) -> None:
    """A spreadsheet without any cells is refused."""
    with pytest.raises(UsageError, match="no visible sheet with any cells"):
        await RecipientList.read(write_sheet(tmp_path / f"list.{format}", []))


async def test_failed_formulas(tmp_path: Path, format: str) -> None:
    """A cell with an error, and a formula without a result, are problems of their own, and are not empty."""
    rows = [
        ["name", "phone", "due"],
        ["A", 9841000001, 900],
        ["B", 9841000002, Failed("#N/A")],
        ["C", Failed("#DIV/0!"), 900],
        ["D", 9841000003, Formula("=1+1")],
        ["E", Formula("=1+1"), 900],
        ["F", 9841000004, None],
    ]
    people = await RecipientList.read(write_sheet(tmp_path / f"list.{format}", rows))
    assert [("9841000001", "900"), ("9841000004", "")] == [(p.number, p.variables["due"]) for p in people]
    assert [
        (3, "due", "error"),
        (4, "phone", "error"),
        (5, "due", "formula"),
        (6, "phone", "formula"),
    ] == [(p.row, p.column, p.kind) for p in people.problems]
    assert "#DIV/0!" in people.problems[1].message


async def test_same_content_in_another_format(tmp_path: Path, format: str) -> None:
    """A list has the same digest in every format, and another one if a cell differs."""
    paths = [write_sheet(tmp_path / f"list.{each}", PEOPLE) for each in (format, "csv")]
    one, other = [(await RecipientList.read(path)).digest for path in paths]
    assert one == other
    changed = write_sheet(tmp_path / f"changed.{format}", [*PEOPLE[:2], ["Rama", "+977 985-1000002"]])
    assert (await RecipientList.read(changed)).digest != one


async def test_format_by_content(tmp_path: Path, format: str) -> None:
    """The content of a file decides about its format, because names are often wrong."""
    path = write_sheet(tmp_path / f"list.{format}", PEOPLE)
    people = await RecipientList.read(path.rename(tmp_path / "list.csv"))
    assert ["9841000001", "9851000002"] == [each.number for each in people]


async def test_durations(tmp_path: Path, format: str) -> None:
    """A time of day is shown with hours and minutes."""
    rows = [
        ["phone", "at"],
        [9841000001, datetime(2026, 1, 2, 15, 4, 5)],
        [9841000002, datetime(2026, 1, 2) + timedelta(hours=9)],
    ]
    people = await RecipientList.read(write_sheet(tmp_path / f"list.{format}", rows))
    assert ["2026-01-02 15:04:05", "2026-01-02 09:00"] == [each.variables["at"] for each in people]
