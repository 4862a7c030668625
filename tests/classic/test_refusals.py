"""Requests of the classic API that the service refuses."""

from typing import Any

import pytest
from support.classic import connect, count_effects, count_requests, first_campaign

from tingting_async import BadRequestError, OutcomeUnknownError, RateLimitedError, TingTingError
from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


THROTTLED = {"detail": "Request was throttled. Expected available in 1 second."}


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (503, {"detail": "Closed."}, OutcomeUnknownError),
        (429, {"detail": "Closed."}, OutcomeUnknownError),
        (429, THROTTLED, RateLimitedError),
    ],
)
async def test_refused_run(status: int, body: dict[str, str], error: type[TingTingError]) -> None:
    """A run that fails with 503 or 429 is not retried. Only DRF's own 429 is a refusal."""
    async with Sandbox(campaigns=1, numbers=1) as sandbox, connect(sandbox) as tingting:
        campaign = await first_campaign(tingting)
        sandbox.faults.add(Fault(method="POST", kind="status", status=status, body=body))
        with pytest.raises(error):
            await tingting.campaigns.run(campaign.id, message="hi")
        assert count_requests(sandbox, f"/api/system/campaigns/{campaign.id}/begin/") == 1


async def test_run_that_is_refused_for_now() -> None:
    """A run that the service refuses with 429 and a `Retry-After` is retried until it is accepted, and happens once."""
    async with Sandbox(campaigns=1, numbers=1) as sandbox, connect(sandbox) as tingting:
        campaign = await first_campaign(tingting)
        wait = {"Retry-After": "0"}
        sandbox.faults.add(Fault("status", method="POST", status=429, headers=wait, body=THROTTLED, times=2))
        await tingting.campaigns.run(campaign.id, message="hi")
        assert count_requests(sandbox, f"/api/system/campaigns/{campaign.id}/begin/") == 3
        assert count_effects(sandbox, "run") == 1


@pytest.mark.parametrize("shape", ["strings", "fields", "bare", "detail"])
@pytest.mark.parametrize("under_200", [False, True])
async def test_refused_input(shape: Any, under_200: bool) -> None:
    """The error contains what the service says about bad input, in whichever form, also under HTTP 200."""
    async with (
        Sandbox(campaigns=1, numbers=1, envelope_errors=shape, errors_under_200=under_200) as sandbox,
        connect(sandbox) as tingting,
    ):
        campaign = await first_campaign(tingting)
        with pytest.raises(BadRequestError) as caught:
            await tingting.campaigns.run(campaign.id, message="hi", voice="np_nobody")
        assert caught.value.message or caught.value.field_errors
        if shape in ("fields", "bare"):
            assert "voice_input" in caught.value.field_errors
