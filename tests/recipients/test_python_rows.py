import csv
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID

import pandas as pd
import pytest

from tingting_async import MisuseError, RecipientList, UsageError
from tingting_async.v1 import NewContact

pytestmark = pytest.mark.anyio


class Row(NamedTuple):
    mobile: str
    name: str


class Huge(int):
    pass


class Color(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("  as typed ", "  as typed "),
        ("1,45,000.00", "1,45,000.00"),
        (900, 900),
        (True, True),
        (12.5, 12.5),
        (["a", 1], ["a", 1]),
        (None, ""),
        (float("nan"), ""),
        (Decimal("1250.00"), "1250.00"),
        (Decimal("1E+3"), "1000"),
        (Decimal("NaN"), ""),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 15, 4), "2026-01-02 15:04"),
        (datetime(2026, 1, 2, 15, 4, 5), "2026-01-02 15:04:05"),
        (datetime(2026, 1, 2, 15, 4, tzinfo=UTC), "2026-01-02 15:04+00:00"),
        (time(9, 5), "09:05"),
        (timedelta(days=1, hours=12), "36:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Color.RED, "red"),
        (10**30, 10**30),
        ("\ud800", "\ud800"),
    ],
)
async def test_values(value: Any, expected: Any) -> None:
    """Values stay as they are if JSON has a type for them, and become the text that a person expects otherwise."""
    (person,) = await RecipientList.from_rows([{"phone": "9841000001", "value": value}])
    assert [expected] == [person.variables["value"]]
    assert type(expected) is type(person.variables["value"])


@pytest.mark.parametrize("value", [b"bytes", object(), float("inf"), {"a": date(2026, 1, 2)}])
async def test_no_text(value: Any) -> None:
    """A value without a text that a person would expect is a problem, whose message does not show it."""
    people = await RecipientList.from_rows([{"phone": "9841000001", "value": value}])
    assert [(1, "value", "value")] == [(p.row, p.column, p.kind) for p in people.problems]
    assert "Convert it to text" in people.problems[0].message


@pytest.mark.parametrize(
    "row",
    [
        {"phone": "9841000001", "name": "Sita"},
        {"number": "9841000001", "variables": {"name": "Sita"}},
        {"number": "9841000001", "other_variables": {"name": "Sita"}},
        NewContact(number="9841000001", variables={"name": "Sita"}),
        Row("9841000001", "Sita"),
    ],
)
async def test_named_values(row: Any) -> None:
    """Rows with names may be mappings, contacts or named tuples."""
    (person,) = await RecipientList.from_rows([row])
    assert ("9841000001", {"name": "Sita"}, 1) == (person.number, person.variables, person.row)


async def test_other_keys() -> None:
    """A row has only the variables that were given for it, and rows may have different ones."""
    people = await RecipientList.from_rows([{"phone": "9841000001", "a": 1}, {"b": 2, "phone": "9851000002"}])
    assert [{"a": 1}, {"b": 2}] == [each.variables for each in people]
    assert ("phone", "a", "b") == people.columns


async def test_keys_are_cleaned() -> None:
    """Keys and the columns of a DataFrame are cleaned as headers of files are: no superfluous spaces or marks."""
    row = {" mobile\u200b": "9841000001", "किस्ता  रकम ": "900"}
    rows: list[Any] = [[row], pd.DataFrame([row]), [{"number": "9841000001", "variables": {"किस्ता  रकम ": "900"}}]]
    for given in rows:
        people = await RecipientList.from_rows(given)
        assert [("9841000001", {"किस्ता रकम": "900"})] == [(each.number, each.variables) for each in people]
    people = await RecipientList.from_rows([{"a ": "9841000001"}], number="a ")
    assert ["9841000001"] == [each.number for each in people]


@pytest.mark.parametrize(
    "rows", [[{"phone": "9841000001", "fee": 1, "fee ": 2}], [{"phone": "9841000001", "fee": 1}, {"fee ": 2}]]
)
async def test_keys_that_become_equal(rows: Any) -> None:
    """Two keys that are the same after cleaning are refused, because only one of the values could be sent."""
    with pytest.raises(UsageError, match=r"`rows\[[01]\]` has the key 'fee ', and another one is 'fee'\. Both become"):
        await RecipientList.from_rows(rows)
    with pytest.raises(UsageError, match="the same header, 'fee'"):
        await RecipientList.from_rows(pd.DataFrame(rows).assign(phone="9841000001"))


