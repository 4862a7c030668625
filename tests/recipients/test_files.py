import codecs
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from support.sheets import write_sheet

from tingting_async import RecipientList, UsageError, write_table

pytestmark = pytest.mark.anyio

TEXT = "name,phone\nसीता,9841000001\nराम,9851000002\n"
MARKS = {
    "utf-8": b"",
    "utf-8-sig": b"",
    "utf-16": b"",
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32": b"",
}


async def read(tmp_path: Path, content: str | bytes, **options: str) -> RecipientList:
    path = tmp_path / "people.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return await RecipientList.read(path, **options)


def found(people: RecipientList) -> list[tuple[str, dict[str, object], int]]:
    return [(each.number, dict(each.variables), each.row) for each in people]


@pytest.mark.parametrize("encoding", MARKS)
async def test_encodings(tmp_path: Path, encoding: str) -> None:
    """UTF-8 is read with and without its mark, and UTF-16 and UTF-32 by theirs."""
    people = await read(tmp_path, MARKS[encoding] + TEXT.encode(encoding))
    assert [("9841000001", {"name": "सीता"}, 2), ("9851000002", {"name": "राम"}, 3)] == found(people)


async def test_other_encoding(tmp_path: Path) -> None:
    """A file in another encoding is refused, even if it is ASCII up to its end, and read if the encoding is given."""
    content = "name,phone\n" + "Ram,9851000002\n" * 5000 + "José,9841000001\n"
    with pytest.raises(UsageError, match=r"line 5002 cannot be decoded.*encoding="):
        await read(tmp_path, content.encode("cp1252"))
    people = await read(tmp_path, content.encode("cp1252"), encoding="cp1252")
    assert {"name": "José"} == people[-1].variables


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
async def test_no_mark(tmp_path: Path, encoding: str) -> None:
    """UTF-16 without its mark is refused, with the option to give, and not read as text with null characters."""
    content = "name,phone\nRam,9851000002\n".encode(encoding)
    with pytest.raises(UsageError, match="encoding="):
        await read(tmp_path, content)
    assert ["9851000002"] == [each.number for each in await read(tmp_path, content, encoding=encoding)]


async def test_unknown_encoding(tmp_path: Path) -> None:
    """An encoding that Python does not know is refused."""
    with pytest.raises(UsageError, match=r"`encoding` is 'utf-9', which Python does not know\. Give one such as"):
        await read(tmp_path, TEXT, encoding="utf-9")
    for encoding in ("9841234567", "9841234567\0", "hex"):
        with pytest.raises(UsageError, match="`encoding` is ") as caught:
            await read(tmp_path, TEXT, encoding=encoding)
        assert "9841234567" not in str(caught.value)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
async def test_delimiters(tmp_path: Path, delimiter: str, end: str) -> None:
    """Commas, semicolons, tabs and bars are told apart, whatever ends the lines, and though texts contain others."""
    lines = ("name{}phone{}due", '"Rai, Sita; Ms"{}9841000001{}"1,250.00"', "Ram{}9851000002{}900")
    people = await read(tmp_path, end.join(lines).format(*[delimiter] * 6).replace("{}", delimiter))
    expected = [{"name": "Rai, Sita; Ms", "due": "1,250.00"}, {"name": "Ram", "due": "900"}]
    assert expected == [each.variables for each in people]


async def test_decimal_commas(tmp_path: Path) -> None:
    """In a file with semicolons, the commas of amounts divide nothing."""
    people = await read(tmp_path, "name;phone;due\nSita;9841000001;12,50\nRam;9851000002;7,25\n")
    assert ["12,50", "7,25"] == [each.variables["due"] for each in people]


async def test_given_delimiter(tmp_path: Path) -> None:
    """A delimiter can be given, and Excel's first line gives one without being a row."""
    assert [("9841000001", {"name": "A"}, 2)] == found(
        await read(tmp_path, "name#phone\nA#9841000001\n", delimiter="#")
    )
    assert [("9841000001", {"name": "A"}, 2)] == found(await read(tmp_path, "sep=#\r\nname#phone\nA#9841000001\n"))


@pytest.mark.parametrize("delimiter", ["", "||", "\n", '"', "\0", "a", "1"])
async def test_no_delimiter(tmp_path: Path, delimiter: str) -> None:
    """What cannot be between two columns is refused as a delimiter."""
    with pytest.raises(UsageError, match=r"`delimiter` is .*; it must be one character"):
        await read(tmp_path, "name,phone\nA,9841000001\n", delimiter=delimiter)


