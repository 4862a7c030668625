"""Runs one operation after the other, each in a process of its own, on a machine that breaks while it responds.

`python tests/faults/machine.py BREAK FOLDER` prints a line for each operation and each response: what the caller got.
"""

import asyncio
import importlib.abc
import os
import resource
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.servers import Received, serving

import tingting_async
import tingting_async.v1
from tingting_async import RetryPolicy, SqliteLedger, TingTingError

OPERATIONS: dict[str, tuple[Any, Callable[[Any, Path], Any]]] = {
    "classic campaigns.run": (tingting_async.TingTing, lambda to, _: to.campaigns.run(1, message="m")),
    "v1 campaigns.run": (tingting_async.v1.TingTing, lambda to, _: to.campaigns.run(1)),
    "v1 campaigns.get": (tingting_async.v1.TingTing, lambda to, _: to.campaigns.get(1)),
    "v1 reports.download": (tingting_async.v1.TingTing, lambda to, folder: to.reports.download(1, folder / "r.csv")),
}
RESPONSES = {
    "done": b'{"success": true, "message": "Campaign Scheduled for 2083-01-01 at 10:00", "id": 7, "created_at":'
    b'"2026-01-01T10:00:00Z", "duration": "0:00:10", "data": {}}',
    "another shape": b'{"success": true, "data": 5, "id": "x"}',
    "lost": b"",
}


class NoImports(importlib.abc.MetaPathFinder):
    """Refuses every module that is not loaded yet."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: Any = None) -> None:
        raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


def refuse_imports() -> None:
    """Make every import of a module that is not loaded fail."""
    sys.meta_path.insert(0, NoImports())


def exhaust_files() -> None:
    """Let the process open no more files."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def end_main_thread() -> None:
    """Wait until the main thread has ended."""
    threading.main_thread().join()


BREAKS = {"imports": refuse_imports, "files": exhaust_files, "main thread": end_main_thread}


async def call(name: str, kind: str, break_machine: Callable[[], None], folder: Path) -> str:
    async def respond(received: Received) -> None:
        break_machine()
        if kind == "lost":
            received.reset()
        else:
            await received.respond(RESPONSES[kind])

    session, operation = OPERATIONS[name]
    ledger = SqliteLedger(folder / "sends.sqlite")
    async with (
        serving(respond) as server,
        session(base_url=server.url, api_token="t", ledger=ledger, retries=RetryPolicy(initial_backoff=0)) as tingting,
    ):
        try:
            await operation(tingting, folder)
        except TingTingError as error:
            return type(error).__name__
        except Exception as error:  # noqa: BLE001 - what the test is about
            return f"foreign: {error!r}"
        return "returned"


def main() -> None:
    """Run every operation with every response."""
    break_machine = BREAKS[sys.argv[1]]
    for name in OPERATIONS:
        for kind in RESPONSES:
            sys.stdout.flush()
            child = os.fork()
            if child:
                os.waitpid(child, 0)
                continue
            folder = Path(sys.argv[2], f"{name} {kind}")
            folder.mkdir()

            def run(name: str = name, kind: str = kind, folder: Path = folder) -> None:
                print(f"{name}, {kind}: {asyncio.run(call(name, kind, break_machine, folder))}", flush=True)  # noqa: T201

            threading.Thread(target=run).start() if sys.argv[1] == "main thread" else run()
            return


if __name__ == "__main__":
    main()
