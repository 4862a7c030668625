"""Arguments of a wrong type."""

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
        (lambda to: to.campaigns.create("n", "PHONE", credit_limit=-5), r"`credit_limit` is -5; it must be"),
        (lambda to: to.campaigns.create("n", "PHONE", credit_limit=True), r"`credit_limit` is True; it must be"),
        (lambda to: to.campaigns.create("n", "SMS", sms_message=b"h"), r"`sms_message` cannot be encoded as JSON"),
        (lambda to: to.campaigns.create("n", "PHONE", description=[b"h"]), r"`description` cannot be encoded as JSON"),
        (lambda to: to.contacts.add(1, "9800000001", variables={"a": float("inf")}), r"'a'.* Give a finite number"),
        (lambda to: to.contacts.add(1, "9800000001", variables={"a": b"h"}), r"'a'.* Convert it to a string"),
    ],
)
async def test_texts(call: Any, text: str) -> None:
    """The error for a refused argument names the argument, what it is, and what to give."""
    async with Sandbox(campaigns=1) as sandbox, connect(sandbox) as tingting:
        with pytest.raises(UsageError, match=text):
            await call(tingting)
        assert [] == [each for each in sandbox.requests if each.method != "GET"]
