from pathlib import Path
from typing import Any

import pytest
from support.sheets import write_sheet

from tingting_async import RecipientList, UsageError

pytestmark = pytest.mark.anyio

NUMBERS = ("9841000001", "9851000002", "9861000003")


async def read(tmp_path: Path, rows: list[list[Any]], **options: Any) -> RecipientList:
    return await RecipientList.read(write_sheet(tmp_path / "list.csv", rows), **options)


@pytest.mark.parametrize(
    "header",
    [
        "number",
        "numbers",  # The vendor's template.
        "Numbers",
        "phone_number",
        "PhoneNumber",
        "Phone No.",
        "Ph. No",
        "MOBILE",
        "Mobile no",
        "mobileno",
        "Cell #",
        "Contact Number",
        "contact",
        "Telephone",
        "WhatsApp number",
        "Parent's mobile number",
        "Mobile Phone",  # Outlook.
        "Phone 1 - Value",  # Google Contacts.
        "TEL;CELL",
        "मोबाइल नम्बर",
        "मोबाईल नं.",
        "फोन",
        "फोन नम्बर",
        "सम्पर्क नं",
        "टेलिफोन",
        "अभिभावकको मोबाइल",
        "\ufeffphone\u200b",
        " phone \n number ",
    ],
)
async def test_names(tmp_path: Path, header: str) -> None:
    """The column is found by its name, also next to another one that has phone numbers."""
    rows = [
        ["Roll number", "Fax", header, "Name"],
        *([place, number, number, "A"] for place, number in enumerate(NUMBERS)),
    ]
    people = await read(tmp_path, rows)
    assert [*NUMBERS] == [each.number for each in people]
    assert {"Roll number": "0", "Fax": NUMBERS[0], "Name": "A"} == people[0].variables


async def test_google_contacts(tmp_path: Path) -> None:
    """The first phone number among the columns of Google Contacts is taken."""
    header = [
        "First Name",
        "Last Name",
        "Labels",
        "E-mail 1 - Value",
        "Phone 1 - Label",
        "Phone 1 - Value",
        "Phone 2 - Value",
    ]
    people = await read(
        tmp_path, [header, ["Sita", "Rai", "* myContacts", "", "Mobile", "+977 984-1000001", "9851000002"]]
    )
    assert ["9841000001"] == [each.number for each in people]


@pytest.mark.parametrize(
    ("first", "second"), [("Phone", "Mobile"), ("Alternate mobile", "Contact"), ("Mobile 2", "Mobile 1")]
)
async def test_better_name(tmp_path: Path, first: str, second: str) -> None:
    """If two columns have phone numbers, the one with the clearer name is taken."""
    people = await read(
        tmp_path, [[first, second], *([each, other] for each, other in zip(NUMBERS, NUMBERS[::-1], strict=True))]
    )
    assert second == people.number_column


@pytest.mark.parametrize("cell", ["", "-", "98410", "will give later"])
@pytest.mark.parametrize("other", ["Phone", "Alternate no.", "WhatsApp", "Other SIM"])
async def test_number_in_another_column(tmp_path: Path, cell: str, other: str) -> None:
    """If the column of the phone numbers has no valid number, the problem says which other column of the row has one.

    The row is not sent to that number.
    """
    rows = [["Name", "Mobile", other], ["Ram", NUMBERS[0], ""], ["Sita", cell, "+977-9851234568"], ["Hari", "", "x"]]
    people = await read(tmp_path, rows)
    assert ("Mobile", [NUMBERS[0]]) == (people.number_column, [each.number for each in people])
    with_number, without = (problem.message for problem in people.problems)
    assert "Row 3, column B (Mobile): the value " in with_number
    assert f"Column C ({other}) has the number …68. If it is the right one, copy it, or give `number={other!r}`." in (
        with_number
    )
    assert "98512" not in with_number
    assert "Row 4, column B (Mobile): the value is empty, so it is not a valid phone number." == without
    from_python = await RecipientList.from_rows([dict(zip(rows[0], row, strict=True)) for row in rows[1:]])
    assert f"Column {other!r} has the number …68." in from_python.problems[0].message


