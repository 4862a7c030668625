"""The contacts of a campaign."""

from pathlib import Path
from typing import Any

import pytest
from support.v1 import NUMBERS, always, connect, count_effects, first_contact, make_campaign, serving

from tingting_async import ApiError, File, NotFoundError, PartialFailureError, UsageError
from tingting_async.sandbox import Fault, Sandbox
from tingting_async.v1 import NewContact

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("body", ["message", "contact"])
async def test_add(body: Any) -> None:
    """A contact is added with its variables, whether the response holds a message or the contact."""
    async with Sandbox(campaigns=1, numbers=0, add_contact_response=body) as sandbox, connect(sandbox) as tingting:
        (campaign,) = sandbox.world.campaigns
        added = await tingting.contacts.add(campaign, "+977 9800000001", variables={"name": "राहुल"})
        assert (body == "message") == (added.contact is None)
        contact = await first_contact(tingting, campaign)
        assert "9800000001" == contact.number
        assert {"name": "राहुल"} == await tingting.contacts.variables(contact.id)


@pytest.mark.parametrize("exact", [True, False])
async def test_listed_contacts_know_their_campaign(exact: bool) -> None:
    """A listed contact has the id of its campaign. Its variables, which the list does not contain, are None."""
    async with Sandbox(campaigns=2, numbers=13) as sandbox, connect(sandbox) as tingting:
        for campaign in sandbox.world.campaigns:
            contacts = await tingting.contacts.list(campaign, exact=exact).collect()
            assert [(campaign, None)] * 13 == [(contact.campaign_id, contact.variables) for contact in contacts]


async def test_the_campaign_that_a_response_names() -> None:
    """A campaign that the service names stays as it is."""
    body = b'{"count": 1, "next": null, "results": [{"id": 1, "number": 9800000001, "campaing": 7}]}'
    async with serving(always(body)) as tingting:
        assert 7 == (await tingting.contacts.list(5).collect())[0].campaign_id


async def test_an_added_contact_knows_its_campaign() -> None:
    """A contact that the response to its addition contains has the id of its campaign."""
    sandbox = Sandbox(campaigns=1, numbers=0, add_contact_response="contact")
    async with sandbox, connect(sandbox) as tingting:
        (campaign,) = sandbox.world.campaigns
        added = await tingting.contacts.add(campaign, NUMBERS[0])
        assert added.contact is not None
        assert campaign == added.contact.campaign_id


async def test_edit() -> None:
    """A contact's number can be changed."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        contact = await first_contact(tingting, (await make_campaign(tingting)).id)
        assert "9800000009" == (await tingting.contacts.edit(contact.id, "9800000009")).number


async def test_set_variables() -> None:
    """A contact's variables are changed and returned."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        contact = await first_contact(tingting, (await make_campaign(tingting)).id)
        assert {"name": "सीता"} == await tingting.contacts.set_variables(contact.id, {"name": "सीता"})


async def test_set_no_variables() -> None:
    """Changing no variable is refused, and nothing is sent."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        with pytest.raises(UsageError, match="at least one variable"):
            await tingting.contacts.set_variables(1, {})
        assert [] == sandbox.requests


async def test_demo_call() -> None:
    """One contact can be called to try out the campaign."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        contact = await first_contact(tingting, (await make_campaign(tingting)).id)
        assert "Demo Call Placed Successfully" == (await tingting.contacts.demo_call(contact.id)).text
        assert 1 == count_effects(sandbox, "demo")


async def test_delete() -> None:
    """A contact that is deleted is no longer listed."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await make_campaign(tingting)
        first, *others = await tingting.contacts.list(campaign.id).collect()
        await tingting.contacts.delete(first.id)
        assert others == await tingting.contacts.list(campaign.id).collect()


async def test_the_extra_of_a_page() -> None:
    """A page of contacts has the total of credits that were consumed."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await make_campaign(tingting)
        await tingting.campaigns.run(campaign.id)
        sandbox.clock.advance(600)
        page = await anext(tingting.contacts.list(campaign.id).pages())
        assert 3 == page.extra["total_credits_consumed"]


async def test_add_many() -> None:
    """Many contacts are added in chunks; those that the campaign already has are skipped."""
    async with Sandbox(campaigns=1, numbers=0, max_contacts=10) as sandbox, connect(sandbox) as tingting:
        (campaign,) = sandbox.world.campaigns
        await tingting.contacts.add(campaign, 9800000003)
        rows: list[NewContact | str | int] = [9800000000 + index for index in range(25)]
        rows[7] = "+9771-5970425"
        done = await tingting.contacts.add_many(campaign, rows, chunk=10)
        assert (24, 1, {}) == (done.created, done.skipped, done.errors)
        assert 24 == len({contact.number for contact in done.contacts})
        assert 25 == await tingting.contacts.list(campaign).count()


