"""Makes calls, each in a process of its own, while the system lets the process open no more files.

`python tests/faults/open_files.py GENERATION FOLDER` prints a line for each call: what the caller got. The generation
is `classic`, `v1`, or `none` for what needs no session. The sessions have an open connection to the service that the
environment names.
"""

import asyncio
import os
import resource
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.canaries import operations

import tingting_async
import tingting_async.v1
from tingting_async import SqliteLedger, TingTingError

SPELLED = "+977 984-1234567"
"""A number in a spelling for which the tables of phone numbers are needed."""
POSTGRES, REDIS = "postgresql://127.0.0.1:1/x", "redis://127.0.0.1:1"


async def packed_rows(_: Path) -> None:
    """Make a list of recipients."""
    await tingting_async.RecipientList.from_rows([{"number": "9841234567"}])


OTHERS: dict[str, Callable[[Path], Any]] = {
    "parse_number": lambda _: tingting_async.parse_number(SPELLED),
    "parse_number, foreign": lambda _: tingting_async.parse_number("4915112345678"),
    "RecipientList": packed_rows,
    "write_table": lambda folder: tingting_async.write_table([{"a": 1}], folder / "a.xlsx"),
    "PostgresLedger": lambda _: tingting_async.PostgresLedger(POSTGRES),
    "PostgresTokenStore": lambda _: tingting_async.PostgresTokenStore(POSTGRES, key="k"),
    "PostgresRateLimit": lambda _: tingting_async.PostgresRateLimit(POSTGRES, per_second=1),
    "RedisTokenStore": lambda _: tingting_async.RedisTokenStore(REDIS, key="k"),
    "RedisRateLimit": lambda _: tingting_async.RedisRateLimit(REDIS, per_second=1),
    "OpenTelemetryListener": lambda _: tingting_async.OpenTelemetryListener(),
    "unknown argument": lambda _: tingting_async.v1.TingTing(api_tokem="t"),
}


def exhaust_files() -> None:
    """Let the process open no more files."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


async def described(call: Awaitable[Any]) -> str:
    """Return what a call ends with."""
    try:
        await call
    except TingTingError as error:
        return type(error).__name__
    except Exception as error:  # noqa: BLE001 - what the test is about
        return f"foreign: {error!r}"
    return "returned"


async def call_operation(session: Any, place: int, folder: Path) -> str:
    """Return what an operation and closing the session end with."""
    tingting = session.from_env(ledger=SqliteLedger(folder / "sends.sqlite"), retries=1)
    operation = [*operations(tingting, folder, {"number": SPELLED})][place]
    await tingting.accounts.user_details()
    exhaust_files()
    got = await described(operation.call(**({"idempotency_key": "k"} if operation.takes_key else {})))
    return f"{got}, closing {await described(tingting.aclose())}"


async def call_other(name: str, folder: Path) -> str:
    """Return what a call without a session ends with."""

    async def call() -> None:
        called = OTHERS[name](folder)
        if hasattr(called, "__await__"):
            await called

    for exported in tingting_async.__all__:
        getattr(tingting_async, exported)  # Importing a name is Python's own affair.
    exhaust_files()
    return await described(call())


def main() -> None:
    """Make every call."""
    generation, folder = sys.argv[1], Path(sys.argv[2])
    session = getattr(tingting_async.v1 if generation == "v1" else tingting_async, "TingTing")  # noqa: B009
    calls: list[tuple[str, Callable[[Path], Any]]] = []
    if generation == "none":
        calls += [(name, lambda own, name=name: call_other(name, own)) for name in OTHERS]
    else:
        for place, operation in enumerate(operations(session(api_token="t"), folder)):
            calls.append((operation.name, lambda own, place=place: call_operation(session, place, own)))
    for number, (name, call) in enumerate(calls):
        sys.stdout.flush()
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            continue
        own = folder / str(number)
        own.mkdir()
        print(f"{name}: {asyncio.run(call(own))}", flush=True)  # noqa: T201
        return


if __name__ == "__main__":
    main()
