"""A dead access token is refreshed once, whether the service says so with 401 or with 403."""

import json
import random
from typing import Any

import pytest
from support.rotation import LOGIN, REFRESH
from support.servers import Received

from tingting_async import AuthenticationError, MemoryTokenStore, PermissionDeniedError, RetryPolicy, TingTing, Tokens

pytestmark = pytest.mark.anyio

DEAD = [
    {"detail": "Given token not valid for any token type", "code": "token_not_valid"},
    {"detail": "Authentication credentials were not provided."},
    {"detail": "Signature has expired."},
    {"status": 403, "success": False, "message": "Signature has expired."},
]
DENIED = [
    {"detail": "You do not have permission to perform this action."},
    {"message": "You are not allowed to see the signatures of this account."},
    {"detail": "Account is not activated."},
]
NEW = {"access": "new", "refresh": "refresh-2"}


class Service:
    """Refuses requests that have an old access token, or all requests."""

    def __init__(self, refusal: Any, status: int, *, accepts: str = "new") -> None:
        self.refusal, self.status, self.accepts = refusal, status, accepts
        self.requests: list[str] = []

    async def script(self, received: Received) -> None:
        """Respond to a request."""
        self.requests.append(received.target)
        if received.target == REFRESH:
            await received.respond(json.dumps(NEW).encode())
        elif received.headers["authorization"] == f"Bearer {self.accepts}":
            user = {"first_name": "S", "last_name": "E", "email": "e"}
            await received.respond(json.dumps({"success": True, "data": {"user_details": user}}).encode())
        else:
            await received.respond(json.dumps(self.refusal).encode(), self.status)


async def connect(serve: Any, service: Service, **options: Any) -> TingTing:
    """Return a session whose access token is dead."""
    if "api_token" not in options:
        options["token_store"] = MemoryTokenStore()
        await options["token_store"].save(Tokens("old", "refresh-1"))
    server = await serve(service.script)
    return TingTing(base_url=server.url, retries=RetryPolicy(initial_backoff=0), **options)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("refusal", DEAD)
async def test_dead_token(serve: Any, refusal: Any, status: int) -> None:
    """A request that is refused because of a dead token is sent again with a new one."""
    service = Service(refusal, status)
    async with await connect(serve, service) as tingting:
        await tingting.accounts.user_details()
        assert [0, 1, 0] == [int(target == REFRESH) for target in service.requests]


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("refusal", DEAD)
async def test_dead_token_of_a_send(serve: Any, refusal: Any, status: int) -> None:
    """A send that is refused because of a dead token is sent again with a new one, and not a third time."""
    service = Service(refusal, status, accepts="no token")
    async with await connect(serve, service) as tingting:
        with pytest.raises(AuthenticationError):
            await tingting.otp.send("9800000001", "{otp}", channel="text")
        assert [0, 1, 0] == [int(target == REFRESH) for target in service.requests]


@pytest.mark.parametrize("refusal", DENIED)
async def test_permission_denied(serve: Any, refusal: Any) -> None:
    """A 403 about the account is no reason to refresh the token."""
    service = Service(refusal, 403)
    async with await connect(serve, service) as tingting:
        with pytest.raises(PermissionDeniedError):
            await tingting.accounts.user_details()
    assert 1 == len(service.requests)


@pytest.mark.parametrize("refusal", DEAD)
async def test_fixed_token(serve: Any, refusal: Any) -> None:
    """A fixed API token that is refused with 403 is an AuthenticationError after one request."""
    service = Service(refusal, 403)
    async with await connect(serve, service, api_token="old") as tingting:
        with pytest.raises(AuthenticationError) as caught:
            await tingting.accounts.user_details()
    assert (403, 1) == (caught.value.status, len(service.requests))


async def test_many_forms(serve: Any) -> None:
    """Regardless of the text around the words, a dead token is refreshed once for each call, and the call succeeds."""
    seeds = random.Random(0)
    for _ in range(40):
        refusal = dict(seeds.choice(DEAD[:3]))
        words = refusal["detail"]
        refusal["detail"] = seeds.choice([words, words.removesuffix("."), words.upper(), f" {words} "])
        if seeds.random() < 0.5:
            refusal["extra"] = seeds.choice([None, 5, [], {}])
        service = Service(refusal, 403)
        async with await connect(serve, service) as tingting:
            await tingting.accounts.user_details()
        assert (1, 3, 0) == (service.requests.count(REFRESH), len(service.requests), service.requests.count(LOGIN))
