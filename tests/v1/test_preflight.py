"""The check of a campaign before it is run."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import attrs
import pytest
from aiohttp import web
from support.v1 import connect, count_effects, first_contact, make_campaign, page, serving

from tingting_async import Guards, PermissionDeniedError, Prices, UsageError
from tingting_async.sandbox import Sandbox
from tingting_async.v1 import NewContact

pytestmark = pytest.mark.anyio


async def test_an_empty_draft() -> None:
    """The report of a draft without contacts, line and voice names each of these problems."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        draft = await tingting.campaigns.create("n", "PHONE", message="{name}", draft=True)
        report = await tingting.campaigns.preflight(draft.id)
    assert (0, {"name"}) == (report.contacts, report.placeholders)
    expected = ("It has no contacts.", "It has no line to call from.", "It has no voice.", "It is a draft.")
    assert expected == report.problems


async def test_variables_that_are_missing() -> None:
    """A contact without a value for a placeholder is a problem until the value is set."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await make_campaign(tingting, message="Hi {name}")
        contacts = await tingting.contacts.list(campaign.id).collect()
        expected = tuple(f"Contact {contact.id} has no value for name." for contact in contacts)
        assert expected == (await tingting.campaigns.preflight(campaign.id)).problems
        for contact in contacts:
            await tingting.contacts.set_variables(contact.id, {"name": "सीता"})
        assert () == (await tingting.campaigns.preflight(campaign.id)).problems


async def test_a_number_that_is_there_twice() -> None:
    """Contacts with the same number, in any spelling, are a problem: a run would reach that person once for each."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await tingting.campaigns.create("Loop", "SMS", sms_message="Hi {name}")
        for number in ("9841234567", "+977-9841234567", "९८४१२३४५६७", "9841234568"):
            await tingting.contacts.add(campaign.id, number, variables={"name": "Sita"})
        ids = [contact.id for contact in await tingting.contacts.list(campaign.id).collect()]
        (problem,) = (await tingting.campaigns.preflight(campaign.id)).problems
        with pytest.raises(UsageError, match="A run reaches that person 3 times"):
            await tingting.campaigns.run(campaign.id, preflight=True)
        assert 0 == count_effects(sandbox, "run")
    assert problem.startswith(f"The contacts {ids[1]}, {ids[2]}, {ids[3]} have the same number")  # The newest is first.
    assert "9841234567" not in problem


async def test_run_with_problems() -> None:
    """`run(preflight=True)` refuses a campaign with problems, and runs nothing."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await make_campaign(tingting, message="Hi {name}")
        with pytest.raises(UsageError, match=r"was not run.* has no value for name"):
            await tingting.campaigns.run(campaign.id, preflight=True)
        assert 0 == count_effects(sandbox, "run")


async def test_run_without_problems() -> None:
    """`run(preflight=True)` runs a campaign without problems."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await make_campaign(tingting)
        await tingting.campaigns.run(campaign.id, preflight=True)
        assert 1 == count_effects(sandbox, "run")


async def test_a_campaign_that_runs_already() -> None:
    """A status other than "Not Started" is a problem."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await make_campaign(tingting)
        await tingting.campaigns.run(campaign.id)
        assert ("Its status is 'Running'.",) == (await tingting.campaigns.preflight(campaign.id)).problems


async def test_a_call_without_a_message() -> None:
    """A campaign that calls needs a message."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await make_campaign(tingting)
        await tingting.campaigns.update(campaign.id, message=None)
        assert ("It has no message.",) == (await tingting.campaigns.preflight(campaign.id)).problems


@pytest.mark.parametrize(
    ("services", "expected"),
    [("SMS", ["It has no SMS message."]), ("SMS & PHONE", ["It has no SMS message."]), ("PHONE", [])],
)
async def test_an_sms_without_a_message(services: str, expected: list[str]) -> None:
    """A campaign that sends SMS needs an SMS message; one that only calls does not."""

    async def handler(request: web.Request) -> web.StreamResponse:
        if "campaign-detail" in request.path:
            return web.json_response(page([{"id": 1}]))
        fields = {"message": "m", "sms_message": "", "user_phone": [1], "voice": 3, "status": "Not Started"}
        return web.json_response({"id": 1, "services": services, **fields})

    async with serving(handler) as tingting:
        assert expected == list((await tingting.campaigns.preflight(1)).problems)


