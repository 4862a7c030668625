"""What the system, the thread pool and the log raise under a ledger: a send that was confirmed returns its result."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tingting_async.sandbox import Sandbox

SCRIPT = """
import asyncio, json, logging, resource, sys, threading
from tingting_async import LedgerError, SqliteLedger, RequestStarted, ResponseReceived
from tingting_async.v1 import TingTing

job = json.loads(sys.argv[1])
ledger = SqliteLedger(job["path"])
may_leave = threading.Event()

def limit(event):
    # The limit is reached before the claim is stored, or after the service has confirmed the send.
    if not isinstance(event, RequestStarted if job["when"] == "before" else ResponseReceived):
        return
    if job["what"] == "file size":
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    elif job["what"] == "open files":
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    elif job["what"] == "main thread":
        may_leave.set()
        threading.main_thread().join()

def unlimit():
    for kind in (resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (hard, hard))

class Broken(logging.Handler):
    def emit(self, record):
        raise LookupError("a broken handler")

async def main():
    found = {}
    async with TingTing(base_url=job["url"], api_token=job["token"], ledger=ledger, retries=1) as tingting:
        # Imports what reading the response needs.
        await tingting.otp.send("9800000002", "{otp}", channel="text", otp="654321", idempotency_key="other")
        tingting.subscribe(limit)
        try:
            sent = await tingting.otp.send("9800000001", "{otp}", channel="text", otp="123456", idempotency_key="k")
            found["result"] = sent.otp
        except LedgerError as error:
            found["result"] = type(error).__name__
        unlimit()
        await ledger.unresolved()
        found["rows"] = [(send.key, send.state.value) for send in await ledger._storage.sends()][1:]
    print(json.dumps(found))

if job["when"] == "after":
    logging.getLogger("tingting_async").addHandler(Broken())
thread = threading.Thread(target=lambda: asyncio.run(main()))
thread.start()
if job["what"] == "main thread":
    may_leave.wait()
else:
    thread.join()
"""


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Serve an account."""
    with Sandbox().in_thread() as made:
        yield made


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("what", ["file size", "open files", "main thread"])
def test_limits(sandbox: Sandbox, tmp_path: Path, what: str, when: str) -> None:
    """A limit of the system is a LedgerError before a send; after it, the result is returned, and recorded later.

    That holds even if the log fails as well.
    """
    path = str(tmp_path / "sends.sqlite")
    job = {"path": path, "url": sandbox.url, "token": sandbox.api_token, "what": what, "when": when}
    command = [sys.executable, "-P", "-c", SCRIPT, json.dumps(job)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert 0 == done.returncode, done.stderr
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    # Without more threads, the ledger's work is done in the thread of the event loop.
    is_refused = when == "before" and what != "main thread"
    assert ("LedgerError" if is_refused else "123456") == found["result"]
    assert ([] if is_refused else [["k", "done"]]) == found["rows"]
    assert (0 if is_refused else 1) == sandbox.tally()["otp", "9800000001"]
