"""Calls that do not fit the signature of an operation."""

import asyncio
import inspect
from typing import Any

import pytest

import tingting_async
from tingting_async import CampaignJob, MisuseError, v1
from tingting_async.resources.base import Resource

OWN_ERRORS = {
    tingting_async.TingTing: {"campaigns.list", "numbers.list", "phone_numbers.owned", "phone_numbers.for_sale"},
    v1.TingTing: {"campaigns.list", "contacts.list", "otp.list", "survey_templates.list"}
    | {"campaigns.create", "campaigns.update", "campaigns.set_message"},
}
"""The operations whose unknown keywords are a `MisuseError`, as the README lists them."""


@pytest.mark.parametrize("session", [tingting_async.TingTing, v1.TingTing], ids=["classic", "v1"])
def test_every_operation(session: Any) -> None:
    """A call that does not fit an operation is a TypeError that names it as all errors do, and the valid arguments."""
    tingting = session(api_token="t")
    seen, own_errors = 0, set[str]()

    async def call(operation: Any, *positional: Any, **named: Any) -> None:
        if inspect.isawaitable(result := operation(*positional, **named)):
            await result

    for resource, value in [(name, getattr(tingting, name)) for name in dir(tingting) if not name.startswith("_")]:
        for name in dir(value) if isinstance(value, Resource) else ():
            if name.startswith("_"):
                continue
            operation, seen = getattr(value, name), seen + 1
            parameters = inspect.signature(operation).parameters.values()
            missing = {
                each.name: 1 for each in parameters if each.default is each.empty and each.kind is not each.VAR_KEYWORD
            }
            with pytest.raises(TypeError) as caught:
                asyncio.run(call(operation, **missing, no_such_argument=1))
            own_errors |= {f"{resource}.{name}"} if isinstance(caught.value, MisuseError) else set()
            said = f"{resource}.{name}() got an unexpected keyword argument 'no_such_argument'"
            assert said == str(caught.value)[: len(said)]
            assert not parameters or ". It accepts " in str(caught.value)
            with pytest.raises(TypeError, match=rf"^{resource}\.{name}\(\) takes .* positional argument"):
                asyncio.run(call(operation, *range(20)))
    assert seen >= 20
    assert OWN_ERRORS[session] == own_errors


@pytest.mark.parametrize(
    "make",
    [tingting_async.TingTing, v1.TingTing, tingting_async.TingTing.from_env, v1.TingTing.from_env, CampaignJob],
    ids=["TingTing", "v1.TingTing", "from_env", "v1.from_env", "CampaignJob"],
)
def test_own_errors_of_what_is_no_operation(make: Any) -> None:
    """An unknown keyword of a session or a job is a `MisuseError`, as the README says."""
    needed = {"name": "n", "services": "SMS", "recipients": []} if make is CampaignJob else {}
    with pytest.raises(MisuseError, match=r"\(\) got an unexpected keyword argument 'no_such'\. It accepts "):
        make(**needed, no_such=1)


@pytest.mark.parametrize(
    "name",
    [
        *("FileTokenStore", "PostgresTokenStore", "RedisTokenStore", "PostgresRateLimit", "RedisRateLimit"),
        *("PostgresLedger", "SqliteLedger", "Guards", "Prices", "RetryPolicy", "Timeout"),
        *("ensure_sent", "parse_number", "sms_parts", "write_table"),
    ],
)
def test_python_s_own_errors(name: str) -> None:
    """An unknown keyword of anything else is Python's own `TypeError`, as the README says."""
    exported = getattr(tingting_async, name)
    parameters = inspect.signature(exported).parameters.values()
    missing = {each.name: 1 for each in parameters if each.default is each.empty}

    async def call() -> None:
        if inspect.isawaitable(result := exported(**missing, no_such=1)):
            await result

    with pytest.raises(TypeError, match=r"\(\) got an unexpected keyword argument 'no_such'") as caught:
        asyncio.run(call())
    assert type(caught.value) is TypeError


@pytest.mark.parametrize("name", ["read", "from_rows"])
def test_python_s_own_errors_of_lists(name: str) -> None:
    """An unknown keyword of reading a list is Python's own `TypeError`, as the README says."""
    with pytest.raises(TypeError, match=r"\(\) got an unexpected keyword argument 'no_such'") as caught:
        asyncio.run(getattr(tingting_async.RecipientList, name)("a", no_such=1))
    assert type(caught.value) is TypeError
