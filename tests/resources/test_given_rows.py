"""The rows given to `add_many` of both generations: which are sent, which are left out, and the outcome of each."""

import re
from collections import Counter, namedtuple
from collections.abc import AsyncIterator, Iterator
from datetime import date
from functools import partial
from typing import Any, cast

import pytest
from support import classic, v1
from support.ready_lists import Person, people
from support.turns import Turns, counting_turns

from tingting_async import Guards, NewContact, PartialFailureError, RowOutcome, RowStatus, UsageError, parse_number
from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

PHONES = [str(9_812_000_000 + 7 * row) for row in range(30)]
ADDED, PRESENT, LEFT_OUT = RowStatus.ADDED, RowStatus.PRESENT, RowStatus.LEFT_OUT


async def later(rows: Any) -> AsyncIterator[Any]:
    """Yield rows from an async generator."""
    for row in rows:
        yield row


class Adding:
    """Calls of one generation's `add_many`, for an empty campaign of a sandbox."""

    def __init__(self, sandbox: Sandbox, tingting: Any, resource: str) -> None:
        self.sandbox = sandbox
        self.tingting = tingting
        self.campaign = next(iter(sandbox.world.campaigns))
        self.name = resource
        self.add_many: Any = getattr(tingting, resource).add_many

    async def __call__(self, given: Any, **options: Any) -> Any:
        """Add rows."""
        return await self.add_many(self.campaign, given, **options)

    def numbers(self) -> list[str]:
        """Return the numbers that the campaign has."""
        return [contact.number for contact in self.sandbox.world.campaigns[self.campaign].contacts]


@pytest.fixture(params=["classic", "v1"])
async def adding(request: pytest.FixtureRequest) -> AsyncIterator[Adding]:
    """Return the calls of each generation."""
    async with Sandbox(campaigns=1, numbers=0) as sandbox:
        if request.param == "v1":
            async with v1.connect(sandbox) as tingting:
                yield Adding(sandbox, tingting, "contacts")
        else:
            async with classic.connect(sandbox) as tingting:
                yield Adding(sandbox, tingting, "numbers")


def statuses(result: Any) -> dict[int, RowStatus]:
    """Return the status of each row."""
    return {outcome.row: outcome.status for outcome in result.outcomes}


async def test_a_list_with_problems_is_refused(adding: Adding) -> None:
    """A list whose rows have problems is refused as a whole: the error counts them, names the first, and says how."""
    given = people(PHONES[:5], 4, 6, 7, 8, 9)
    with pytest.raises(UsageError, match=r"5 of the 10 rows.*Row 4, Mobile.*2 more.*write_rejects.*skip") as caught:
        await adding(given)
    assert ["row 4", "row 6", "row 7", "row 8", "row 9"] == [place for place, _ in caught.value.problems]
    assert [] == adding.sandbox.requests


async def test_a_list_whose_problems_are_skipped(adding: Adding) -> None:
    """Rows of a list with a problem are left out, the others are added, and each row of the file has its outcome."""
    result = await adding(people(PHONES[:4], 4, 6), on_problem="skip")
    assert {2: ADDED, 3: ADDED, 4: LEFT_OUT, 5: ADDED, 6: LEFT_OUT, 7: ADDED} == statuses(result)
    assert RowOutcome(6, LEFT_OUT, "Row 6, Mobile: (…33) has 5 digits.") == result.outcome(6)
    assert (4, [4, 6], PHONES[:4]) == (result.created, list(result.left_out), sorted(adding.numbers()))
    for missing in (-1, 0, 1, 8):
        with pytest.raises(LookupError):
            result.outcome(missing)


BAD: list[tuple[Any, str]] = [
    ("98", "digits"),
    (None, "empty"),
    (9812.5, "fraction"),
    (date(2026, 1, 1), "date"),
    (f"+977 {PHONES[0]}", "the same as"),
    (NewContact(PHONES[20], {"tags_name": {1}}), "JSON"),
    (NewContact("98", {1: "a"}), "digits.*not a string"),
]


@pytest.mark.parametrize("kind", [list, iter, later])
async def test_rows_with_problems_are_skipped(adding: Adding, kind: Any) -> None:
    """Rows of any input that cannot be sent are left out, and the result says why."""
    result = await adding(kind([PHONES[0], *(given for given, _ in BAD), PHONES[1]]), on_problem="skip")
    assert {0: ADDED, 8: ADDED, **dict.fromkeys(range(1, 8), LEFT_OUT)} == statuses(result)
    for row, (_, said) in enumerate(BAD, 1):
        assert re.search(said, result.outcome(row).reason)
    assert PHONES[:2] == sorted(adding.numbers())


