import random
import re
from pathlib import Path
from typing import Any

import pytest
from support.sheets import write_sheet

from tingting_async import RecipientList, UsageError

pytestmark = pytest.mark.anyio

SITA = ["Sita", "9841234567", "600"]
HARI = ["Hari", "9851234568", "700"]
HEADER = ["Name", "Phone", "Due"]


async def read(tmp_path: Path, rows: list[list[Any]], **options: Any) -> RecipientList:
    return await RecipientList.read(write_sheet(tmp_path / "list.csv", rows), **options)


def ready(people: RecipientList) -> list[tuple[int, str]]:
    return [(each.row, each.number) for each in people]


@pytest.mark.parametrize("cell", ["N/A", "none", "-", "98412", "mobile off", "no phone", "same as Sita", "छैन", ""])
async def test_first_person_without_a_number(tmp_path: Path, cell: str) -> None:
    """The first person's row is not a header, even with something instead of the number: with any headers, or none."""
    for header in (HEADER, ["Student", "Guardian No", "Amount"], None):
        rows = [["Ram", cell, "500"], SITA, HARI]
        people = await read(tmp_path, [header, *rows] if header else rows)
        shift = 1 if header else 0
        assert [(2 + shift, SITA[1]), (3 + shift, HARI[1])] == ready(people)
        assert [1 + shift] == [problem.row for problem in people.problems]
        assert set(people.variables) == ({header[0], header[2]} if header else {"A", "C"})


@pytest.mark.parametrize(
    "row",
    [
        ["Ram", "do not call mobile 9841234560", "complaint"],
        ["Ram", "call father", "none"],
        ["Ram", "father's", "600"],  # An amount is a value.
        ["Ram", "father's", SITA[0]],
    ],
)
async def test_values_are_no_headers(tmp_path: Path, row: list[str]) -> None:
    """A first row with a number, an amount, a remark or a value that recurs is a row of the list."""
    people = await read(tmp_path, [row, [SITA[0], SITA[1], row[2]], HARI])
    assert [(2, SITA[1]), (3, HARI[1])] == ready(people)
    assert [(1, "not a number")] == [(problem.row, problem.kind) for problem in people.problems]


async def test_people_above_a_word_for_a_phone(tmp_path: Path) -> None:
    """Reading stops if people are above what seems to be the headers, and says which option decides."""
    rows = [["Hari", "98412", "Bagmati"], ["Ram", "984123456", "none"], ["Kala", "mobile", "x"], SITA]
    with pytest.raises(UsageError, match=r"Row 1 .* above row 3, .*`has_header=`"):
        await read(tmp_path, rows)
    people = await read(tmp_path, rows, has_header=False, number="B")
    assert ([(4, SITA[1])], [1, 2, 3]) == (ready(people), [problem.row for problem in people.problems])
    people = await read(tmp_path, rows, has_header=True)
    assert [(1, "above the headers"), (2, "above the headers")] == [(each.row, each.kind) for each in people.problems]
    assert "Row 1, column B (mobile): the row is above the headers" in people.problems[0].message


@pytest.mark.parametrize(
    "title",
    [
        ["Tel: 01-4412345", "", ""],
        ["", "Our School, Tel. 9841000009", ""],
        ["PAN No. 301234567", "", ""],
        ["Report of 2083-08-01", "", ""],
        ["Our School", "", "Due list"],
    ],
)
@pytest.mark.parametrize("header", [HEADER, ["Phone", "Name", "Due"]])
async def test_titles(tmp_path: Path, title: list[str], header: list[str]) -> None:
    """A title is not a row of the list, although it may have a phone number, and the summary names its row."""
    rows = [SITA, HARI] if header == HEADER else [[number, name, due] for name, number, due in (SITA, HARI)]
    if header != HEADER:
        title = [title[1], title[0], title[2]] if title[2] else title
    people = await read(tmp_path, [title, header, *rows])
    assert ([(3, SITA[1]), (4, HARI[1])], ()) == (ready(people), people.problems)
    assert {"Name": "Sita", "Due": "600"} == people[0].variables
    assert "titles, passed over: row 1" in people.summary().notes


@pytest.mark.parametrize(
    "row",
    [
        ["Class", "5", "Section A"],
        ["Our School", "Phone list", ""],
        ["9841000009", "", ""],
        ["R 9841000009", "", ""],
        ["A", "", "Tel 9841000009"],
    ],
)
async def test_other_rows_above(tmp_path: Path, row: list[str]) -> None:
    """A row above the headers that is not a title is a problem."""
    people = await read(tmp_path, [row, HEADER, SITA, HARI])
    assert [(3, SITA[1]), (4, HARI[1])] == ready(people)
    assert [(1, "above the headers")] == [(problem.row, problem.kind) for problem in people.problems]


@pytest.mark.parametrize(
    "row", [["Our School", "Tel: 01-4412345", ""], ["", "9841000009", ""], ["R", "Mob 9841000009", "5"]]
)
async def test_numbers_above(tmp_path: Path, row: list[str]) -> None:
    """A phone number above those of the list stops reading: it may be a school's, or a person's."""
    for options in ({}, {"has_header": True}):
        with pytest.raises(UsageError, match="Row 1 seems to be a row of the list"):
            await read(tmp_path, [row, HEADER, SITA, HARI], **options)


