"""Tables as files."""

import asyncio
import contextlib
import csv
import json
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from support.v1 import connect

from tingting_async import MisuseError, RecipientList, UsageError, as_record, write_table
from tingting_async.recipients.values import unescape
from tingting_async.sandbox import Sandbox
from tingting_async.v1 import Contact

pytestmark = pytest.mark.anyio

ROWS: list[dict[str, Any]] = [
    {"number": "9800000001", "name": "सीता", "credits": 1.5, "reached": True},
    {"number": "+9779800000002", "name": '=HYPERLINK("http://x")', "credits": 2.0, "note": None},
    {"number": 9800000003, "name": "-5", "credits": -5, "reached": False, "note": ["a", 1]},
    {"number": "01-4123456", "name": '@a,\n"b"', "credits": Decimal("0.1")},
]
FORMULAS = ["=1+1", "+977", "-5", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1", "'=1", "''@x"]
SUFFIXES = pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".jsonl", ".CSV", ".Xlsx"])


def read_csv(path: Path) -> list[list[str]]:
    """Return the cells of a CSV file."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def read_xlsx(path: Path) -> list[list[Any]]:
    """Return the values of an .xlsx file; a formula would be a text that begins with `=` in a cell of its type."""
    cells = [list(row) for row in load_workbook(path).worksheets[0].iter_rows()]
    assert not [cell for row in cells for cell in row if cell.data_type == "f"]
    return [[cell.value for cell in row] for row in cells]


async def test_csv(tmp_path: Path) -> None:
    """A CSV file has a byte order mark, the columns of all rows, text as it is, and formulas behind an apostrophe."""
    path = tmp_path / "table.csv"
    assert 4 == await write_table(ROWS, path)
    assert path.read_bytes().startswith(b"\xef\xbb\xbfnumber,name,credits,reached,note\r\n")
    assert [
        ["number", "name", "credits", "reached", "note"],
        ["9800000001", "सीता", "1.5", "TRUE", ""],
        ["'+9779800000002", '\'=HYPERLINK("http://x")', "2", "", ""],
        ["9800000003", "'-5", "-5", "FALSE", '["a",1]'],
        ["01-4123456", '\'@a,\n"b"', "0.1", "", ""],
    ] == read_csv(path)
    assert [path] == list(tmp_path.iterdir())


async def test_xlsx(tmp_path: Path) -> None:
    """An .xlsx file has numbers as numbers, and phone numbers and formulas as text cells."""
    path = tmp_path / "table.xlsx"
    assert 4 == await write_table(iter(ROWS), path)
    assert [
        ["number", "name", "credits", "reached", "note"],
        ["9800000001", "सीता", 1.5, True, None],
        ["+9779800000002", '=HYPERLINK("http://x")', 2, None, None],
        ["9800000003", "-5", -5, False, '["a",1]'],
        ["01-4123456", '@a,\n"b"', 0.1, None, None],
    ] == read_xlsx(path)


async def test_phone_numbers_as_integers(tmp_path: Path) -> None:
    """An integer is a text cell if its column is one of phone numbers, or if it has ten digits."""
    path = tmp_path / "table.xlsx"
    await write_table([{"contact.number": 14123456, "amount": 14123456, "other": 9779800000001}], path)
    assert ["14123456", 14123456, "9779800000001"] == read_xlsx(path)[1]


async def test_jsonl(tmp_path: Path) -> None:
    """A .jsonl file has each record as it is, in a line."""
    path = tmp_path / "table.jsonl"
    assert 4 == await write_table(ROWS, path)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [as_record(row) for row in ROWS] == [json.loads(line) for line in lines]
    assert "सीता" in lines[0]


async def test_formulas(tmp_path: Path) -> None:
    """Whatever a spreadsheet program takes for a formula is escaped, in headers as well, and can be read back."""
    path = tmp_path / "table.csv"
    await write_table([dict.fromkeys(FORMULAS, text) for text in FORMULAS], path)
    cells = [cell for row in read_csv(path) for cell in row]
    assert all(cell.startswith("'") for cell in cells)
    assert [*FORMULAS, *(text for text in FORMULAS for _ in FORMULAS)] == [unescape(cell) for cell in cells]
    await write_table([{"formula": text} for text in FORMULAS], tmp_path / "table.xlsx")
    assert ["formula", *FORMULAS] == [value.replace("_x000D_", "\r") for (value,) in read_xlsx(tmp_path / "table.xlsx")]


@SUFFIXES
async def test_columns(suffix: str, tmp_path: Path) -> None:
    """`columns` selects the columns and their order; a row without one has an empty cell."""
    path = tmp_path / f"table{suffix}"
    await write_table(ROWS[:2], path, columns=["note", "number", "other"])
    if suffix.lower() == ".jsonl":
        assert {"note": None, "number": "9800000001", "other": None} == json.loads(path.read_text().splitlines()[0])
    else:
        header = (read_csv(path) if suffix.lower() == ".csv" else read_xlsx(path))[0]
        assert ["note", "number", "other"] == header


@SUFFIXES
async def test_no_rows(suffix: str, tmp_path: Path) -> None:
    """A table without rows is an empty table, with the columns that are given."""
    path = tmp_path / f"table{suffix}"
    assert 0 == await write_table([], path)
    assert 0 == await write_table([], path, columns=["number"])
    if suffix == ".csv":
        assert [["number"]] == read_csv(path)


async def test_a_list_of_the_service(tmp_path: Path) -> None:
    """A paginator and a stream can be written as they are."""
    async with Sandbox(campaigns=1, numbers=23) as sandbox, connect(sandbox) as tingting:
        (campaign,) = sandbox.world.campaigns
        contacts = await tingting.contacts.list(campaign).collect()
        assert 23 == await write_table(tingting.contacts.list(campaign), tmp_path / "contacts.csv")
        assert 23 == await write_table(tingting.reports.rows(campaign), tmp_path / "report.csv")
    with (tmp_path / "contacts.csv").open(encoding="utf-8-sig") as file:
        assert [contact.number for contact in contacts] == [row["number"] for row in csv.DictReader(file)]


@SUFFIXES
async def test_rows_that_fail(suffix: str, tmp_path: Path) -> None:
    """If the rows fail half-way, their iterator is closed, the error is theirs, and an earlier file stays as it was."""
    path, closed = tmp_path / f"table{suffix}", 0
    path.write_text("before")

    async def rows_async() -> AsyncIterator[Any]:
        nonlocal closed
        try:
            for row in range(600):
                yield {"a": row}
            yield 5
            yield {"a": 1}
        finally:
            closed += 1

    def rows_sync() -> Iterator[Any]:
        nonlocal closed
        try:
            yield from ({"a": row} for row in range(600))
            while True:
                yield 5
        finally:
            closed += 1

    for rows in (rows_async(), rows_sync()):
        with pytest.raises(UsageError, match=r"write_table: `rows\[600\]`: a int is neither a model nor a mapping"):
            await write_table(rows, path)
    assert (2, "before", [path]) == (closed, path.read_text(), list(tmp_path.iterdir()))


async def test_cancelled(tmp_path: Path) -> None:
    """A cancelled call leaves no file, and closes the rows."""
    started, closed = asyncio.Event(), asyncio.Event()

    async def rows() -> AsyncIterator[Any]:
        try:
            for row in range(600):
                yield {"a": row}
            started.set()
            await asyncio.Event().wait()
        finally:
            closed.set()

    task = asyncio.create_task(write_table(rows(), tmp_path / "table.csv"))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (True, []) == (closed.is_set(), list(tmp_path.iterdir()))


@pytest.mark.parametrize("path", ["table.xls", "table.txt", "table", "table.json", ".csv"])
async def test_other_suffixes(path: str, tmp_path: Path) -> None:
    """A path with another suffix is refused before any row is read."""
    rows = iter(ROWS)
    with pytest.raises(UsageError, match=r"Give a path that ends in \.csv, \.xlsx or \.jsonl"):
        await write_table(rows, tmp_path / path)
    assert 4 == len([*rows])


@pytest.mark.parametrize("path", ["nowhere/table.csv", "folder.csv", "nowhere/9800000001.xlsx"])
async def test_a_path_where_no_file_can_be(path: str, tmp_path: Path) -> None:
    """A path where no file can be is refused before any row is read; the error does not show a number in it."""
    (tmp_path / "folder.csv").mkdir()
    rows = iter(ROWS)
    with pytest.raises(UsageError, match="cannot be written") as caught:
        await write_table(rows, tmp_path / path)
    assert 4 == len([*rows])
    assert "9800000001" not in str(caught.value)


@pytest.mark.parametrize("rows", ["text", {"a": 1}, Contact(id=1), 5, None])
async def test_what_is_no_iterable(rows: Any, tmp_path: Path) -> None:
    """A single row, or a value that is not an iterable of rows, is refused."""
    with pytest.raises(MisuseError, match="`rows` is a"):
        await write_table(rows, tmp_path / "table.csv")


async def test_an_awaitable(tmp_path: Path) -> None:
    """Rows that were not awaited are refused with what to do."""

    async def rows() -> list[Any]:
        return []

    with contextlib.closing(rows()) as coroutine, pytest.raises(MisuseError, match="must be awaited first"):
        await write_table(coroutine, tmp_path / "table.csv")  # type: ignore[arg-type]


@pytest.mark.parametrize("columns", [[], ["a", "a"], [5], 5, object()])
async def test_invalid_columns(columns: Any, tmp_path: Path) -> None:
    """Columns that are not different names are refused, and shown."""
    with pytest.raises(UsageError, match=r"write_table: `columns` is .*\. It must be the names of columns, each once"):
        await write_table(ROWS, tmp_path / "table.csv", columns=columns)


async def test_a_text_that_no_cell_holds(tmp_path: Path) -> None:
    """A text that is too long for a cell of an .xlsx file is refused with its row, and is not cut; CSV holds it."""
    rows = [{"a": "x"}, {"a": "x" * 40_000}]
    with pytest.raises(UsageError, match=r"`rows\[1\]`: 'a' is too long"):
        await write_table(rows, tmp_path / "table.xlsx")
    assert 2 == await write_table(rows, tmp_path / "table.csv")


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".jsonl"])
async def test_many_rows(suffix: str, tmp_path: Path) -> None:
    """Memory does not grow with the number of rows."""
    rows = ({"number": f"98{row:08d}", "text": "x" * 500} for row in range(6000))
    await write_table([{"a": 1}], tmp_path / f"first{suffix}")  # What is imported does not count.
    tracemalloc.start()
    try:
        assert 6000 == await write_table(rows, tmp_path / f"table{suffix}")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_500_000


def test_without_xlsxwriter(tmp_path: Path) -> None:
    """Without XlsxWriter, writing .xlsx is refused with what to install, and .csv works."""
    program = f"""