async def test_only_problems(adding: Adding) -> None:
    """If all rows are left out, nothing is added, and the result says so."""
    for given in (["98", "99"], iter(["98", "99"]), people([], 2, 3)):
        assert (0, 2) == ((result := await adding(given, on_problem="skip")).created, len(result.left_out))
    assert [] == adding.numbers()


async def test_the_same_number_with_other_values(adding: Adding) -> None:
    """If two rows of a list have the same number and other values, nobody knows which is right: both are left out."""
    given = [NewContact(PHONES[0], {"a": 1}), PHONES[1], NewContact(f"0{PHONES[0]}", {"a": 2}), PHONES[1]]
    result = await adding(given, on_problem="skip")
    assert {0: LEFT_OUT, 1: ADDED, 2: LEFT_OUT, 3: LEFT_OUT} == statuses(result)
    assert "other values" in result.outcome(0).reason
    assert [PHONES[1]] == adding.numbers()


Row = namedtuple("Row", ["number", "name"])  # noqa: PYI024 - what people write


@pytest.mark.parametrize("row", [{"number": PHONES[1]}, (PHONES[1], {"name": "a"}), [PHONES[1]], Row(PHONES[1], "a")])
@pytest.mark.parametrize("on_problem", ["raise", "skip"])
async def test_rows_of_tables(adding: Adding, row: Any, on_problem: Any) -> None:
    """A dictionary, a tuple or a list as a row is refused whatever `on_problem` is, and the error says what to give."""
    with pytest.raises(UsageError, match=rf"`{adding.name}\[1\]` must be.*NewContact.*RecipientList\.from_rows"):
        await adding([PHONES[0], row], on_problem=on_problem)
    assert [] == adding.sandbox.requests


async def test_a_table_is_no_list(adding: Adding) -> None:
    """A DataFrame, whose column names would be the numbers, is refused, and the error says what to give."""

    class DataFrame(list[Any]):
        columns = ("number",)
        shape = (1, 1)

    with pytest.raises(UsageError, match=r"RecipientList\.from_rows"):
        await adding(DataFrame(["number"]))


async def test_a_setting_that_is_not_valid(adding: Adding) -> None:
    """Settings that are not valid are refused before anything is sent."""

    async def report(_: Any) -> None: ...

    class Report:
        async def __call__(self, _: Any) -> None: ...

    reports: list[Any] = [report, Report(), partial(Report(), ...), 5]
    for options in ({"on_problem": "ignore"}, {"concurrency": 0}, *({"on_progress": each} for each in reports)):
        [name] = options
        with pytest.raises(UsageError, match=f"`{name}`"):
            await adding(PHONES[:2], **options)
    assert [] == adding.sandbox.requests


async def test_parsed_numbers_and_recipients(adding: Adding) -> None:
    """Parsed numbers and the recipients of a list are rows, too; their rows count from 0 in another list."""
    chosen = [each for each in people(PHONES[:3]) if each.row != 3]
    result = await adding([*chosen, parse_number(PHONES[5])])
    assert {0: ADDED, 1: ADDED, 2: ADDED} == statuses(result)
    assert sorted([PHONES[0], PHONES[2], PHONES[5]]) == sorted(adding.numbers())


@pytest.mark.parametrize("fails", [False, True])
async def test_progress_is_reported(adding: Adding, fails: bool, caplog: pytest.LogCaptureFixture) -> None:
    """`on_progress` sees the progress after each request. If it fails, that is logged, and every row is still added."""
    seen: list[int] = []

    def report(progress: Any) -> None:
        seen.append(progress.created + progress.skipped)
        if fails:
            raise ValueError("no")

    options = {} if adding.name == "numbers" else {"chunk": 2}
    result = await adding(PHONES[:6], concurrency=1, on_progress=report, **options)
    assert (6, 6) == (result.created, len(adding.numbers()))
    assert seen == ([1, 2, 3, 4, 5, 6] if adding.name == "numbers" else [2, 4, 6])
    assert fails == ("`on_progress` raised ValueError" in caplog.text)


async def test_what_is_there(adding: Adding) -> None:
    """Numbers that the campaign has are not added again, whatever else is in the request, and the result says which."""
    await adding([PHONES[1], PHONES[2]])
    for options in ({}, {"progress": None}):
        result = await adding(iter(PHONES[1:4]) if options else PHONES[:3], **options)
        assert [PRESENT, PRESENT] == [each.status for each in result.outcomes if each.status is not ADDED]
        assert 1 == result.created
    assert sorted(PHONES[:4]) == sorted(adding.numbers())