async def test_a_check_that_fails_leaves_no_task() -> None:
    """If a contact's variables cannot be read, the check fails with that error and cancels the other requests."""
    started, released = asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/0/attributes/"):
            await started.wait()
            return web.json_response({"detail": "Not yours."}, status=403)
        if request.path.endswith("/attributes/"):
            started.set()
            await released.wait()
            return web.json_response({})
        if "campaign-detail" in request.path:
            return web.json_response(page([{"id": index} for index in range(3)]))
        return web.json_response({"id": 1, "services": "PHONE", "message": "{name}"})

    def reading() -> set[asyncio.Task[Any]]:
        return {task for task in asyncio.all_tasks() if "variables" in repr(task.get_coro())}

    async with serving(handler) as tingting:
        before = reading()
        with pytest.raises(PermissionDeniedError):
            await tingting.campaigns.preflight(1)
        assert before == reading()
        released.set()


@attrs.frozen
class Person:
    """A recipient as a list has it: with the row of its file."""

    number: str
    variables: dict[str, Any]
    row: int


async def test_contacts_of_all_pages() -> None:
    """The values of all contacts are checked, not those of the first page alone."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await tingting.campaigns.create("n", "SMS", sms_message="Hi {name}")
        people = [NewContact(f"98000000{row:02}", {"name": "Sita"} if row != 17 else {}) for row in range(25)]
        await tingting.contacts.add_many(campaign.id, people)
        report = await tingting.campaigns.preflight(campaign.id)
        (bad,) = [each.id async for each in tingting.contacts.list(campaign.id) if each.number == "9800000017"]
    assert ((f"Contact {bad} has no value for name.",), 25, 25) == (report.problems, report.checked, report.contacts)


@pytest.mark.parametrize("value", ["", "  ", "\u00a0", None])
async def test_an_empty_value(value: str | None) -> None:
    """An empty value is no value: nobody gets "Dear ,"."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await tingting.campaigns.create("n", "SMS", sms_message="Dear {name}, Rs. {amount}.")
        await tingting.contacts.add(campaign.id, "9800000001", variables={"name": value, "amount": 0})
        contact = await first_contact(tingting, campaign.id)
        report = await tingting.campaigns.preflight(campaign.id)
        assert (f"Contact {contact.id} has no value for name.",) == report.problems
        listed = await tingting.campaigns.preflight(campaign.id, recipients=[Person("9800000001", {"name": value}, 7)])
        assert ("Row 7 has no value for amount, name.",) == listed.problems


@pytest.mark.parametrize("is_async", [False, True])
async def test_recipients(is_async: bool) -> None:
    """Recipients are checked without a request for each, and problems name their rows."""
    people = [Person(f"98{row:08}", {"name": "Sita" if row != 301 else ""}, row + 2) for row in range(1, 401)]

    async def stream() -> AsyncIterator[Person]:
        for person in people:
            yield person

    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await tingting.campaigns.create("n", "SMS", sms_message="Hi {name}")
        await tingting.contacts.add_many(campaign.id, people)
        before = len(sandbox.requests)
        report = await tingting.campaigns.preflight(campaign.id, recipients=stream() if is_async else people)
        assert (("Row 303 has no value for name.",), 400, 400) == (report.problems, report.checked, report.contacts)
        assert 2 == len(sandbox.requests) - before


async def test_recipients_without_rows() -> None:
    """Recipients that know no row are named by their index, and bare numbers have no values."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await tingting.campaigns.create("n", "SMS", sms_message="Hi {name}")
        people = [NewContact("9800000001", {"name": "Sita"}), "9800000002"]
        await tingting.contacts.add_many(campaign.id, people)
        report = await tingting.campaigns.preflight(campaign.id, recipients=people)
        assert ("`recipients[1]` has no value for name.",) == report.problems
        assert ("`recipients` is empty.",) == (await tingting.campaigns.preflight(campaign.id, recipients=[])).problems


async def test_many_rows_with_problems() -> None:
    """A report names a thousand recipients at most, and counts the others."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await tingting.campaigns.create("n", "SMS", sms_message="Hi {name}")
        people = [Person(f"98{row:08}", {}, row) for row in range(1, 1201)]
        await tingting.contacts.add_many(campaign.id, people, chunk=400)
        problems = (await tingting.campaigns.preflight(campaign.id, recipients=people)).problems
    assert (1001, "And 200 more have problems like these.") == (len(problems), problems[-1])


