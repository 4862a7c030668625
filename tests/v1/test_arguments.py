"""Arguments of a wrong type."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from support.v1 import connect

from tingting_async import UsageError
from tingting_async.sandbox import Sandbox
from tingting_async.v1 import NewStep, TingTing

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "call",
    [
        lambda to: to.campaigns.list(search=5),
        lambda to: to.campaigns.list(search="\ud800"),
        lambda to: to.campaigns.create("n", "PHONE", failover=5),
        lambda to: to.campaigns.create("n", "PHONE", length_factor="slow"),
        lambda to: to.campaigns.create("n", "PHONE", length_factor=Decimal("NaN")),
        lambda to: to.campaigns.progress(1, poll_interval="1"),
        lambda to: to.campaigns.wait(1, until=5),
        lambda to: to.campaigns.wait(1, timeout="5"),
        lambda to: to.contacts.add_many(1, 9800000001),
        lambda to: to.contacts.add_many(1, "9800000001"),
        lambda to: to.contacts.add_many(1, ["9800000001"], chunk="1"),
        lambda to: to.surveys.set_steps(1, [{"content_type": "say"}]),
        lambda to: to.survey_templates.list(search=5),
        lambda to: to.survey_templates.list(page_size="\ud800"),
        lambda to: to.survey_templates.create("n", [NewStep()], length_factor=0),
        lambda to: to.reports.download(1, 5),
        lambda to: to.reports.download(1, "\ud800"),
        lambda _: TingTing(api_token=5),  # type: ignore[arg-type]
        lambda _: TingTing(email=5, password="x"),  # type: ignore[arg-type]
    ],
)
async def test_wrong_type(call: Any) -> None:
    """An argument of a wrong type is a UsageError, and nothing is sent."""
    async with Sandbox(campaigns=1) as sandbox, connect(sandbox) as tingting:
        with pytest.raises(UsageError):
            await call(tingting)
        assert [] == sandbox.requests


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda to: to.campaigns.get(-3), r"`id` must be .* not -3\."),
        (lambda to: to.campaigns.get(2**70), r"`id` must be .* not a larger one than any id\."),
        (lambda to: to.campaigns.get("3"), r"`id` must be .* not str\."),
        (lambda to: to.campaigns.get(-(10**5000)), r"`id` must be .* not a number of about 5001 digits\."),
        (lambda to: to.contacts.delete(9841777666), r"`id` is the phone number …66: give an id, such as the contact's"),
        (lambda to: to.contacts.delete(-9841777666), r"`id` must be .* not -…66\."),
        (lambda to: to.contacts.demo_call(9779741777666), r"`id` is the phone number …66: give an id"),
        (lambda to: to.campaigns.create("n", "PHONE", lines=[9801234567]), r"`lines\[0\]` is the phone number …67"),
        (lambda to: to.campaigns.create("n", "PHONE", voice=-(10**5000)), r"`voice` must be .* not a number of about"),
        (lambda to: to.reports.download(1, 10**5000), r"`path` is a number of about 5001 digits, which is not a valid"),
        (lambda to: to.surveys.download(1, [10**5000]), r"`path` is a value of the type list, which is not a valid"),
        (lambda to: to.campaigns.create("n", None), r"`services` is None; it must be one of"),
        (lambda to: to.campaigns.create("n", 10**5000), r"`services` is a number of about 5001 digits; it must be one"),
        (lambda to: to.campaigns.create("n", [10**5000]), r"`services` is a value of the type list; it must be one of"),
        (
            lambda to: to.campaigns.list(status=10**5000),
            r"`status` is a number of about 5001 digits; it must be one of",
        ),
        (lambda to: to.campaigns.create("n", "PHONE", category=10**5000), r"`category` is a number of about"),
        (
            lambda to: to.campaigns.wait(1, until=[10**5000]),
            r"`until` is a number of about 5001 digits; it must be one",
        ),
        (lambda to: to.campaigns.wait(1, until=[["Running"]]), r"`until` is \['Running'\]; it must be one of"),
        (lambda to: to.campaigns.wait(1, until={"Running": 1}), r"`until` must be a list of statuses, not dict\."),
        (lambda to: to.campaigns.wait(1, until=10**5000), r"`until` must be a list of statuses, not int\."),
        (lambda to: to.otp.send("9800000001", "{otp}", channel=10**5000, voice=1), r"`channel` is a number of about"),
        (
            lambda to: to.contacts.add_many(1, ["9800000001"], on_problem=10**5000),
            r"`on_problem` must be .* not a numb",
        ),
        (
            lambda to: to.contacts.add_many(1, ["9800000001"], keep_contacts=10**5000),
            r"`keep_contacts` must be .* not a",
        ),
        (lambda to: to.campaigns.preflight(1, max_contacts=-(10**5000)), r"`max_contacts` is a number of about"),
        (lambda to: to.campaigns.create("n", "PHONE", lines={1: 2}), r"`lines` must be a list of ids, not dict\."),
        (lambda to: to.campaigns.create("n", "PHONE", lines={}), r"`lines` must be a list of ids, not dict\."),
        (
            lambda to: to.campaigns.create("n", "PHONE", lines=bytearray(b"\x01")),
            r"`lines` must be a list of ids, not b",
        ),
        (
            lambda to: to.campaigns.create("n", "PHONE", lines=memoryview(b"\x01")),
            r"`lines` must be a list of ids, not m",
        ),
        (
            lambda to: to.campaigns.create("n", "PHONE", failover={}),
            r"`failover` must be a list of statuses, not dict\.",
        ),
        (
            lambda to: to.campaigns.create("n", "PHONE", failover=b""),
            r"`failover` must be a list of statuses, not bytes",
        ),
        (lambda to: to.contacts.add(1, "9800000001", variables=[]), r"`variables` must be a mapping of names"),
        (lambda to: to.contacts.add(1, "9800000001", variables=0), r"`variables` must be a mapping of names"),
        (lambda to: to.contacts.add(1, "9800000001", variables=""), r"`variables` must be a mapping of names"),
        (lambda to: to.contacts.set_variables(1, []), r"`variables` must be a mapping of names"),
        (lambda to: to.contacts.set_variables(1, {}), r"give at least one variable to change"),
        (lambda to: to.campaigns.create("n", "PHONE", credit_limit=-5), r"`credit_limit` is -5; it must be"),
        (lambda to: to.campaigns.create("n", "PHONE", credit_limit=True), r"`credit_limit` is True; it must be"),
        (lambda to: to.campaigns.create("n", "SMS", sms_message=b"h"), r"`sms_message` must be a string, not bytes"),
        (lambda to: to.campaigns.create("n", "PHONE", description=[b"h"]), r"`description` must be a string, not list"),
        (lambda to: to.contacts.add(1, "9800000001", variables={"a": float("inf")}), r"'a'.* Give a finite number"),
        (lambda to: to.contacts.add(1, "9800000001", variables={"a": b"h"}), r"'a'.* Convert it to a string"),
    ],
)
async def test_texts(call: Any, text: str) -> None:
    """The error for a refused argument names the argument, what it is, and what to give."""
    async with Sandbox(campaigns=1) as sandbox, connect(sandbox) as tingting:
        with pytest.raises(UsageError, match=text):
            await call(tingting)
        assert [] == sandbox.requests


SENDING: dict[str, Any] = {
    "create": lambda to, **fields: to.campaigns.create("n", "SMS & PHONE", **fields),
    "update": lambda to, **fields: to.campaigns.update(1, **fields),
    "set_message": lambda to, **fields: to.campaigns.set_message(1, voice=3, **fields),
    "run": lambda to, **fields: to.campaigns.run(1, **fields),
}
"""The operations that give a campaign its texts."""


@pytest.mark.parametrize("operation", SENDING)
@pytest.mark.parametrize("name", ["message", "sms_message"])
@pytest.mark.parametrize("value", ["", "   ", "\n", "\u200b", 0, 5, 1.5, True, ["Hi"], {"Hi": 1}, b"Hi", "\ud800"])
async def test_texts_that_nobody_should_receive(operation: str, name: str, value: Any) -> None:
    """A text that is blank or not a string is refused by name, and no request is sent."""
    async with Sandbox(campaigns=1) as sandbox, connect(sandbox) as tingting:
        with pytest.raises(UsageError, match=rf"`{name}` (is empty|must be a string|contains half a character)"):
            await SENDING[operation](tingting, **{name: value})
        assert [] == sandbox.requests


@pytest.mark.parametrize("operation", ["create", "update"])
@pytest.mark.parametrize(("name", "value"), [("description", 5), ("description", ["d"]), ("draft", "no"), ("draft", 0)])
async def test_description_and_draft(operation: str, name: str, value: Any) -> None:
    """A description that is not a string, and a draft that is not a truth value, are refused before any request."""
    async with Sandbox(campaigns=1) as sandbox, connect(sandbox) as tingting:
        with pytest.raises(UsageError, match=rf"`{name}` (must be a string|is .*; it must be True or False)"):
            await SENDING[operation](tingting, **{name: value})
        assert [] == sandbox.requests


@pytest.mark.parametrize("when", [datetime(2020, 1, 1, tzinfo=UTC), datetime(2099, 1, 1), "2099-01-01"])
async def test_a_schedule_that_cannot_be(when: Any) -> None:
    """A run refuses a schedule that is past, naive or no datetime before it reads the campaign's services."""
    async with Sandbox(campaigns=1) as sandbox, connect(sandbox) as tingting:
        with pytest.raises(UsageError, match=r"`schedule` (is in the past|has no time zone|must be a datetime)"):
            await tingting.campaigns.run(1, sms_message="Hi", schedule=when)
        assert [] == sandbox.requests


async def test_none_clears_a_text() -> None:
    """`update` clears a text with None, which its error for a blank text says."""
    async with Sandbox(campaigns=0) as sandbox, connect(sandbox) as tingting:
        campaign = await tingting.campaigns.create("n", "SMS & PHONE", message="a", sms_message="b")
        with pytest.raises(UsageError, match=r"give `campaigns\.update` None"):
            await tingting.campaigns.update(campaign.id, sms_message=" ")
        assert "" == (await tingting.campaigns.update(campaign.id, sms_message=None)).sms_message
