"""A service with campaigns that may be run, and sessions that share a ledger's file."""

import inspect
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import pytest
from support.postgres_servers import PostgresServer

import tingting_async.v1
from tingting_async import Ledger, PostgresLedger, SqliteLedger
from tingting_async.sandbox import Sandbox


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test with a ledger of each kind, unless it asks for the path of a file, or for a database."""
    if "ledger_place" in metafunc.fixturenames:
        asked = inspect.signature(metafunc.function).parameters
        kinds = ["sqlite"] if "path" in asked else ["postgres"] if "database" in asked else ["sqlite", "postgres"]
        metafunc.parametrize("ledger_place", kinds, indirect=True)


@attrs.frozen
class LedgerPlace:
    """Where ledgers are kept that processes share.

    Attributes:
        kind: `"sqlite"` or `"postgres"`.
        where: The path, or the connection string.
        server: The server of the database.
        database: Its name.
    """

    kind: str
    where: str
    server: PostgresServer | None = None
    database: str = ""

    def open(self, where: str = "") -> Any:
        """Return a new ledger object, here or at another place of the same kind."""
        kind = SqliteLedger if self.kind == "sqlite" else PostgresLedger
        return kind(where or self.where)

    def end_owners(self) -> None:
        """Make all processes that have claims seem to be dead, though they are not."""
        if self.server is None:
            with suppress(FileNotFoundError):
                shutil.rmtree(f"{self.where}.owners")
        else:
            self.server.end_sessions(self.database)


@pytest.fixture
def ledger_place(request: pytest.FixtureRequest) -> LedgerPlace:
    """Return a place for a ledger, of the kind that is asked for."""
    if request.param == "sqlite":
        return LedgerPlace("sqlite", str(request.getfixturevalue("path")))
    server: PostgresServer = request.getfixturevalue("shared_postgres")
    database: str = request.getfixturevalue("database")
    return LedgerPlace("postgres", server.dsn(database), server, database)


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
def ledger(ledger_place: LedgerPlace) -> Ledger:
    """Return a ledger at the place."""
    opened: Ledger = ledger_place.open()
    return opened


@pytest.fixture
def connect(sandbox: Sandbox, ledger_place: LedgerPlace) -> Callable[..., Any]:
    """Return a function that opens a session, by default with a ledger object of its own at the place."""

    def connect(kind: Any = tingting_async.v1.TingTing, **options: Any) -> Any:
        given = {"base_url": sandbox.url, "api_token": sandbox.api_token, "ledger": ledger_place.open(), "retries": 1}
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