@pytest.mark.parametrize(
    "value", [10**5000, -(10**5000), Huge(10**5000), [10**5000]], ids=["int", "negative", "subclass", "list"]
)
async def test_huge_integer(value: Any) -> None:
    """An integer that no file can have is a problem of its row, which names the column."""
    people = await RecipientList.from_rows([{"phone": "9841000001", "n": value}, {"phone": "9851000002", "n": 10**900}])
    assert [(1, "n", "value")] == [(each.row, each.column, each.kind) for each in people.problems]
    assert ["9851000002"] == [each.number for each in people]
    people = await RecipientList.from_rows([(value, "A"), ("9841000001", "B")])
    assert (1, [1]) == (len(people), [each.row for each in people.problems])


async def test_tuples() -> None:
    """Tuples may have headers, as those of a CSV reader have."""
    rows = [("9841000001", "Sita"), ("9851000002", "Ram")]
    assert [{"B": "Sita"}, {"B": "Ram"}] == [each.variables for each in await RecipientList.from_rows(rows)]
    people = await RecipientList.from_rows(iter([("phone", "name"), *rows]))
    assert [({"name": "Sita"}, 2), ({"name": "Ram"}, 3)] == [(each.variables, each.row) for each in people]


@pytest.mark.parametrize("number", ["9840000000", 9840000000, "+977 984 0000000", "९८४०००००००"])
async def test_round_number(number: Any) -> None:
    """A round mobile number is taken in a contact and by itself; a row's cell may be one that a spreadsheet padded."""
    for rows in ([number], [NewContact(str(number))]):
        assert ["9840000000"] == [each.number for each in await RecipientList.from_rows(rows)]
    rows_of_csv = csv.DictReader(["phone,name", f"{number},Sita"])
    for cells in ([{"phone": number}], [("A", number), ("B", "9841000001")], rows_of_csv):
        assert ["padded"] == [each.kind for each in (await RecipientList.from_rows(cells)).problems]


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (9.84e9, "padded it. Compare it with the original. If it is right, give it as an integer, or give `allow_"),
        (Decimal("9.84E+9"), "give it as an integer, or give `allow_padded=True`."),
        ("9840000000.0", "give it as an integer, or give `allow_padded=True`."),
        ("10000000", "If it is right, give `allow_padded=True`."),
        ("14500000", "seems to be an amount"),
    ],
)
async def test_number_that_may_be_padded(number: Any, said: str) -> None:
    """A float that may have been rounded, and an amount, are left out from a program, too, unless they are allowed."""
    rows = [number, "9841000001"]
    (problem,) = (await RecipientList.from_rows(rows)).problems
    assert said in problem.message
    assert 2 == len(await RecipientList.from_rows(rows, allow_padded=True))


async def test_article_of_a_type() -> None:
    """A problem says "an object" and "a range"."""
    people = await RecipientList.from_rows([("9841000001", object()), ("9851000002", range(1))], number="A")
    said = [problem.message for problem in people.problems]
    assert ["the value is an object", "the value is a range"] == [each.split(": ")[1].split(".")[0] for each in said]


async def test_round_numbers_of_a_frame() -> None:
    """A round number of a DataFrame is left out unless it is allowed, because a spreadsheet may have padded it."""
    frame = pd.DataFrame({"phone": [9840000000, 9841000001]})
    (problem,) = (await RecipientList.from_rows(frame)).problems
    assert problem.message.endswith("If it is right, give `allow_padded=True`.")
    assert 2 == len(await RecipientList.from_rows(frame, allow_padded=True))


async def test_split_numbers() -> None:
    """A cell with two numbers is left out, or each of them is taken if that is asked for."""
    rows = [{"phone": "9841000001 / 9851000002", "name": "A"}, {"phone": "9841000001 ::: 98510", "name": "A"}]
    people = await RecipientList.from_rows(rows)
    assert ([], ["ambiguous", "ambiguous"]) == ([*people], [problem.kind for problem in people.problems])
    people = await RecipientList.from_rows(rows[:1], split_numbers=True)
    assert [("9841000001", 1), ("9851000002", 1)] == [(each.number, each.row) for each in people]


async def test_blank_rows() -> None:
    """A row from Python that is empty is a problem, and is not passed over."""
    people = await RecipientList.from_rows(["9841000001", None, "", float("nan")])
    assert [(2, "blank"), (3, "blank"), (4, "blank")] == [(p.row, p.kind) for p in people.problems]


@pytest.mark.parametrize("rows", ["9841000001", b"9841000001", {"phone": ["9841000001"]}, 9841000001, [object()]])
async def test_no_rows(rows: Any) -> None:
    """A value that is not an iterable of rows is refused."""
    with pytest.raises(UsageError, match="`rows"):
        await RecipientList.from_rows(rows)


async def test_the_class_itself() -> None:
    """The class called with rows says how a list is made, and a forgotten `await` is named."""
    with pytest.raises(MisuseError, match=r"await RecipientList\.read"):
        RecipientList(["9841000001"])  # type: ignore[arg-type]
    forgotten = RecipientList.from_rows(["9841000001"])
    with pytest.raises(UsageError, match=r"not coroutine\. Await it first\."):
        await RecipientList.from_rows(forgotten)
    forgotten.close()


