import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tingting_async import RecipientList, UsageError

pytestmark = pytest.mark.anyio

MESSY = """\
Class 5 parents,,,
क्र.सं.,नाम,मोबाइल नम्बर,बाँकी रकम
1,सीता,9841000001,"1,250.00"
2,राम,9851000002.0,900
3,हरि,+977-9841000001,900
4,गीता,01-4412345,0
,,,
5,शिव,98610000,450
जम्मा,,5,"3,500.00"
"""
"""A spreadsheet's export with a title, Nepali headers, a float, one number twice, a landline, and a total."""


async def test_messy_file(tmp_path: Path) -> None:
    """Titles, empty rows and totals are skipped, and all rows of one number are left out if their values differ."""
    path = tmp_path / "parents.csv"
    path.write_text(MESSY, encoding="utf-8")
    people = await RecipientList.read(path)
    assert [("9851000002", 4), ("14412345", 6)] == [(each.number, each.row) for each in people]
    assert {"क्र.सं.": "2", "नाम": "राम", "बाँकी रकम": "900"} == people[0].variables
    assert [3, 5, 8] == [problem.row for problem in people.problems]
    assert ["conflict", "conflict"] == [problem.kind for problem in people.problems[:2]]
    assert "मोबाइल नम्बर" == people.number_column


async def test_mappings() -> None:
    """Mappings, as a DataFrame or a database has them, keep the values that JSON can hold."""
    rows = [{"name": "Sita", "phone": 9841000001, "due": 12.5}, {"name": "Ram", "phone": "98410"}]
    people = await RecipientList.from_rows(rows)
    assert [("9841000001", {"name": "Sita", "due": 12.5}, 1)] == [(p.number, p.variables, p.row) for p in people]
    assert [(2, "phone", "too short")] == [(p.row, p.column, p.kind) for p in people.problems]


async def test_bare_numbers_of_an_async_iterable() -> None:
    """Phone numbers alone are rows, too, and the second of the same number is a duplicate."""

    async def numbers():  # noqa: ANN202
        for number in ("9841000001", 9851000002.0, "+977 984-1000001"):
            yield number

    people = await RecipientList.from_rows(numbers())
    assert ["9841000001", "9851000002"] == [each.number for each in people]
    assert [(3, "duplicate")] == [(problem.row, problem.kind) for problem in people.problems]


async def test_other_tasks_run() -> None:
    """Other tasks get their turn while rows are taken from a list, a generator or an async generator."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def rows() -> Iterator[str]:
        for number in range(9841000001, 9841001001):
            yield str(number)
        seen.append(turns)

    async def async_rows() -> AsyncIterator[str]:
        for each in rows():
            yield each

    seen: list[int] = []
    counting = asyncio.create_task(count())
    for given in (rows(), async_rows()):
        turns = 0
        assert 1000 == len(await RecipientList.from_rows(given))
    counting.cancel()
    assert min(seen) >= 9


async def test_masked_headers() -> None:
    """A problem does not show a phone number that is in a header."""
    people = await RecipientList.from_rows([{"phone": "9841000001", "old mobile 9841777777": "#N/A"}], number="phone")
    (problem,) = people.problems
    assert "error" == problem.kind
    assert "old mobile …77" == problem.column
    assert "9841777777" not in repr(problem)


async def test_digest(tmp_path: Path) -> None:
    """Lists of one file have different digests if they reach others."""
    path = tmp_path / "people.csv"
    path.write_text("Phone,Alt\n9841000001,01-4412345\n9851000002,9861000003 / 9861000004\n", encoding="utf-8")
    options: list[dict[str, Any]] = [
        {"number": "Phone"},
        {"number": "Alt"},
        {"number": "Alt", "mobile_only": True},
        {"number": "Alt", "split_numbers": True},
        {"number": "Phone", "besides": ["9841000001"]},
    ]
    digests = [(await RecipientList.read(path, **each)).digest for each in options]
    assert len(options) == len({*digests})
    assert digests[0] == (await RecipientList.read(path, number="A")).digest


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("number", ["Father's Mobile", "Mother's Mobile"], "one string, not list"),
        ("sheet", 1, "one string, not int"),
        ("encoding", b"utf-8", "one string, not bytes"),
        ("delimiter", 9, "one string, not int"),
        ("has_header", "yes", "True or False, not str"),
        ("mobile_only", 1, "True or False, not int"),
    ],
)
async def test_arguments_of_another_type(tmp_path: Path, name: str, value: Any, what: str) -> None:
    """An argument of another type is refused by its name."""
    path = tmp_path / "list.csv"
    path.write_text("phone\n9841000001\n", encoding="utf-8")
    with pytest.raises(UsageError, match=f"`{name}` must be {what}"):
        await RecipientList.read(path, **{name: value})