async def test_figures_that_are_no_numbers_of_the_row(tmp_path: Path) -> None:
    """A problem names no column whose header or figures say that it has something other than phone numbers."""
    rows = [
        ["Mobile", "Account no.", "Fee", "Paid on"],
        [NUMBERS[0], "", "", ""],
        ["", NUMBERS[1], 14500000, "2081-05-12"],
    ]
    people = await read(tmp_path, rows)
    (problem,) = people.problems
    assert "Row 3, column A (Mobile): the value is empty, so it is not a valid phone number." == problem.message


async def test_summary_of_other_numbers(tmp_path: Path) -> None:
    """The summary names the other columns whose headers name phone numbers, because nobody is reached there."""
    people = await read(tmp_path, [["Name", "Mobile", "Phone", "Due"], ["Ram", NUMBERS[0], "", "5"]])
    assert "other columns that name phone numbers, and whose numbers are not reached: C (Phone)." in str(
        people.summary()
    )
    assert "other columns" not in str((await read(tmp_path, [["Name", "Mobile"], ["Ram", NUMBERS[0]]])).summary())


async def test_headers_that_name_no_numbers(tmp_path: Path) -> None:
    """If no column has phone numbers, the error shows what may be the headers beside the letters of the columns."""
    rows = [["नाम", "रकम", "शाखा"], ["Sita", "900", "x"], ["Ram", "50", "y"]]
    with pytest.raises(UsageError, match=r"If row 1 .* give `has_header=True`, too.*: 'A' \(.नाम.\), 'B' \("):
        await read(tmp_path, rows)
    with pytest.raises(UsageError, match=r"The columns are: 'A', 'B', 'C'\."):
        await read(tmp_path, rows[1:])
    with pytest.raises(UsageError, match=r"The columns are: 'नाम', 'रकम', 'शाखा'\."):
        await read(tmp_path, rows, has_header=True)


async def test_rows_with_the_same_number() -> None:
    """A problem names one other row with the same number as a row, and several as rows."""
    two, three = [await RecipientList.from_rows([NUMBERS[0]] * count) for count in (2, 3)]
    assert two.problems[0].message.endswith("is the same number as in row 1.")
    assert three.problems[0].message.endswith("is the same number as in rows 1 and 3.")


async def test_two_columns(tmp_path: Path) -> None:
    """If two columns may be meant, one must be chosen: by its header, in any spelling, or by its letters."""
    rows = [["Father's mobile", "Mother's mobile"], ["9841000001", "9851000002"]]
    with pytest.raises(UsageError, match=r"Father's mobile.*Mother's mobile.*`number=`"):
        await read(tmp_path, rows)
    for number in ("Mother's mobile", "mother's  MOBILE", "B", "b"):
        assert ["9851000002"] == [each.number for each in await read(tmp_path, rows, number=number)]
    with pytest.raises(UsageError, match=r"`number` is 'C', and there is no such column"):
        await read(tmp_path, rows, number="C")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Phone", "Guarantor Mobile"),
        ("Customer Phone", "Agent Mobile"),
        ("Contact", "Mobile of Driver"),
        ("फोन", "अभिभावकको मोबाइल"),
        ("Guardian No", "Teacher Mobile"),  # A name that does not say what it names.
        ("", "Teacher Mobile"),
        ("student_phone", "mobile"),
    ],
)
async def test_numbers_of_somebody_else(tmp_path: Path, first: str, second: str) -> None:
    """If the headers of two columns name different people, one must be chosen, whichever word for a phone they have."""
    rows = [["Name", first, second], *(["A", each, other] for each, other in zip(NUMBERS, NUMBERS[::-1], strict=True))]
    with pytest.raises(UsageError, match=rf"More than one column .*'{first or 'B'}', '{second}'.*`number=`"):
        await read(tmp_path, rows)
    assert [*NUMBERS] == [each.number for each in await read(tmp_path, rows, number="B")]
    rows[1:] = [[name, "", number] for name, _, number in rows[1:]]  # Without numbers, there is no choice.
    assert second == (await read(tmp_path, rows)).number_column