async def test_mixed_rows() -> None:
    """Rows of two kinds are refused, and the iterator is closed."""
    closed = False

    async def rows() -> AsyncIterator[Any]:
        nonlocal closed
        try:
            yield "9841000001"
            yield {"phone": "9851000002"}
        finally:
            closed = True

    with pytest.raises(UsageError, match=r"`rows\[1\]` is a mapping, and the rows before it are phone numbers"):
        await RecipientList.from_rows(rows())
    assert closed


async def test_empty() -> None:
    """A list without rows is a list without recipients."""
    people = await RecipientList.from_rows([])
    assert (0, (), 0) == (len(people), people.problems, people.summary().rows)


async def test_sequence() -> None:
    """A list is a sequence, and its reprs show no phone number."""
    people = await RecipientList.from_rows([{"phone": 9_841_000_001 + place, "name": place} for place in range(5)])
    assert ["9841000002", "9841000003"] == [each.number for each in people[1:3]]
    assert "9841000005" == people[-1].number
    shown = repr((people, people[0], [*people.input_rows()], people.summary(), str(people.summary())))
    assert "984100" not in shown


@pytest.mark.parametrize("name", ["mobile", "Mobile", "phone", "contact", "mobile number"])
@pytest.mark.parametrize(
    "row",
    [
        lambda variables: NewContact("9841000001", variables),
        lambda variables: {"number": "9841000001", "variables": variables},
        lambda variables: {"phone_number": "9841000001", "other_variables": variables},
    ],
    ids=["contact", "variables", "other_variables"],
)
async def test_number_among_variables(row: Any, name: str) -> None:
    """A contact's own number is called, whatever numbers its variables have and whatever they are called."""
    variables = {name: "9800000001", "name": "Ram"}
    (person,) = await RecipientList.from_rows([row(variables)])
    assert ("9841000001", variables) == (person.number, person.variables)


@pytest.mark.parametrize(
    "row",
    [
        NewContact("9841000001", {"number": "9800000001", "name": "Ram"}),
        {"number": "9841000001", "variables": {"number": "9800000001"}},
        {"phone": "9841000001", "other_variables": {"phone": "9800000001"}},
    ],
)
async def test_variable_with_the_key_of_the_number(row: Any) -> None:
    """A variable that has the key of the phone number is refused: it would replace the number, or be lost."""
    with pytest.raises(UsageError, match=r"`rows\[1\]` has a variable '(number|phone)', .*Rename"):
        await RecipientList.from_rows([NewContact("9841000002"), row])
    with pytest.raises(UsageError, match=r"`rows\[0\]` has a variable"):
        await RecipientList.from_rows([row])


async def test_contacts_without_variables() -> None:
    """Contacts may lack variables, and all have their number at the same key."""
    rows = [{"number": "9841000001", "variables": {"a": 1}}, {"number": "9841000002"}]
    rows.append({"number": "9841000003", "variables": None})
    people = await RecipientList.from_rows([*rows, NewContact("9841000004")])
    assert [{"a": 1}, {}, {}, {}] == [each.variables for each in people]
    with pytest.raises(UsageError, match=r"`rows\[3\]` has its phone number as 'phone', the others as 'number'"):
        await RecipientList.from_rows([*rows, {"phone": "9841000004", "variables": {}}])


async def test_contacts_and_mappings() -> None:
    """Contacts and other mappings are two kinds of rows: those may have their number at any key."""
    rows = [{"name": "A", "mobile": "9841000001"}, NewContact("9841000002", {"mobile": "9800000001"})]
    with pytest.raises(UsageError, match=r"`rows\[1\]` is a contact, and the rows before it are mappings"):
        await RecipientList.from_rows(rows)
    with pytest.raises(UsageError, match=r"`rows\[1\]` is a mapping, and the rows before it are contacts"):
        await RecipientList.from_rows(reversed(rows))


async def test_chosen_variable() -> None:
    """The number to be called may be a variable of contacts, if it is chosen with `number`."""
    (person,) = await RecipientList.from_rows([NewContact("9841000001", {"alt": "9851000002"})], number="alt")
    assert ("9851000002", {"number": "9841000001"}) == (person.number, person.variables)


@pytest.mark.parametrize("key", [9841777777, ("9841777777",)])
async def test_keys(key: Any) -> None:
    """A key that is not a string is refused without being shown: it may be a phone number."""
    for row in ({"phone": "9841000001", key: "Ram"}, {key: "Ram"}, NewContact("9841000001", {key: "Ram"})):
        with pytest.raises(UsageError, match=r"`rows\[0\]` has a key that is not a string") as caught:
            await RecipientList.from_rows([row])
        assert "9841777777" not in str(caught.value)
