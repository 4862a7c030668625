import csv
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from support.sheets import write_sheet

from tingting_async import RecipientList, UsageError

pytestmark = pytest.mark.anyio

LINK = '=HYPERLINK("http://a.example","x")'
ROWS = [
    ["Name", "Phone", "", "Note"],
    ["Sita", "9841000001", "", ""],
    ["Ram", "+977-98410", "5", "-5"],
    ["'=x", "+977 (984) 100-0002 or 3", "", "@home"],
    [LINK, "98510", "7", "\tx"],
    ["Hari, B", "9851000009", "", "a", "b"],
]


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
async def test_round_trip(tmp_path: Path, suffix: str) -> None:
    """Rejects have the user's own columns; once corrected, the file is read as if nothing had been added."""
    people = await RecipientList.read(write_sheet(tmp_path / "list.csv", ROWS))
    path = tmp_path / f"rejects{suffix}"
    assert 4 == await people.write_rejects(path)
    again = await RecipientList.read(path)
    assert ("Name", "Phone", "C", "Note") == again.columns
    assert [row.cells for row in people.input_rows() if row.problem] == [row.cells for row in again.input_rows()]
    assert [problem.kind for problem in people.problems] == [problem.kind for problem in again.problems]


async def test_csv(tmp_path: Path) -> None:
    """A .csv file begins with the mark that Excel needs, and no cell of it is a formula."""
    people = await RecipientList.read(write_sheet(tmp_path / "list.csv", ROWS))
    path = tmp_path / "rejects.csv"
    await people.write_rejects(path)
    assert path.read_bytes().startswith(b"\xef\xbb\xbfName,Phone,C,Note,")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert ["Ram", "'+977-98410", "5", "'-5"] == rows[1][:4]
    assert f"'{LINK}" == rows[3][0]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t")) for row in rows for cell in row)
    assert ["TingTing: row", "TingTing: reason"] == rows[0][-2:]
    assert "3" == rows[1][-2]
    assert "digits" in rows[1][-1]