@pytest.mark.parametrize(
    ("first", "second", "other"),
    [
        ("Home Phone", "Mobile Phone", "Business Phone"),  # Outlook.
        ("Mobile", "Phone2", "Phone3"),
        ("Mobile", "Alternate number", "Emergency contact"),
        ("Parent's mobile", "Alternate number", "Emergency contact"),
        ("मोबाइल", "टेलिफोन", "सम्पर्क नं"),
    ],
)
async def test_numbers_of_one_person(tmp_path: Path, first: str, second: str, other: str) -> None:
    """Several columns with numbers of the same person need no choice."""
    people = await read(tmp_path, [[first, second, other], [*NUMBERS]])
    assert "mobile" in people.number_column.lower().replace("मोबाइल", "mobile")


async def test_blank_cells_beyond_the_headers(tmp_path: Path) -> None:
    """A blank cell beyond the headers, at the end of a row, does not count, in a file or in tuples."""
    rows = [["mobile", "name"], [NUMBERS[0], "Ram", ""], [NUMBERS[1], "Sita", " ", ""], [NUMBERS[2], "Hari", "", "x"]]
    for people in (await read(tmp_path, rows), await RecipientList.from_rows(map(tuple, rows))):
        assert [{"name": "Ram"}, {"name": "Sita"}] == [each.variables for each in people]
        assert [(4, "cells")] == [(problem.row, problem.kind) for problem in people.problems]
        assert [2, 2, 3] == [len(row.cells) for row in people.input_rows()]


async def test_same_headers(tmp_path: Path) -> None:
    """Two columns with one header are refused: a placeholder would mean either."""
    with pytest.raises(UsageError, match="columns A and C have the same header, 'name'"):
        await read(tmp_path, [["name", "phone", "name"], ["A", NUMBERS[0], "B"]])


@pytest.mark.parametrize("above", [[], [["Our school"]], [["Our school"], ["", "", ""], ["Phone list", "", ""]]])
async def test_no_headers(tmp_path: Path, above: list[list[str]]) -> None:
    """Without headers, the column is found by its cells, and the others are named by their letters."""
    people = await read(tmp_path, [*above, ["1", "Sita", NUMBERS[0]], ["2", "Ram", "98510"], ["3", "Hari", NUMBERS[1]]])
    assert [{"A": "1", "B": "Sita"}, {"A": "3", "B": "Hari"}] == [each.variables for each in people]
    assert [(len(above) + 2, "C")] == [(problem.row, problem.column) for problem in people.problems]


@pytest.mark.parametrize("first", ["phone", "9841000001", "98410"])
async def test_one_column(tmp_path: Path, first: str) -> None:
    """A single column needs no header, and its first number is not taken for one, even if it is wrong."""
    people = await read(tmp_path, [[first], ["9851000002"], ["abc"]])
    assert {"phone": 1, "9841000001": 2, "98410": 1}[first] == len(people)
    assert (1 if first == "phone" else 2) == len(people.problems) + (first == "9841000001")


async def test_unknown_header(tmp_path: Path) -> None:
    """A header in other words is recognised, because it stands above the first phone number."""
    people = await read(tmp_path, [["Who", "How"], ["Sita", NUMBERS[0]], ["Ram", NUMBERS[1]]])
    assert ("How", {"Who": "Sita"}) == (people.number_column, people[0].variables)


async def test_has_header(tmp_path: Path) -> None:
    """`has_header` says whether the table has headers."""
    rows = [["9841000001", "9841000009"], ["9851000002", "Ram"]]
    assert 2 == len(await read(tmp_path, rows, has_header=False, number="A"))
    assert {"9841000009": "Ram"} == (await read(tmp_path, rows, has_header=True, number="A"))[0].variables


@pytest.mark.parametrize("wrong", ["Rs 450", "2081-05-12", "12", "1450000000012", "Kathmandu"])
async def test_wrong_column(tmp_path: Path, wrong: str) -> None:
    """A column in which few cells are phone numbers is refused, also if it was chosen."""
    rows = [["name", "phone", "other"], *(["A", wrong, number] for number in NUMBERS)]
    with pytest.raises(UsageError, match=r"Of the 3 cells of column B \(phone\), none is a phone number"):
        await read(tmp_path, rows)
    assert 3 == len(await read(tmp_path, rows, number="other"))