@pytest.mark.parametrize("recipients", ["9800000001", {"9800000001": {}}, 9800000001])
async def test_what_is_no_list_of_recipients(recipients: Any) -> None:
    """A value that is not a list of recipients is refused."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await make_campaign(tingting)
        with pytest.raises(UsageError, match="`recipients` must be a list of recipients"):
            await tingting.campaigns.preflight(campaign.id, recipients=recipients)


async def test_the_cost_of_the_filled_texts() -> None:
    """The parts of the SMS are counted on the text of each recipient, and priced as the user states."""
    prices = Prices(per_sms_part=0.5)
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox, guards=Guards(prices=prices)) as tingting:
        campaign = await tingting.campaigns.create("n", "SMS", sms_message="{text}")
        people = [Person(f"980000000{row}", {"text": text}, row) for row, text in enumerate(("a", "a" * 161, "क" * 71))]
        await tingting.contacts.add_many(campaign.id, people)
        report = await tingting.campaigns.preflight(campaign.id, recipients=people)
        assert (5, Decimal("2.5"), ()) == (report.sms_parts, report.estimated_credits, report.problems)
        sandbox.world.owner.credits = 2
        report = await tingting.campaigns.preflight(campaign.id, recipients=people)
        assert 2 == report.credits_left
        assert ("It is estimated to cost 2.5 credits, and the account has 2 left.",) == report.problems


async def test_the_cost_of_calls() -> None:
    """Calls are priced, too; without prices, nothing is estimated, and a price that is missing is an error."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await make_campaign(tingting)
        report = await tingting.campaigns.preflight(campaign.id)
        assert (0, None, None) == (report.sms_parts, report.estimated_credits, report.credits_left)
        report = await tingting.campaigns.preflight(campaign.id, prices=Prices(per_call_minute=2, minutes_per_call=1.5))
        assert (Decimal(9), 3) == (report.estimated_credits, report.checked)
        with pytest.raises(UsageError, match="per_call"):
            await tingting.campaigns.preflight(campaign.id, prices=Prices(per_sms_part=2))


async def test_more_contacts_than_may_be_asked() -> None:
    """If some contacts were not checked, that is a problem, and the cost is not estimated."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await tingting.campaigns.create("n", "SMS", sms_message="Hi {name}")
        people = [NewContact(f"98000000{row:02}", {"name": "Sita"}) for row in range(25)]
        await tingting.contacts.add_many(campaign.id, people)
        options: dict[str, Any] = {"max_contacts": 20, "prices": Prices(per_sms_part=1)}
        report = await tingting.campaigns.preflight(campaign.id, **options)
        assert (20, None, None) == (report.checked, report.sms_parts, report.estimated_credits)
        (problem,) = report.problems
        assert problem.startswith("Only 20 of its 25 contacts were checked")
        with pytest.raises(UsageError, match="max_contacts"):
            await tingting.campaigns.preflight(campaign.id, max_contacts=0)


async def test_requests_for_variables_are_bounded() -> None:
    """At most eight contacts' variables are requested at the same time."""
    waiting, most = 0, 0
    may_answer = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal waiting, most
        if request.path.endswith("/attributes/"):
            waiting += 1
            most = max(most, waiting)
            if waiting == 8:
                may_answer.set()
            await may_answer.wait()
            waiting -= 1
            return web.json_response({"name": "Sita"})
        if "campaign-detail" in request.path:
            return web.json_response(page([{"id": index, "number": f"98{index:08}"} for index in range(10)]))
        return web.json_response({"id": 1, "services": "SMS", "sms_message": "{name}", "user_phone": [1]})

    async with serving(handler) as tingting:
        assert () == (await tingting.campaigns.preflight(1)).problems
    assert 8 == most