async def test_bars_within_cells(tmp_path: Path) -> None:
    """Bars between the numbers of a few cells do not divide the columns."""
    people = await read(tmp_path, "phone\n9841000001\n9841000002\n9841000003|9841000004\n9841000005\n")
    assert (3, [4]) == (len(people), [each.row for each in people.problems])


@pytest.mark.parametrize(
    "content",
    [
        'name,phone\n"Sita,9841000001\nRam,9851000002\n',
        'name,phone\n"Sita" Rai,9841000001\nRam,9851000002\n',
        'name,phone\n"Sita,9841000001\n"Ram",9851000002\n',
        'name,phone,due\n"Sita,9841000001,900\nRam,9851000002,900"\nHari,9861000003,5\n',
        'name,phone\nSita,9841000001\nRam,"9851000002\n',
        'name,city,phone\n"Ram,Ktm,984.100.0001\nSita",Pkr,9841000002\n',
        'name,city,phone\n"Ram,Ktm,9841000001/9841000009\nSita",Pkr,9841000002\n',
        'name,city,phone\n"Ram,Ktm,N/A\nSita",Pkr,9841000002\n',
        'name,city,phone\n"Ram,,\nSita",Pkr,9841000002\n',
        'name,city,phone\n"Ram,9841000001\nSita",Pkr,9841000002\n',
        'name,city,phone\nRam,"Ktm,Mob: ९८४१०००००१\nSita,Pkr",9841000002\n',
        'name, city, phone\n"Ram, Ktm, N/A\nSita", Pkr, 9841000002\n',
        'name,phone\n"Ram, 9841000001\nSita",9841000002\n',
        'name,phone\n"Ram,N/A\nSita",9841000002\n',
        'name;phone\n"Ram;N/A\nSita";9841000002\n',
    ],
)
async def test_quotation_marks(tmp_path: Path, content: str) -> None:
    """A file whose quotation marks are wrong is refused: no row is merged with another."""
    with pytest.raises(UsageError, match=r"malformed .*row \d"):
        await read(tmp_path, content)


@pytest.mark.parametrize(
    "value",
    [
        "Sita\nWard 5, Patan",
        "Ward 5, Patan, Lalitpur,\nNepal",
        "Paid 500, on\n2083-05-12, in cash",
        "Call 9851000009, and\nask for Ram",
        "9851000009\nmother",
    ],
)
async def test_line_breaks_in_values(tmp_path: Path, value: str) -> None:
    """A value may have line breaks and commas; the row after it has the next number, as in a spreadsheet."""
    people = await read(tmp_path, f'name,phone\n"{value}",9841000001\n\nRam,9851000002\n')
    assert [("9841000001", {"name": value}, 2), ("9851000002", {"name": "Ram"}, 4)] == found(people)


async def test_wrong_number_of_cells(tmp_path: Path) -> None:
    """A row with too many or too few cells is left out, because a value may be in the wrong column."""
    people = await read(
        tmp_path,
        "name,phone,due\nRai, Sita,9841000001\nA,9841000002,1,9851000009\nB,9841000003\nC,9841000004,5\n,,,\n",
    )
    assert [("9841000004", {"name": "C", "due": "5"}, 5)] == found(people)
    assert [(2, "not a number"), (3, "cells"), (4, "cells")] == [(p.row, p.kind) for p in people.problems]