import asyncio, sys
sys.modules["xlsxwriter"] = None
from tingting_async import UsageError, write_table
async def main():
    await write_table([{{"a": 1}}], {str(tmp_path / "t.csv")!r})
    try:
        await write_table([{{"a": 1}}], {str(tmp_path / "t.xlsx")!r})
    except UsageError as error:
        print(error)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install 'tingting-async[sheets]'" in done.stdout
    assert ["t.csv"] == [each.name for each in tmp_path.iterdir()]


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
async def test_read_again(suffix: str, tmp_path: Path) -> None:
    """A list that is read from a table has the values and headers that were written, except formulas."""
    texts = ["plain", *(text for text in FORMULAS if text[0] not in "='\r")]
    rows = [{"number": str(9841000001 + place), "=text": text} for place, text in enumerate([*texts, "=1+1"])]
    await write_table(rows, tmp_path / f"table{suffix}")
    people = await RecipientList.read(tmp_path / f"table{suffix}")
    assert [{"=text": text} for text in texts] == [each.variables for each in people]
    assert ["formula"] == [problem.kind for problem in people.problems]
    await people.write_rejects(tmp_path / "rejects.csv")
    again = await RecipientList.read(tmp_path / "rejects.csv")
    assert (people.columns, ["formula"]) == (again.columns, [problem.kind for problem in again.problems])


