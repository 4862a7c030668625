"""Options that are on or off: a string such as "false" is refused, and does not count as on."""

import inspect
from typing import Any

import pytest
from support.servers import closed_port

from tingting_async import TingTing, UsageError
from tingting_async.resources.base import Resource
from tingting_async.v1 import TingTing as TingTingV1

pytestmark = pytest.mark.anyio

SESSIONS = {"classic": TingTing, "v1": TingTingV1}
SWITCHES = {
    "classic": {
        "campaigns.list(exact)",
        "campaigns.results(exact)",
        "campaigns.run(check_tags)",
        "numbers.add(check_tags)",
        "numbers.list(exact)",
        "phone_numbers.for_sale(exact)",
        "phone_numbers.owned(exact)",
    },
    "v1": {
        "campaigns.list(drafts)",
        "campaigns.list(exact)",
        "campaigns.preflight(allow_legacy_font)",
        "campaigns.results(exact)",
        "campaigns.run(allow_legacy_font)",
        "campaigns.run(preflight)",
        "contacts.add_many(keep_contacts)",
        "contacts.list(exact)",
        "otp.list(exact)",
        "survey_templates.list(exact)",
    },
}
"""The options of operations that are on or off."""
NEEDED: dict[str, Any] = {
    "campaign_id": 1,
    "contacts": ["9800000001"],
    "id": 1,
    "number": "9800000001",
}


def options_of(operation: Any) -> set[str]:
    """Return the names of the options of an operation that are on or off, without those of fields."""
    parameters = inspect.signature(operation).parameters
    found = {name for name, each in parameters.items() if each.annotation in (bool, bool | None)}
    return found | ({"exact"} if "options" in parameters else set())


async def call(operation: Any, **given: Any) -> None:
    """Call an operation, which may be a list."""
    if inspect.isawaitable(result := operation(**given)):
        await result


@pytest.mark.parametrize("generation", SESSIONS)
@pytest.mark.parametrize("value", ["false", "", "no", 0, 1, [], float("nan")])
async def test_operations(generation: str, value: Any) -> None:
    """Every option of an operation that is on or off refuses other values by name, before any request."""
    url, tested = f"http://127.0.0.1:{closed_port()}", set[str]()
    async with SESSIONS[generation](base_url=url, api_token="t") as tingting:
        for resource in (name for name in dir(tingting) if isinstance(getattr(tingting, name), Resource)):
            part = getattr(tingting, resource)
            for name in (name for name in dir(part) if not name.startswith("_")):
                operation = getattr(part, name)
                for option in options_of(operation):
                    tested.add(f"{resource}.{name}({option})")
                    parameters = inspect.signature(operation).parameters.values()
                    given = {each.name: NEEDED[each.name] for each in parameters if each.name in NEEDED}
                    with pytest.raises(UsageError, match=rf"`{option}` (is|must be) .*True"):
                        await call(operation, **{**given, option: value})
        assert 0 == tingting.requests_sent
    assert SWITCHES[generation] == tested


@pytest.mark.parametrize("generation", SESSIONS)
@pytest.mark.parametrize("name", ["allow_plain_http", "trust_env", "fresh_connections", "telemetry"])
@pytest.mark.parametrize("value", ["false", "0", "", 0, 1, None])
def test_sessions(generation: str, name: str, value: Any) -> None:
    """A session refuses a switch that is neither True nor False: "false" must not allow plain http."""
    with pytest.raises(UsageError, match=rf"`{name}` is .*; it must be True or False\."):
        SESSIONS[generation](base_url="http://remote.example", api_token="t", **{name: value})