async def test_a_failed_call_has_every_row(adding: Adding) -> None:
    """The error of a call that ended half-way says what became of every row of a list, by its row in the file."""
    options = {} if adding.name == "numbers" else {"chunk": 1}
    body = {"detail": "Not found."} if adding.name == "contacts" else {"success": False, "status": 404, "errors": []}
    adding.sandbox.faults.add(Fault("status", status=404, body=body, method="POST", nth=3))
    with pytest.raises(PartialFailureError) as caught:
        await adding(people(PHONES[:4], 4), on_problem="skip", concurrency=1, **options)
    outcomes = caught.value.result.outcomes
    assert [ADDED, ADDED, LEFT_OUT, RowStatus.NOT_ADDED, RowStatus.NOT_ADDED] == [each.status for each in outcomes]
    assert [5, 6] == list(caught.value.not_done)
    assert ("404" in outcomes[5].reason, "") == (True, outcomes[6].reason)


async def test_a_lost_response_has_every_row(adding: Adding) -> None:
    """The row whose response was lost is unknown, with the error as its reason; rows before and after it are not."""
    options = {} if adding.name == "numbers" else {"chunk": 1}
    adding.sandbox.faults.add(Fault("reset_after", method="POST", nth=2))
    with pytest.raises(PartialFailureError) as caught:
        await adding(people(PHONES[:3]), concurrency=1, **options)
    result = caught.value.result
    assert {2: ADDED, 3: RowStatus.UNKNOWN, 4: RowStatus.NOT_ADDED} == statuses(result)
    assert ([3], True) == (list(caught.value.unknown), bool(result.outcome(3).reason))
    assert PHONES[:2] == sorted(adding.numbers())


@pytest.mark.parametrize("kind", [list, iter, people])
async def test_numbers_on_the_suppression_list(adding: Adding, kind: Any) -> None:
    """Numbers on the suppression list are left out whatever `on_problem` is, and the result says so."""
    options: Any = {"guards": Guards(suppressed=[f"+977 {PHONES[1]}", PHONES[2]])}
    module = v1 if adding.name == "contacts" else classic
    async with module.connect(adding.sandbox, **options) as tingting:
        result = await getattr(tingting, adding.name).add_many(adding.campaign, kind(PHONES[:4]))
    assert [ADDED, LEFT_OUT, LEFT_OUT, ADDED] == [each.status for each in result.outcomes]
    assert {"", "The number is on the suppression list."} == {each.reason for each in result.outcomes}
    assert [PHONES[0], PHONES[3]] == sorted(adding.numbers())


async def test_a_suppression_list_for_files_and_campaigns(adding: Adding) -> None:
    """Numbers on the suppression list are not in the file that is uploaded, nor in a campaign that is created."""
    options: Any = {"guards": Guards(suppressed=PHONES[1:3])}
    module: Any = v1 if adding.name == "contacts" else classic
    async with module.connect(adding.sandbox, **options) as tingting:
        if adding.name == "contacts":
            await tingting.contacts.upload(adding.campaign, people(PHONES[:4]))
        else:
            campaign = await tingting.campaigns.create("Fees", "SMS", numbers=PHONES[:4])
            adding.campaign = campaign.id
            with pytest.raises(UsageError, match="all numbers in `numbers` are on the suppression list"):
                await tingting.campaigns.create("Fees", "SMS", numbers=PHONES[1:3])
    assert [PHONES[0], PHONES[3]] == sorted(adding.numbers())


class _Produced:
    """A list that notes in which turn of the event loop it makes each contact."""

    problems = ()

    def __init__(self, numbers: list[str], now: Turns) -> None:
        self._ready = people(numbers).ready
        self._now = now
        self.turns: list[int] = []

    def __iter__(self) -> Iterator[Person]:
        for person in self._ready:
            self.turns.append(self._now.count)
            yield person

    def __len__(self) -> int:
        return len(self._ready)


@pytest.mark.parametrize("operation", ["contacts.add_many", "campaigns.create"])
async def test_a_list_makes_its_contacts_as_they_are_checked(operation: str) -> None:
    """The contacts of a list are made in portions, between which other tasks run."""
    numbers = [str(9_800_000_001 + row) for row in range(1000)]
    async with Sandbox(campaigns=1, numbers=0) as sandbox, counting_turns() as turns:
        given = _Produced(numbers, turns)
        if operation == "contacts.add_many":
            async with v1.connect(sandbox) as tingting:
                assert (
                    1000
                    == (
                        await tingting.contacts.add_many(next(iter(sandbox.world.campaigns)), cast("Any", given))
                    ).created
                )
        else:
            async with classic.connect(sandbox) as old:
                await old.campaigns.create("n", "PHONE", numbers=cast("Any", given))
    assert 1000 == len(given.turns)
    assert max(Counter(given.turns).values()) <= 200
