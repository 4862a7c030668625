"""Sessions of the classic API against the sandbox."""

from typing import Any

from tingting_async import Campaign, RetryPolicy, TingTing
from tingting_async.sandbox import Sandbox


def connect(sandbox: Sandbox, **options: Any) -> TingTing:
    """Return a session that uses the API token of the sandbox's account, and retries without waiting."""
    return TingTing(
        base_url=sandbox.url, api_token=sandbox.api_token, retries=RetryPolicy(initial_backoff=0), **options
    )


def connect_with_password(sandbox: Sandbox, **options: Any) -> TingTing:
    """Return a session that signs in to the sandbox's account, and retries without waiting."""
    account = {"email": sandbox.email, "password": sandbox.password, **options}
    return TingTing(base_url=sandbox.url, retries=RetryPolicy(initial_backoff=0), **account)


async def first_campaign(tingting: TingTing) -> Campaign:
    """Return the first campaign of the account."""
    campaign = await tingting.campaigns.list().first()
    assert campaign is not None
    return campaign


def count_effects(sandbox: Sandbox, *kinds: str) -> int:
    """Return how many effects of these kinds the sandbox's requests had on the world."""
    return sum(effect.kind in kinds for effect in sandbox.side_effects)


def count_requests(sandbox: Sandbox, path: str) -> int:
    """Return how many requests for a path the sandbox received."""
    return sum(received.path == path for received in sandbox.requests)
