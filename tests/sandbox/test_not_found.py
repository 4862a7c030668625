"""Requests for what does not exist, or belongs to another account."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

CLASSIC: dict[str, Any] = {"status": 404, "success": False, "message": "Not found.", "errors": [], "data": {}}
V1 = {"detail": "Not found."}
CAMPAIGNS = [
    ("GET", "/api/system/campaigns/{campaign}/details", CLASSIC),
    ("PUT", "/api/system/campaigns/{campaign}/update/", CLASSIC),
    ("DELETE", "/api/system/campaigns/{campaign}/delete", CLASSIC),
    ("POST", "/api/system/campaigns/{campaign}/begin/", CLASSIC),
    ("GET", "/api/system/campaigns/number/{campaign}", CLASSIC),
    ("POST", "/api/system/campaigns/number/{campaign}/", CLASSIC),
    ("GET", "/api/v1/campaign/{campaign}/", V1),
    ("PATCH", "/api/v1/campaign/{campaign}/", V1),
    ("PATCH", "/api/v1/campaign/create/{campaign}/message/", V1),
    ("DELETE", "/api/v1/campaign/{campaign}/", V1),
    ("POST", "/api/v1/run-campaign/{campaign}/", V1),
    ("POST", "/api/v1/campaign/emergency-stop/{campaign}/", V1),
    ("POST", "/api/v1/test-speak/riri/{campaign}/", V1),
    ("GET", "/api/v1/download/report/{campaign}/", V1),
    ("GET", "/api/v1/campaign-detail/{campaign}/", V1),
    ("POST", "/api/v1/campaign/{campaign}/add-contact/", V1),
    ("PATCH", "/api/v1/campaign/create/{campaign}/detail/", V1),
    ("GET", "/api/v1/campaign/create/{campaign}/survey/", V1),
    ("POST", "/api/v1/campaign/create/{campaign}/survey/", V1),
    ("DELETE", "/api/v1/campaign/create/{campaign}/survey/", V1),
    ("GET", "/api/v1/download/survey/{campaign}/report/", V1),
]
CONTACTS = [
    ("GET", "/api/system/number/{contact}/", CLASSIC),
    ("PUT", "/api/system/number/{contact}/", CLASSIC),
    ("DELETE", "/api/system/campaigns/number/{contact}/delete/", CLASSIC),
    ("PATCH", "/api/v1/phone-number/update/{contact}/", V1),
    ("DELETE", "/api/v1/phone-number/delete/{contact}/", V1),
    ("GET", "/api/v1/campaign/{contact}/attributes/", V1),
    ("PATCH", "/api/v1/campaign/{contact}/attributes/", V1),
    ("POST", "/api/v1/demo-call/{contact}/", V1),
]
OTHERS = [
    ("GET", "/api/v1/survey-templates/999999/", V1),
    ("PATCH", "/api/v1/survey-templates/999999/", V1),
    ("DELETE", "/api/v1/survey-templates/999999/", V1),
    ("POST", "/api/v1/survey-templates/999999/apply-to-campaign/", V1),
]


@asynccontextmanager
async def connect(sandbox: Sandbox, token: str) -> AsyncIterator[aiohttp.ClientSession]:
    """Connect to a sandbox with a token."""
    headers = {"Authorization": f"Bearer {token}"}
    async with sandbox, aiohttp.ClientSession(sandbox.url, headers=headers) as http:
        yield http


@pytest.mark.parametrize(("method", "path", "body"), [*CAMPAIGNS, *CONTACTS, *OTHERS])
async def test_unknown_id(method: str, path: str, body: Any) -> None:
    """An id that nothing has is a 404 in the generation's own shape."""
    sandbox = Sandbox(campaigns=1)
    async with connect(sandbox, sandbox.api_token) as http:
        async with http.request(method, path.format(campaign=999_999, contact=999_999), json={}) as response:
            assert (response.status, await response.json()) == (404, body)


@pytest.mark.parametrize(("method", "path", "body"), [*CAMPAIGNS, *CONTACTS])
async def test_other_account(method: str, path: str, body: Any) -> None:
    """A campaign or contact of another account is a 404, and stays as it is."""
    sandbox = Sandbox(campaigns=1, numbers=1)
    campaign = next(iter(sandbox.world.campaigns.values()))
    before = repr(campaign)
    path = path.format(campaign=campaign.id, contact=campaign.contacts[0].id)
    async with connect(sandbox, sandbox.world.add_account("ram@example.com", "p").api_token) as http:
        async with http.request(method, path, json={}) as response:
            assert (response.status, await response.json()) == (404, body)
    assert repr(campaign) == before


@pytest.mark.parametrize(
    ("method", "path"), [(method, path) for method, path, _ in [*CAMPAIGNS, *CONTACTS, *OTHERS] if method[0] == "P"]
)
async def test_malformed_body_comes_first(method: str, path: str) -> None:
    """A malformed body is refused with 400 before the id is looked up, if the endpoint takes a body."""
    without_body = ("run-campaign", "emergency-stop", "demo-call")
    sandbox = Sandbox(campaigns=0)
    async with connect(sandbox, sandbox.api_token) as http:
        async with http.request(method, path.format(campaign=999_999, contact=999_999), data=b"[") as response:
            expected = 404 if any(name in path for name in without_body) or path.endswith("/999999/") else 400
            assert response.status == expected