async def test_texts_stay_as_typed(tmp_path: Path) -> None:
    """What a person typed is sent as typed: spaces, grouping, decimals, dates and braces."""
    typed = [
        " Sita  Rai ",
        "1,45,000.00",
        "007",
        "2083-02-32",
        "01/02/2083",
        "{amount}",
        "1e5",
        "TRUE",
        "-5",
        "2026-01-02 00:00:00",
    ]
    path = tmp_path / "people.csv"
    header = ",".join(f"v{place}" for place in range(len(typed)))
    path.write_text(f"{header},phone\n" + ",".join(f'"{each}"' for each in typed) + ",9841000001\n")
    people = await RecipientList.read(path)
    assert typed == list(people[0].variables.values())


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("list.xls", b"<html><table><tr><td>9841000001</td></tr></table></html>", "not a spreadsheet"),
        ("list.csv", b"\xef\xbb\xbf<?xml version='1.0'?>", "not a spreadsheet"),
        ("contacts.vcf", b"BEGIN:VCARD\r\nTEL:9841000001\r\nEND:VCARD", "vCards"),
        ("list.xlsx", b"PK\x03\x04 is no archive", "cannot be read as a spreadsheet"),
        ("list.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "cannot be read as a spreadsheet"),
        ("list.xlsx", b"\x89PNG\r\n\x1a\n\x00\x01\xff", "neither a spreadsheet nor text"),
        ("outcomes.jsonl", b'{"number": "9841000001", "name": "A"}\n', "is JSON"),
        ("list.csv", b"", "No column with phone numbers"),
        ("list.csv", b"name,phone\n", ""),
    ],
)
async def test_other_files(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    """A file of another kind is refused with what to do; a file with headers only has no rows."""
    (tmp_path / name).write_bytes(content)
    if said:
        with pytest.raises(UsageError, match=said):
            await RecipientList.read(tmp_path / name)
    else:
        assert ([], ()) == (list(people := await RecipientList.read(tmp_path / name)), people.problems)


async def test_damaged_sheet(tmp_path: Path) -> None:
    """A workbook that can be opened, and whose sheet is damaged, is refused by an error that says so."""
    path = tmp_path / "list.xlsx"
    write_sheet(tmp_path / "whole.xlsx", [["name", "phone"], ["Sita", 9841000001]])
    with zipfile.ZipFile(tmp_path / "whole.xlsx") as whole, zipfile.ZipFile(path, "w") as damaged:
        for part in whole.namelist():
            content = whole.read(part)
            damaged.writestr(part, content[:-200] + b"<<&" if part.endswith("sheet1.xml") else content)
    with pytest.raises(UsageError, match=r"'list.xlsx' cannot be read as a spreadsheet: it is damaged"):
        await RecipientList.read(path)


async def test_missing_file(tmp_path: Path) -> None:
    """A file that does not exist is an error of the argument, in which numbers of the name are masked."""
    with pytest.raises(UsageError, match=r"`path` cannot be read: No such file") as caught:
        await RecipientList.read(tmp_path / "9841000001.csv")
    assert "9841000001" not in str(caught.value)
    with pytest.raises(UsageError, match="`path` is ''"):
        await RecipientList.read("")


@pytest.mark.parametrize("path", ["~no9841234567/x.csv", "9841234567\0.csv", "/nowhere/9841234567.csv", "a.9841234567"])
async def test_numbers_in_paths(path: str) -> None:
    """A phone number in a path is masked in every error about it."""
    people = await RecipientList.from_rows(["98410"])
    for call in (RecipientList.read(path), people.write_rejects(path), write_table([], path)):
        with pytest.raises(UsageError, match="…67") as caught:
            await call
        assert "9841234567" not in str(caught.value)


@pytest.mark.parametrize("path", [b"name,phone\nA,9841000001\n", io.BytesIO(b"phone\n9841000001\n"), None, 5])
async def test_upload(path: Any) -> None:
    """A value that is not a path is refused in one sentence; for an upload, the error says how to read it."""
    with pytest.raises(UsageError, match=r"`path` is of the type \w+\. It must be a str or an os\.PathLike") as caught:
        await RecipientList.read(path)
    is_upload = not isinstance(path, int | None)
    assert is_upload == ("To read an upload, save it to a file first, and give its path." in str(caught.value))
    assert "9841000001" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff", " , \n,,\n"])
async def test_no_rows(tmp_path: Path, content: str) -> None:
    """A file without anything in it is an error that says so, whatever column is given."""
    path = tmp_path / "list.csv"
    path.write_text(content, encoding="utf-8")
    for number in (None, "Phone"):
        with pytest.raises(UsageError, match=r"`path` has no rows. The file is empty, .*list.csv"):
            await RecipientList.read(path, number=number)


async def test_headers_only(tmp_path: Path) -> None:
    """A file with nothing but headers is an empty list that says so; if they name no phone numbers, an error does."""
    path = tmp_path / "list.csv"
    path.write_text("Fees,,\nName,Phone,Due\n", encoding="utf-8")
    people = await RecipientList.read(path)
    assert (0, ()) == (len(people), people.problems)
    assert "headers: row 2, and no rows are below it." in str(people.summary())
    path.write_text("Name,Due\n", encoding="utf-8")
    with pytest.raises(UsageError, match="Row 1 is the only row, and none of its cells is a phone number"):
        await RecipientList.read(path)
