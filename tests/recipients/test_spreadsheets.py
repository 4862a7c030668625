import random
import zipfile
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


@pytest.mark.parametrize("suffix", ["csv", "txt", "xlsx", "xls", "ods", "XLSM", "xlsb"])
async def test_format_by_content(tmp_path: Path, format: str, suffix: str) -> None:
    """The content of a file decides about its format, because names are often wrong."""
    rows = [*PEOPLE, ["Hari", Failed("#N/A")]]
    path = write_sheet(tmp_path / f"list.{format}", rows).rename(tmp_path / f"people.{suffix}")
    people = await RecipientList.read(path)
    assert ["9841000001", "9851000002"] == [each.number for each in people]
    assert ["error"] == [each.kind for each in people.problems]


@pytest.mark.parametrize("suffix", ["xlsx", "xls", "ods"])
async def test_password(tmp_path: Path, format: str, suffix: str) -> None:
    """A file with a password is refused, and the error says that it has one, whatever the file's name."""
    path = tmp_path / f"list.{suffix}"
    if format == "ods":
        write_sheet(tmp_path / "plain.ods", PEOPLE)
        with zipfile.ZipFile(tmp_path / "plain.ods") as plain, zipfile.ZipFile(path, "w") as encrypted:
            encrypted.writestr("mimetype", plain.read("mimetype"))
            manifest = plain.read("META-INF/manifest.xml")
            marked = b'"text/xml"><manifest:encryption-data/></manifest:file-entry>'
            encrypted.writestr("META-INF/manifest.xml", manifest.replace(b'"text/xml"/>', marked))
            encrypted.writestr("content.xml", b"\x83\x07 is no XML")
    else:
        content = bytearray(write_sheet(tmp_path / "plain.xls", PEOPLE).read_bytes())
        if format == "xls":
            first = content.index(b"\x09\x08\x10\0") + 20
            content[first : first + 2] = b"\x2f\0"  # The record after the first one says how the others are encrypted.
        else:  # Its content is a stream of another name.
            entry = content.index("Workbook\0".encode("utf-16-le"))
            content[entry : entry + 66] = "EncryptedPackage".encode("utf-16-le").ljust(64, b"\0") + b"\x22\0"
        path.write_bytes(content)
    with pytest.raises(UsageError, match="it has a password"):
        await RecipientList.read(path)


async def test_damaged_file(tmp_path: Path, format: str) -> None:
    """A file that is damaged anywhere is read, or refused by an error that says so; nothing else is raised."""
    whole = write_sheet(tmp_path / f"whole.{format}", PEOPLE * 20).read_bytes()
    chance, refused = random.Random(5), 0
    for _ in range(60):
        content = bytearray(whole[: chance.randrange(8, len(whole))] if chance.random() < 0.2 else whole)
        for _ in range(chance.choice([1, 20])):
            content[chance.randrange(4, len(content))] ^= 255
        (tmp_path / f"list.{format}").write_bytes(content)
        try:
            await RecipientList.read(tmp_path / f"list.{format}")
        except UsageError as error:
            refused += "it is damaged, or of another kind. Open it in a spreadsheet program" in str(error)
    assert refused > 10


@pytest.mark.parametrize("number", ["9840000000", 9840000000])
async def test_round_number(tmp_path: Path, format: str, number: Any) -> None:
    """A number with seven zeros at its end is left out, even from a text cell, and taken with `allow_padded=True`."""
    path = write_sheet(tmp_path / f"list.{format}", [["phone", "due"], [number, 14500000], [9841000001, 5]])
    people = await RecipientList.read(path)
    (problem,) = people.problems
    assert problem.message.startswith("Row 2, column A (phone): the value (…00")
    assert problem.message.endswith(
        "padded it. Compare it with the original. If it is right, give `allow_padded=True`."
    )
    assert ["9840000000", "9841000001"] == [each.number for each in await RecipientList.read(path, allow_padded=True)]
    rejects = tmp_path / "rejects.csv"
    await people.write_rejects(rejects)
    corrected = await RecipientList.read(rejects, allow_padded=True, besides=people)
    assert [("9840000000", 2)] == [(each.number, each.row) for each in corrected]
    with pytest.raises(UsageError, match="`allow_padded` must be True or False, not int"):
        await RecipientList.read(path, allow_padded=1)  # type: ignore[arg-type]


async def test_durations(tmp_path: Path, format: str) -> None:
    """A time of day is shown with hours and minutes."""
    rows = [
        ["phone", "at"],
        [9841000001, datetime(2026, 1, 2, 15, 4, 5)],
        [9841000002, datetime(2026, 1, 2) + timedelta(hours=9)],
    ]
    people = await RecipientList.read(write_sheet(tmp_path / f"list.{format}", rows))
    assert ["2026-01-02 15:04:05", "2026-01-02 09:00"] == [each.variables["at"] for each in people]
