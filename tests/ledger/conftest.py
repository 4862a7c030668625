"""A service with campaigns that may be run, and sessions that share a ledger's file."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

import tingting_async.v1
from tingting_async.ledger.sqlite import SqliteLedger
from tingting_async.sandbox import Sandbox


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of the ledger's file, in a directory that does not exist yet."""
    return tmp_path / "state" / "sends.sqlite"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """Serve an account with six campaigns that may be run."""
    async with Sandbox(campaigns=6, numbers=2) as made:
        for campaign in made.world.campaigns.values():
            campaign.status, campaign.services, campaign.user_phone = "Not Started", "PHONE", [1]
            campaign.scheduled_at = made.clock.now() + 86_400
        yield made


@pytest.fixture
def campaigns(sandbox: Sandbox) -> list[int]:
    """Return the ids of the campaigns."""
    return sorted(sandbox.world.campaigns)


@pytest.fixture
def ledger(path: Path) -> SqliteLedger:
    """Return a ledger on the file."""
    return SqliteLedger(path)


@pytest.fixture
def connect(sandbox: Sandbox, path: Path) -> Callable[..., Any]:
    """Return a function that opens a session, by default with a ledger object of its own on the file."""

    def connect(kind: Any = tingting_async.v1.TingTing, **options: Any) -> Any:
        given = {"base_url": sandbox.url, "api_token": sandbox.api_token, "ledger": SqliteLedger(path), "retries": 1}
        return kind(**given | options)

    return connect


@pytest.fixture
def send_otp() -> Callable[..., Any]:
    """Return a function that sends a code to 9800000001."""

    def send_otp(tingting: Any, **options: Any) -> Any:
        return tingting.otp.send("9800000001", "Your code is {otp}", channel="text", **{"otp": "123456", **options})

    return send_otp


@pytest.fixture
def posts(sandbox: Sandbox) -> Callable[[], int]:
    """Return a function that counts the POST requests that the service received."""
    return lambda: sum(received.method == "POST" for received in sandbox.requests)