async def test_no_numbers(tmp_path: Path) -> None:
    """A table without phone numbers is refused, and the error lists its columns."""
    with pytest.raises(UsageError, match=r"No column with phone numbers was found"):
        await read(tmp_path, [["who", "what"], ["A", "b"]])


@pytest.mark.parametrize("label", ["Total", "Grand Total:", "जम्मा", "कुल जम्मा", "Total students: 45", "SUM"])
@pytest.mark.parametrize("cell", ["", "3", "29553000006"])
async def test_totals(tmp_path: Path, label: str, cell: str) -> None:
    """A total is not a row of the list; one that has a phone number is left out with a problem."""
    rows = [["S.N.", "name", "phone"], *(["1", "A", number] for number in NUMBERS), ["", label, cell]]
    people = await read(tmp_path, rows)
    assert (3, ()) == (len(people), people.problems)
    assert 1 == people.summary().skipped
    people = await read(tmp_path, [*rows[:-1], ["", label, "9800000009"]])
    assert (3, ["total"]) == (len(people), [problem.kind for problem in people.problems])


async def test_repeated_headers(tmp_path: Path) -> None:
    """A header that is repeated on every page is not a row of the list."""
    rows = [["name", "phone"], ["A", NUMBERS[0]], ["name", "phone"], ["B", NUMBERS[1]]]
    people = await read(tmp_path, rows)
    assert ([2, 4], ()) == ([each.row for each in people], people.problems)


async def test_serial_numbers(tmp_path: Path) -> None:
    """Rows that differ only in their serial number are duplicates, and no conflict."""
    rows = [
        ["क्र.सं.", "नाम", "फोन"],
        ["1", "राम", NUMBERS[0]],
        ["2", "राम", f"+977{NUMBERS[0]}"],
        ["3", "हरि", NUMBERS[1]],
    ]
    people = await read(tmp_path, rows)
    assert [2, 4] == [each.row for each in people]
    assert [(3, "duplicate")] == [(problem.row, problem.kind) for problem in people.problems]


async def test_conflicts_far_apart(tmp_path: Path) -> None:
    """All rows of one number are left out if their values differ, however far apart they are."""
    rows = [
        ["name", "phone"],
        *([f"A{place}", str(9_841_000_001 + place)] for place in range(500)),
        ["B", "9841000001"],
    ]
    people = await read(tmp_path, rows)
    assert 499 == len(people)
    assert [(2, "conflict"), (502, "conflict")] == [(problem.row, problem.kind) for problem in people.problems]
    assert "row 502, with other values in 'name'" in people.problems[0].message


@pytest.mark.parametrize(
    ("first", "second"),
    [("Father's Mobile", "Mother's Mobile"), ("Mobile", "Home Phone"), ("Phone 1 - Value", "Phone 2 - Value")],
)
@pytest.mark.parametrize("bad", ["98410", "9841000001 ::: 9841000002"])
async def test_column_that_is_mostly_wrong(tmp_path: Path, first: str, second: str, bad: str) -> None:
    """Reading stops if most numbers of the best column are refused, and takes no other column instead."""
    rows = [["Name", first, second], *([f"N{n}", bad if n < 6 else NUMBERS[0], f"985100000{n}"] for n in range(10))]
    with pytest.raises(UsageError, match=f"More than one column has phone numbers: .*{first}.*number="):
        await read(tmp_path, rows)


async def test_empty_column_of_somebody_else(tmp_path: Path) -> None:
    """An empty column is not replaced by that of somebody else, but by another one of the same person."""
    with pytest.raises(UsageError, match="More than one column has phone numbers"):
        await read(tmp_path, [["Name", "Father's Mobile", "Mother's Mobile"], ["A", "", NUMBERS[0]]])
    people = await read(tmp_path, [["Name", "Mobile", "Home Phone"], ["A", "", NUMBERS[0]]])
    assert "Home Phone" == people.number_column
