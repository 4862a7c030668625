"""Good statuses that do not mean that people are being called."""

import json
from typing import Any

import pytest

import tingting_async
import tingting_async.v1
from tingting_async import BadRequestError, OutcomeUnknownError
from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

DOUBTFUL: list[dict[str, Any]] = [
    {"error": "Insufficient balance", "required": 30},
    {"status": "error", "message": "Insufficient credits"},
    {"status": "400", "message": "Insufficient credits"},
    {"status": 402, "success": True, "message": "Insufficient credits"},
    {"success": 0, "message": "Insufficient credits"},
    {"success": "False", "message": "Insufficient credits"},
    {"message": "Campaign Began", "errors": ["Contact 3 has no carrier"]},
    {"status": 200, "message": "x", "errors": ["Insufficient credits"], "data": {"x": 1}},
    {"result": False},
    {"data": None},
]


async def run(generation: Any, body: dict[str, Any]) -> Any:
    """Run a campaign, which is answered with this under HTTP 200."""
    async with (
        Sandbox(campaigns=1) as sandbox,
        generation.TingTing(base_url=sandbox.url, api_token=sandbox.api_token) as tingting,
    ):
        sandbox.faults.add(Fault("status", method="POST", status=200, body=body))
        return await tingting.campaigns.run(1, **({"message": "x"} if generation is tingting_async else {}))


@pytest.mark.parametrize("generation", [tingting_async, tingting_async.v1])
@pytest.mark.parametrize("body", DOUBTFUL, ids=json.dumps)
async def test_neither_yes_nor_no(generation: Any, body: dict[str, Any]) -> None:
    """A run whose answer speaks against itself is of unknown outcome: neither running nor refused."""
    with pytest.raises(OutcomeUnknownError):
        await run(generation, body)


@pytest.mark.parametrize("generation", [tingting_async, tingting_async.v1])
@pytest.mark.parametrize(
    "body",
    [
        {"success": False, "message": "Insufficient credits", "errors": ["x"]},
        {"status": 402, "message": "Insufficient credits", "errors": ["x"]},
        {"errors": ["Insufficient credits"]},
        {"error": "Insufficient credits"},
    ],
    ids=json.dumps,
)
async def test_no(generation: Any, body: dict[str, Any]) -> None:
    """A run whose answer says nothing but no is refused."""
    with pytest.raises(tingting_async.ApiError) as caught:
        await run(generation, body)
    assert caught.value.status == body.get("status", 200)
    assert isinstance(caught.value, BadRequestError) == ("status" not in body)


@pytest.mark.parametrize(
    "body",
    [
        {"message": "Campaign Began Successfully!!"},
        {"message": "Campaign Began Successfully!!", "errors": []},
        {"success": "true", "campaign": 1, "error": None},
        {"status": "Running", "campaign": 1},
    ],
    ids=json.dumps,
)
async def test_yes(body: dict[str, Any]) -> None:
    """What speaks for a run, in whichever way, and has nothing against it, is a run."""
    assert (await run(tingting_async.v1, body)).extra.keys() == body.keys() - {"message"}