async def test_add_many_with_rows_that_the_service_refuses() -> None:
    """Errors of the service are given by the index of the contact, over all chunks."""
    body = {"created": 0, "skipped": 0, "contacts": [], "errors": [{"row": 1, "error": "bad"}, "worse"]}
    async with serving(always(body, 201)) as tingting:
        done = await tingting.contacts.add_many(1, [*NUMBERS, "9800000004"], chunk=2)
    assert ({1: "bad", 3: "bad"}, ("worse", "worse")) == (done.errors, done.other_errors)


@pytest.mark.parametrize(
    ("contacts", "options", "message"),
    [
        ([*NUMBERS, NUMBERS[0]], {}, "same as"),
        ([NUMBERS[0], NewContact(NUMBERS[1], ["a"])], {}, r"`contacts\[1\]\.variables` must be a mapping"),  # type: ignore[arg-type]
        (NUMBERS, {"chunk": 0}, "`chunk` is 0"),
    ],
)
async def test_add_many_that_cannot_be_sent(contacts: list[Any], options: dict[str, Any], message: str) -> None:
    """If a contact or the chunk is not valid, nothing is sent."""
    async with Sandbox(campaigns=1) as sandbox, connect(sandbox) as tingting:
        with pytest.raises(UsageError, match=message):
            await tingting.contacts.add_many(1, contacts, **options)
        assert [] == sandbox.requests


@pytest.mark.parametrize(
    ("kind", "unknown", "not_done"), [("reset_after", (10, 20), (20, 25)), ("status", (0, 0), (10, 25))]
)
async def test_add_many_that_fails_half_way(kind: Any, unknown: tuple[int, int], not_done: tuple[int, int]) -> None:
    """If a later request fails, the error says which contacts were added, may have been added, and were not."""
    async with Sandbox(campaigns=1, numbers=0) as sandbox, connect(sandbox) as tingting:
        (campaign,) = sandbox.world.campaigns
        sandbox.faults.add(Fault(kind, path="*/add-contact/", nth=2, status=400, body={"detail": "No."}))
        numbers = [9800000000 + index for index in range(25)]
        with pytest.raises(PartialFailureError, match="10 contacts were added") as caught:
            await tingting.contacts.add_many(campaign, numbers, chunk=10, concurrency=1)
        assert (range(*unknown), range(*not_done)) == (caught.value.unknown, caught.value.not_done)
        assert 10 == caught.value.result.created  # type: ignore[attr-defined]


async def test_add_many_whose_first_request_is_refused() -> None:
    """If the first request is refused, nothing was added, and the error is the service's own."""
    async with serving(always({"detail": "Not found."}, 404)) as tingting:
        with pytest.raises(NotFoundError):
            await tingting.contacts.add_many(1, ["9800000001", "9800000002"], chunk=1)


CSV = "numbers,name\n9800000001,सीता\nx,राम\n9800000002,गीता\n"


@pytest.mark.parametrize("method", ["PATCH", "POST"])
async def test_upload(method: Any, tmp_path: Path) -> None:
    """A file of contacts is added by whichever method the service accepts, which is remembered."""
    path = tmp_path / "contacts.csv"
    path.write_text(CSV)
    async with Sandbox(campaigns=1, numbers=0, upload_method=method) as sandbox, connect(sandbox) as tingting:
        (campaign,) = sandbox.world.campaigns
        for _ in range(2):
            done = await tingting.contacts.upload(campaign, path)
        assert (2, 1, ("सीता", "गीता")) == (done.rows, len(done.errors), done.columns[1].sample)
        assert (method == "POST") == sum(received.status == 405 for received in sandbox.requests)


async def test_upload_by_no_method(tmp_path: Path) -> None:
    """If the service rejects both PATCH and POST, the 405 is the error."""
    path = tmp_path / "contacts.csv"
    path.write_text(CSV)
    async with Sandbox(campaigns=1, upload_method="NONE") as sandbox, connect(sandbox) as tingting:  # type: ignore[arg-type]
        (campaign,) = sandbox.world.campaigns
        with pytest.raises(ApiError, match="405"):
            await tingting.contacts.upload(campaign, path)


@pytest.mark.parametrize(
    ("content", "separators"),
    [
        (b"numbers;name\n9800000001;Sita\n", "semicolons"),
        (b"\xef\xbb\xbf\r\nnumbers;name\r\n9800000001;Sita, of Kathmandu\r\n", "semicolons"),
        (b"numbers\tname\n9800000001\tSita\n", "tabs"),
    ],
)
async def test_upload_without_commas(content: bytes, separators: str) -> None:
    """A CSV file with other separators than commas is refused before anything is sent; semicolons in text are not."""
    async with Sandbox(campaigns=1) as sandbox, connect(sandbox) as tingting:
        (campaign_id,) = sandbox.world.campaigns
        with pytest.raises(UsageError, match=f"`file` has {separators} between its columns: save it as CSV"):
            await tingting.contacts.upload(campaign_id, File("n.csv", content))
        assert 0 == tingting.requests_sent
        for accepted in (b"numbers\n9800000001\n", b'numbers,name\n9800000002,"a;b"\n', b"numbers,a;b\n9800000003,c\n"):
            await tingting.contacts.upload(campaign_id, File("n.csv", accepted))