@pytest.mark.parametrize("suffix", ["csv", "xlsx", "jsonl"])
async def test_half_characters_in_names(tmp_path: Path, suffix: str) -> None:
    """Half a character is replaced in the names of columns as in values, and the cells below stay."""
    path = tmp_path / f"table.{suffix}"
    assert 1 == await write_table([{"a\ud800": "v\udc00", "b": ["\ud800"]}], path)
    people = await RecipientList.from_rows([{"phone": "98410", "n\ud800": "\ud800"}])
    if suffix == "jsonl":
        assert '{"a?":"v?","b":["?"]}\n' == path.read_text("utf-8")
        return
    name, *cells = first_cells(path)
    assert ("a?", ["b", "v?", '["?"]']) == (name, cells)
    assert 1 == await people.write_rejects(path)


def first_cells(path: Path) -> list[str]:
    """Return the cells of the first two rows of a file."""
    if path.suffix == ".csv":
        lines = csv.reader(path.read_text("utf-8-sig").splitlines())
        return [cell for line in lines for cell in line]
    sheet = load_workbook(path).active
    return [cell for line in sheet.iter_rows(values_only=True) for cell in line]


async def test_values_without_a_text(tmp_path: Path) -> None:
    """A signaling NaN is an empty cell; an integer with too many digits and a list in itself are refused by name."""
    path = tmp_path / "table.csv"
    assert 1 == await write_table([{"a": Decimal("sNaN"), "b": 1}], path)
    assert "a,b\n,1\n" == path.read_text("utf-8-sig").replace("\r", "")
    with pytest.raises(UsageError, match=r"`rows\[1\]`: 'n' has an integer with too many digits"):
        await write_table([{"n": 1}, {"a": 1, "n": 10**5000}], path)
    with pytest.raises(UsageError, match=r"`rows\[0\]`: 'n' has an integer with too many digits"):
        await write_table([{"n": [10**5000]}], path)
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(UsageError, match=r"`rows\[0\]`: a value is nested too deeply"):
        await write_table([{"n": endless}], path)
