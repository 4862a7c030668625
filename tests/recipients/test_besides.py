from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from tingting_async import RecipientList, UsageError, parse_number
from tingting_async.v1 import NewContact

pytestmark = pytest.mark.anyio

CORRECTED = [
    {"phone": "98410-00001", "name": "Ram B"},
    {"phone": "9851000002", "name": "Sita"},
    {"phone": "9861000003", "name": "Hari"},
]


@attrs.frozen
class Person:
    number: str


@pytest.mark.parametrize(
    "besides",
    [
        ["9841000001"],
        [9841000001],
        ["+977 984-1000001", "+977 984-1000001"],
        iter([NewContact("9841000001")]),
        (Person(each) for each in ["9841000001"]),
        [parse_number("9841000001")],
        {"9841000001"},
    ],
)
async def test_numbers(besides: Any) -> None:
    """People who are reached in another way are left out as duplicates, in any form of their numbers."""
    people = await RecipientList.from_rows(CORRECTED, besides=besides)
    assert ["9851000002", "9861000003"] == [each.number for each in people]
    assert [(1, "phone", "duplicate")] == [(each.row, each.column, each.kind) for each in people.problems]
    assert "another list" in people.problems[0].message
    assert "9841000001" not in repr(people.problems)


async def test_lists(tmp_path: Path) -> None:
    """Recipients who are ready in other lists are left out; those whose rows have a problem there are not."""
    rows = ["9841000001", {"phone": "9851000002"}]
    first = await RecipientList.from_rows(rows[:1])
    conflict = [{"phone": "9861000003", "name": "A"}, {"phone": "9861000003", "name": "B"}]
    second = await RecipientList.from_rows([rows[1], *conflict])
    path = tmp_path / "corrected.csv"
    path.write_text("phone,name\n98410-00001,Ram B\n9851000002,Sita\n9861000003,Hari\n", encoding="utf-8")
    found = [
        [each.number for each in await RecipientList.read(path, besides=besides)]
        for besides in (first, second, [first, second], [*first, *second], [])
    ]
    numbers = ["9841000001", "9851000002", "9861000003"]
    assert [numbers[1:], [numbers[0], numbers[2]], numbers[2:], numbers[2:], numbers] == found


async def test_all_rows_of_a_number() -> None:
    """Each row of a number that is in another list is left out."""
    rows = [("phone", "name"), ("9841000001", "A"), ("9841000001", "B"), ("98410", "C")]
    people = await RecipientList.from_rows(rows, besides=["9841000001"])
    assert ["duplicate", "duplicate", "too short"] == [each.kind for each in people.problems]


async def test_rejects(tmp_path: Path) -> None:
    """The rejects file needs no `besides` to leave the same duplicates out again."""
    people = await RecipientList.from_rows(CORRECTED, besides=["9841000001", "9851000002"])
    await people.write_rejects(tmp_path / "rejects.csv")
    again = await RecipientList.read(tmp_path / "rejects.csv")
    assert ([], ["duplicate", "duplicate"]) == ([*again], [each.kind for each in again.problems])


@pytest.mark.parametrize(
    ("besides", "said"),
    [
        ("9841000001", "`besides` must be"),
        ({"9841000001": 1}, "`besides` must be"),
        (9841000001, "`besides` must be"),
        (None, "`besides` must be"),
        (["9841000001", "98410"], r"besides\[1\]"),
        ([Person("")], r"besides\[0\]"),
    ],
)
async def test_no_numbers(tmp_path: Path, besides: Any, said: str) -> None:
    """A value that is not an iterable of phone numbers is refused before anything is read."""
    for read in (
        RecipientList.read(tmp_path / "none.csv", besides=besides),
        RecipientList.from_rows([], besides=besides),
    ):
        with pytest.raises(UsageError, match=said):
            await read


def _used_up() -> dict[str, Any]:
    """Return iterators that were read before."""
    ended, begun, numbers = _yield("9841000001"), _yield("9841000001", "9851000002"), iter(["1"])
    assert ["9841000001"] == [*ended]
    assert ("9841000001", "1") == (next(begun), next(numbers))
    return {"ended generator": ended, "begun generator": begun, "iterator": numbers, "map": map(str, numbers)}


def _yield(*numbers: str) -> Iterator[str]:
    yield from numbers


@pytest.mark.parametrize("kind", _used_up())
async def test_iterators_that_were_read_before(tmp_path: Path, kind: str) -> None:
    """An iterator that was read before is refused, because the people whom it yielded would be reached twice."""
    for read in (
        lambda besides: RecipientList.read(tmp_path / "none.csv", besides=besides),
        lambda besides: RecipientList.from_rows(["9841000001"], besides=besides),
    ):
        with pytest.raises(UsageError, match=r"`besides` is an iterator that was read before.*twice. Give a list"):
            await read(_used_up()[kind])


async def test_nobody() -> None:
    """An empty collection leaves nobody out, and neither does a new generator that yields nothing."""
    for besides in ([], (), set[str](), _yield()):
        assert 1 == len(await RecipientList.from_rows(["9841000001"], besides=besides))


SPOILED = "S.N.,mobile,name\n#N/A,9841000001,Ram\n2,9841000001,Ram\n3,9851000002,Sita\n"


@pytest.mark.parametrize("is_read_again", [False, True])
async def test_corrected_rows(tmp_path: Path, is_read_again: bool) -> None:
    """A row with an error whose number is in another list is left out once the error is corrected.

    If the original file is corrected, the earlier result is given as `besides`. A rejects file needs no `besides`.
    """
    first = await RecipientList.from_rows([{"mobile": "9841000001", "name": "Ram"}])
    path = tmp_path / "list.csv"
    path.write_text(SPOILED, encoding="utf-8")
    second = await RecipientList.read(path, besides=first)
    if is_read_again:
        await second.write_rejects(path)
    path.write_text(path.read_text(encoding="utf-8-sig").replace("#N/A", "1"), encoding="utf-8")
    third = await RecipientList.read(path, besides=() if is_read_again else second)
    assert [] == [*third]
    fourth = await RecipientList.from_rows(["9841000001"], besides=third)
    assert ["duplicate"] == [problem.kind for problem in fourth.problems]


async def test_corrected_row_of_a_number_that_is_ready(tmp_path: Path) -> None:
    """A row with an error is left out once it is corrected, if another row of its list is ready with its number."""
    path = tmp_path / "list.csv"
    path.write_text(SPOILED, encoding="utf-8")
    people = await RecipientList.read(path)
    assert ["9841000001", "9851000002"] == [each.number for each in people]
    await people.write_rejects(path)
    path.write_text(path.read_text(encoding="utf-8-sig").replace("#N/A", "1"), encoding="utf-8")
    assert [] == [*await RecipientList.read(path)]