async def test_two_rows_of_headers(tmp_path: Path) -> None:
    """If two rows may have the headers, reading stops, and the name of the column decides."""
    rows = [["Student", "", "Contact", ""], ["Name", "Class", "Phone", "Due"], ["Sita", "5", "9841234567", "6"]]
    with pytest.raises(UsageError, match="row 1 or row 2 has the headers"):
        await read(tmp_path, rows)
    for options in ({"number": "Phone"}, {"has_header": True}):
        people = await read(tmp_path, rows, **options)
        assert {"Name": "Sita", "Class": "5", "Due": "6"} == people[0].variables


@pytest.mark.parametrize("header", ["2082/83", "2083-08-01", "1/8/2083", "2083-08-01 10:15", "Class 10"])
async def test_dates_in_headers(tmp_path: Path, header: str) -> None:
    """Dates and fiscal years may be in headers, and in titles."""
    people = await read(tmp_path, [[header, "", ""], ["Name", "Phone", header], SITA])
    assert ({"Name": "Sita", header: "600"}, ()) == (people[0].variables, people.problems)


async def test_index_without_a_header(tmp_path: Path) -> None:
    """A row with nothing but the header of the phone numbers has the headers, as pandas writes them."""
    people = await read(tmp_path, [["", "phone"], ["0", SITA[1]], ["1", HARI[1]]])
    assert ("phone", (), [2, 3]) == (people.number_column, people.problems, [each.row for each in people])


async def test_guessed_headers(tmp_path: Path) -> None:
    """The summary says that headers are a guess, unless they name phone numbers or were announced."""
    rows = [["Who", "How", "Due"], SITA, HARI]
    assert "a guess" in str((await read(tmp_path, rows)).summary())
    assert "a guess" not in str((await read(tmp_path, rows, has_header=True)).summary())
    assert "a guess" not in str((await read(tmp_path, rows, number="How")).summary())
    assert "a guess" not in str((await read(tmp_path, [HEADER, SITA])).summary())


CELLS = {
    "name": ["Ram", "Name", "Student", "", "Our School", "Tel: 01-4412345", "5", "N/A", "contact"],
    "number": ["Phone", "mobile", "How", "N/A", "98412", "", "father's mobile", "no phone", "Mob 98510000", "x"],
    "due": ["Due", "500", "", "none", "viber", "Ktm", "2083-08-01"],
}


async def test_no_row_vanishes() -> None:
    """In tables of any rows, each is ready or has a problem, or the summary names it; a good number never vanishes."""
    choose = random.Random(17)
    counts = {"read": 0, "stopped": 0}
    for _ in range(1500):
        rows = [tuple(map(choose.choice, CELLS.values())) for _ in range(choose.randrange(1, 5))]
        rows = [row for row in rows if any(row)]
        for place in range(choose.randrange(1, 3)):
            prefix = choose.choice(["", "", "", "Mob: "])
            row = (choose.choice(CELLS["name"]), f"{prefix}984123456{place}", choose.choice(CELLS["due"]))
            rows.insert(choose.randrange(len(rows) + 1), row)
        try:
            people = await RecipientList.from_rows(rows)
        except UsageError as error:
            counts["stopped"] += 1
            assert "=`" in str(error) or "Rename" in str(error), error
            continue
        counts["read"] += 1
        summary = people.summary()
        listed = {row.row for row in people.input_rows()}
        notes = [note for note in summary.notes if note.startswith(("headers", "titles"))]
        named = {int(row) for note in notes for row in re.findall(r"\d+", note)}
        assert len(rows) == len(listed) + len(named - listed) + summary.skipped, rows
        # A number alone in its row, with a label, is a title.
        numbered = {place for place, row in enumerate(rows, 1) if "984123456" in row[1]}
        assert not {place for place in numbered - listed if any(rows[place - 1][::2])}, rows
        assert not {place for place in numbered - listed if rows[place - 1][1].isdigit()}, rows
    assert min(counts.values()) > 150, counts


@pytest.mark.parametrize(
    "first",
    [
        "Kala,Mob 984 100 0001,x",
        "Mobile,Tel. 98 41 00 00 01,x",
        "Phone,मोबाइल ९८४ १०० ०००१,x",
        "Mobile,Ph: 01 44 12 345,x",
    ],
)
async def test_first_row_with_a_number(tmp_path: Path, first: str) -> None:
    """A first row in which a cell is a phone number is a row of the list, whatever words are in it."""
    path = tmp_path / "list.csv"
    path.write_text(f"{first}\nSita,9841000002,y\nRam,9841000003,z\n", encoding="utf-8")
    people = await RecipientList.read(path, mobile_only="01" in first)
    assert (("A", "B", "C"), [1, 2, 3]) == (people.columns, [row.row for row in people.input_rows()])


async def test_first_row_with_the_word_mobile(tmp_path: Path) -> None:
    """A header of a column without phone numbers does not count if another column has phone numbers: reading stops."""
    path = tmp_path / "list.csv"
    path.write_text("Kala,mobile,x\nSita,Home,9841000002\nRam,Home,9841000003\n", encoding="utf-8")
    with pytest.raises(UsageError, match="More than one column has phone numbers: 'mobile', 'x'"):
        await RecipientList.read(path)
