"""Runs whose response has a 2xx status: refused, confirmed, or neither."""

import json
from typing import Any

import pytest

import tingting_async
import tingting_async.v1
from tingting_async import BadRequestError, OutcomeUnknownError
from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

AMBIGUOUS: list[dict[str, Any]] = [
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
    """Run a campaign; the response has status 200 and this body."""
    async with (
        Sandbox(campaigns=1) as sandbox,
        generation.TingTing(base_url=sandbox.url, api_token=sandbox.api_token) as tingting,
    ):
        sandbox.faults.add(Fault("status", method="POST", status=200, body=body))
        return await tingting.campaigns.run(1, **({"message": "x"} if generation is tingting_async else {}))


@pytest.mark.parametrize("generation", [tingting_async, tingting_async.v1])
@pytest.mark.parametrize("body", AMBIGUOUS, ids=json.dumps)
async def test_ambiguous(generation: Any, body: dict[str, Any]) -> None:
    """The outcome of a run is unknown if its response contains a sign of failure, but is not clearly one."""
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
async def test_refused(generation: Any, body: dict[str, Any]) -> None:
    """A run is refused if its response is clearly a failure."""
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
async def test_confirmed(body: dict[str, Any]) -> None:
    """A run is confirmed by any response with a sign of success, and none of failure."""
    assert (await run(tingting_async.v1, body)).extra.keys() == body.keys() - {"message"}