async def test_a_text_of_a_legacy_font() -> None:
    """A message or a value that was typed for a legacy Nepali font is a problem: it would arrive as `/fd`."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        message = "tkfO{sf] ljBfyL{sf] z'Ns afFsL 5"
        campaign = await tingting.campaigns.create("n", "SMS", sms_message=message)
        await tingting.contacts.add(campaign.id, "9800000001")
        (problem,) = (await tingting.campaigns.preflight(campaign.id, recipients=["9800000001"])).problems
        assert problem.startswith("It has an SMS message that seems to be typed for a legacy Nepali font")
        await tingting.campaigns.update(campaign.id, sms_message="{name}")
        people = [Person("9800000001", {"name": "/fd ax'b'/"}, 5), Person("9800000002", {"name": "Ram"}, 6)]
        await tingting.contacts.add_many(campaign.id, people)
        (problem,) = (await tingting.campaigns.preflight(campaign.id, recipients=people)).problems
        assert problem.startswith("Row 5 has a value for name that seems to be typed for a legacy Nepali font")


async def test_a_text_that_is_taken_for_one_of_a_legacy_font() -> None:
    """With `allow_legacy_font=True`, such messages and values are no problem, and the campaign runs."""
    people = [Person("9800000001", {"name": "/fd ax'b'/"}, 5)]
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await tingting.campaigns.create("n", "SMS", sms_message="tkfO{sf] ljBfyL{sf] z'Ns {name}")
        await tingting.contacts.add_many(campaign.id, people)
        given: dict[str, Any] = {"recipients": people, "allow_legacy_font": True}
        assert () == (await tingting.campaigns.preflight(campaign.id, **given)).problems
        with pytest.raises(UsageError, match=r"legacy .*`allow_legacy_font=True`"):
            await tingting.campaigns.run(campaign.id, preflight=True, recipients=people)
        await tingting.campaigns.run(campaign.id, preflight=True, **given)
        assert 1 == count_effects(sandbox, "run")


@pytest.mark.parametrize(
    ("contacts", "recipients", "expected"),
    [
        (3, 3, ()),
        (3, 1, ("It has 3 contacts, but `recipients` has 1.",)),
        (1, 3, ("It has 1 contact, but `recipients` has 3.",)),
        (0, 3, ("It has no contacts.",)),
        (0, 0, ("It has no contacts.", "`recipients` is empty.")),
        (3, 0, ("`recipients` is empty.",)),
    ],
)
async def test_another_number_of_contacts(contacts: int, recipients: int, expected: tuple[str, ...]) -> None:
    """A campaign has as many contacts as there are recipients, or it is not run."""
    people = [Person(f"980000000{row}", {"name": "Sita"}, row) for row in range(1, 4)]
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await tingting.campaigns.create("n", "SMS", sms_message="Dear {name},")
        if contacts:
            await tingting.contacts.add_many(campaign.id, people[:contacts])
        given = people[3 - recipients :]
        problems = (await tingting.campaigns.preflight(campaign.id, recipients=given)).problems
        assert expected == tuple(re.sub(r"\. A run reaches every .*", ".", problem) for problem in problems)
        if expected:
            with pytest.raises(UsageError, match="was not run"):
                await tingting.campaigns.run(campaign.id, preflight=True, recipients=given)
        else:
            await tingting.campaigns.run(campaign.id, preflight=True, recipients=given)
        assert (not expected) == count_effects(sandbox, "run")


async def test_recipients_on_the_suppression_list() -> None:
    """Recipients on the suppression list are not added, so they do not count as missing contacts."""
    people = [Person("9800000001", {"name": "Sita"}, 2), Person("+977 9800000002", {}, 3)]
    async with Sandbox(campaigns=0) as sandbox:
        async with connect(sandbox, guards=Guards(suppressed=["9800000002"])) as tingting:
            campaign = await tingting.campaigns.create("n", "SMS", sms_message="Dear {name},")
            await tingting.contacts.add_many(campaign.id, people)
            report = await tingting.campaigns.preflight(campaign.id, recipients=people)
            assert ((), 1, 1) == (report.problems, report.checked, report.contacts)
            (problem,) = (await tingting.campaigns.preflight(campaign.id, recipients=people[1:])).problems
            assert "All `recipients` are on the suppression list." == problem
        async with connect(sandbox) as free:
            await free.contacts.add(campaign.id, "9800000003")
        async with connect(sandbox, guards=Guards(suppressed=["9800000002"])) as tingting:
            (problem,) = (await tingting.campaigns.preflight(campaign.id, recipients=people)).problems
            assert problem.startswith(
                "It has 2 contacts, but `recipients` has 1 without those on the suppression list."
            )


async def test_contacts_of_the_campaign_as_recipients() -> None:
    """Listed contacts, which have no variables, are recipients of a message without placeholders."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await tingting.campaigns.create("n", "SMS", sms_message="Hi")
        await tingting.contacts.add_many(campaign.id, ["9800000001", "9800000002"])
        contacts = await tingting.contacts.list(campaign.id).collect()
        assert () == (await tingting.campaigns.preflight(campaign.id, recipients=contacts)).problems
        await tingting.campaigns.run(campaign.id, preflight=True, recipients=contacts)
        assert 1 == count_effects(sandbox, "run")