async def test_xlsx(tmp_path: Path) -> None:
    """All cells of an .xlsx file are text: no formula, and no number that a spreadsheet could round."""
    people = await RecipientList.read(write_sheet(tmp_path / "list.csv", ROWS))
    path = tmp_path / "rejects.xlsx"
    await people.write_rejects(path)
    sheet = openpyxl.load_workbook(path).worksheets[0]
    cells = [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {"s"} == {cell.data_type for cell in cells}
    assert ("98510", LINK) == (sheet["B4"].value, sheet["A4"].value)


async def test_corrected(tmp_path: Path) -> None:
    """A corrected row is ready, with the values that it had."""
    people = await RecipientList.read(write_sheet(tmp_path / "list.csv", ROWS))
    path = tmp_path / "rejects.csv"
    await people.write_rejects(path)
    text = path.read_text(encoding="utf-8").replace("'+977-98410", "'+977-9841000005")
    path.write_text(text, encoding="utf-8")
    (ready,) = await RecipientList.read(path)
    assert ("9841000005", {"Name": "Ram", "C": "5", "Note": "-5"}, 3) == (ready.number, ready.variables, ready.row)


async def test_no_headers(tmp_path: Path) -> None:
    """Rejects of a list without headers are recognised when they are read again."""
    people = await RecipientList.read(write_sheet(tmp_path / "list.csv", [["98410"], ["9841000001"], ["98510"]]))
    path = tmp_path / "rejects.csv"
    assert 2 == await people.write_rejects(path)
    assert [(1, "too short"), (3, "too short")] == [(p.row, p.kind) for p in (await RecipientList.read(path)).problems]


async def test_python_rows(tmp_path: Path) -> None:
    """Rejects of rows from Python have their keys as headers."""
    people = await RecipientList.from_rows(
        [{"phone": "98410", "due": 12.5, "ok": True}, {"phone": None, "tags": ["a"]}]
    )
    path = tmp_path / "rejects.csv"
    await people.write_rejects(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [row[:4] for row in csv.reader(file)]
    assert [["phone", "due", "ok", "tags"], ["98410", "12.5", "TRUE", ""], ["", "", "", '["a"]']] == rows


@pytest.mark.parametrize("name", ["rejects.txt", "rejects", "missing/rejects.csv"])
async def test_wrong_path(tmp_path: Path, name: str) -> None:
    """A path that cannot be written is an error of the argument, and leaves nothing behind."""
    people = await RecipientList.from_rows(["98410"])
    with pytest.raises(UsageError, match="`path`"):
        await people.write_rejects(tmp_path / name)
    assert [] == list(tmp_path.iterdir())


async def rejects_of(tmp_path: Path, content: str, name: str = "rejects.csv", **options: Any) -> Path:
    """Write the rejects of a .csv file with this content."""
    (tmp_path / "list.csv").write_text(content, encoding="utf-8")
    people = await RecipientList.read(tmp_path / "list.csv", **options)
    await people.write_rejects(tmp_path / name)
    return tmp_path / name


@pytest.mark.parametrize("name", ["rejects.csv", "rejects.xlsx"])
async def test_duplicates(tmp_path: Path, name: str) -> None:
    """A duplicate is still a duplicate in the rejects file, although the row that is ready is not there."""
    content = "Name,Phone\nRam,9841234567\nRam,+977 9841234567\nSita,98510\n"
    path = await rejects_of(tmp_path, content, name)
    people = await RecipientList.read(path)
    assert ([], ["duplicate", "too short"]) == ([*people], [problem.kind for problem in people.problems])
    await people.write_rejects(path)
    people = await RecipientList.read(path)
    assert ([], ["duplicate", "too short"]) == ([*people], [problem.kind for problem in people.problems])


@pytest.mark.parametrize(
    ("old", "new", "ready"),
    [
        ("Ram,'+977 9841234567", "Ram B,9841234567", []),
        ("Ram,'+977 9841234567", "Ram,9841234667", ["9841234667"]),
        ("98510", "9841234567", []),
        ("98510", "9851000001", ["9851000001"]),
    ],
)
async def test_corrected_duplicates(tmp_path: Path, old: str, new: str, ready: list[str]) -> None:
    """Nobody becomes ready with the number of a duplicate, whatever else is corrected; another number is."""
    path = await rejects_of(tmp_path, "Name,Phone\nRam,9841234567\nRam,+977 9841234567\nSita,98510\n")
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    assert ready == [each.number for each in await RecipientList.read(path)]


@pytest.mark.parametrize("name", ["rejects.csv", "rejects.xlsx"])
async def test_lacking_cells(tmp_path: Path, name: str) -> None:
    """A row that lacks cells still lacks them in the rejects file, until somebody has decided about each."""
    path = await rejects_of(tmp_path, "Phone,Name,Due,Class\n9841234567,Ram\n9851000002,Sita,5,6\n", name)
    people = await RecipientList.read(path)
    assert ([], ["cells"]) == ([*people], [problem.kind for problem in people.problems])
    assert "TingTing: missing" in people.problems[0].message


async def test_corrected_cells(tmp_path: Path) -> None:
    """A row that lacked cells is ready when each has its value or was emptied, and not before."""
    path = await rejects_of(tmp_path, "Phone,Name,Due,Class\n9841234567,Ram\n9851000002,Sita,5,6\n")
    texts = [path.read_text(encoding="utf-8").replace("TingTing: missing", "900", 1)]
    texts.append(texts[0].replace("TingTing: missing", ""))
    found = []
    for text in texts:
        path.write_text(text, encoding="utf-8")
        found.append([each.variables for each in await RecipientList.read(path)])
    assert [[], [{"Name": "Ram", "Due": "900", "Class": ""}]] == found


@pytest.mark.parametrize("phone", ["9841000001", "98410", b"9841000001"])
async def test_values_that_no_file_can_hold(tmp_path: Path, phone: Any) -> None:
    """The text that stands for a value in the rejects file is never taken for the value."""
    people = await RecipientList.from_rows([{"phone": phone, "value": b"x"}])
    path = tmp_path / "rejects.csv"
    assert 1 == await people.write_rejects(path)
    path.write_text(path.read_text(encoding="utf-8").replace("98410,", "9841000001,"), encoding="utf-8")
    people = await RecipientList.read(path)
    assert ([], ["value"]) == ([*people], [problem.kind for problem in people.problems])


@pytest.mark.parametrize("name", ["rejects.csv", "rejects.xlsx"])
async def test_original_rows(tmp_path: Path, name: str) -> None:
    """Rows of a rejects file have the numbers of the original file, after a second round, too."""
    path = await rejects_of(tmp_path, "Name,Phone\nA,9841000001\nB,98510\nC,9841000003\nD,98512\nE,98514\n", name)
    people = await RecipientList.read(path)
    assert [3, 5, 6] == [problem.row for problem in people.problems]
    assert "Row 3, " in people.problems[0].message
    await people.write_rejects(path)
    assert [3, 5, 6] == [row.row for row in (await RecipientList.read(path)).input_rows()]


async def test_added_rows(tmp_path: Path) -> None:
    """A row that somebody added to a rejects file has its row number in that file, and messages say so."""
    path = await rejects_of(tmp_path, "Name,Phone\nA,9841000001\nB,98510\nC,98511\n")
    content = path.read_text(encoding="utf-8").replace("98510", "9851000002")
    path.write_text(f"{content}D,9851000004,,\nE,98515,x,\nF,+977 9851000004,0,\n", encoding="utf-8")
    people = await RecipientList.read(path)
    expected = [(3, False), (4, False), (4, True), (5, True), (6, True)]
    assert expected == [(row.row, row.is_added) for row in people.input_rows()]
    messages = [problem.message for problem in people.problems]
    starts = ["Row 4", "Row 4 of this file", "Row 5 of this file", "Row 6 of this file"]
    assert starts == [message.partition(", column")[0] for message in messages]
    assert "the same number as in row 6 of this file" in messages[1]
    assert "apart from those that were added to this file: 4, 5, 6." in str(people.summary())
    await people.write_rejects(path)
    again = [(row.row, row.is_added) for row in (await RecipientList.read(path)).input_rows()]
    assert [(4, False), (3, True), (4, True), (5, True)] == again


@pytest.mark.parametrize("name", ["rejects.csv", "rejects.xlsx"])
@pytest.mark.parametrize(
    ("header", "number"),
    [
        ("Father's mobile,Mother's mobile", "Mother's mobile"),
        ("Father's mobile,Mother's mobile", "B"),
        ("Mobile,Emergency contact", "Emergency contact"),
        ("Mobile,Reference (old)", "Reference (old)"),
        ("Mobile,=x", "=x"),
        ("Mobile,", "B"),
        ("Ref 1,Ref 2", "Ref 2"),
    ],
)
async def test_number_column(tmp_path: Path, name: str, header: str, number: str) -> None:
    """A rejects file is read by the same column as the list, without being told which it is, round after round."""
    rows = "98410,9841000001\n9841000003,98510\n9841000005,98512\n"
    path = await rejects_of(tmp_path, f"{header}\n{rows}", name, number=number, has_header=True)
    for _ in range(2):
        people = await RecipientList.read(path)
        assert (header.partition(",")[2] or "B") == people.number_column
        assert [(3, "too short"), (4, "too short")] == [(problem.row, problem.kind) for problem in people.problems]
        await people.write_rejects(path)


async def test_renamed_number_column(tmp_path: Path) -> None:
    """A rejects file does not use the column that it remembers if that was renamed, or if `number` is given."""
    path = await rejects_of(tmp_path, "Mobile,Other\n98410,9841000001\n9841000003,98510\n", number="Other")
    assert "Mobile" == (await RecipientList.read(path, number="Mobile")).number_column
    path.write_text(path.read_text(encoding="utf-8").replace(",Other,", ",Another,"), encoding="utf-8")
    assert "Mobile" == (await RecipientList.read(path)).number_column