def one_by_one(rows: list[Any]) -> Iterator[Any]:
    """Return an iterator over rows, which can be read once."""
    yield from rows


REFUSED_RECIPIENTS: list[tuple[Any, str]] = [
    ([Person("9800000001", {}, 7), Person("9800000002", ["a"], 8)], r"`recipients\[1\]\.variables` must be a mapping"),  # type: ignore[arg-type]
    (["9800000001", {"number": "9800000002", "name": "Sita"}], r"`recipients\[1\]` must be an object .*, not a dict"),
    ([None], r"`recipients\[0\]`"),
    ([object()], r"`recipients\[0\]`"),
    ([True], r"`recipients\[0\]`"),
    (["9800000001", "Sita"], r"`recipients\[1\]`"),
    ({"9800000001": {}}, "`recipients` must be a list of recipients, not dict"),
    (bytearray(b"98"), "`recipients` must be a list of recipients, not bytearray"),
]


@pytest.mark.parametrize(("recipients", "said"), REFUSED_RECIPIENTS)
@pytest.mark.parametrize("is_iterator", [False, True])
async def test_what_is_no_recipient(recipients: Any, said: str, is_iterator: bool) -> None:
    """`preflight` and `run` refuse a row that is no recipient before any request, also before they change a text."""
    given = (lambda: one_by_one(recipients)) if is_iterator and isinstance(recipients, list) else (lambda: recipients)
    async with Sandbox(campaigns=1) as sandbox, connect(sandbox) as tingting:
        with pytest.raises(UsageError, match=said) as caught:
            await tingting.campaigns.preflight(1, recipients=given())
        assert "98000000" not in str(caught.value)
        with pytest.raises(UsageError, match=said):
            await tingting.campaigns.run(1, sms_message="new {name}", preflight=True, recipients=given())
        assert [] == sandbox.requests


async def test_an_iterator_of_recipients_is_read_once() -> None:
    """An iterator that can be read once gives its variables to the preflight of a run."""
    people = [Person(f"980000000{row}", {"name": "Sita"}, row) for row in range(1, 4)]
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await tingting.campaigns.create("n", "SMS", sms_message="Dear {name},")
        await tingting.contacts.add_many(campaign.id, people)
        assert () == (await tingting.campaigns.preflight(campaign.id, recipients=one_by_one([*people]))).problems
        await tingting.campaigns.run(campaign.id, preflight=True, recipients=one_by_one([*people]))
        assert 1 == count_effects(sandbox, "run")


@pytest.mark.parametrize("prices", [5, {"per_sms_part": 1}, "1", Prices, Decimal(1)])
async def test_what_are_no_prices(prices: Any) -> None:
    """`preflight` refuses prices that are not `Prices` before any request."""
    async with Sandbox(campaigns=1) as sandbox, connect(sandbox) as tingting:
        with pytest.raises(UsageError, match=r"`prices` must be `Prices\(per_sms_part"):
            await tingting.campaigns.preflight(1, prices=prices)
        assert [] == sandbox.requests
