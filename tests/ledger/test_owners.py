"""What the ledger shows of processes that were killed, that ended, and that forked."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tingting_async.ledger.claims import Claim
from tingting_async.ledger.sqlite import SqliteStorage
from tingting_async.outcomes import SendState

pytestmark = pytest.mark.anyio

SCRIPT = """
import asyncio, os, signal, sys, threading
from pathlib import Path
from tingting_async.ledger.claims import Claim
from tingting_async.ledger.postgres import PostgresStorage
from tingting_async.ledger.sqlite import SqliteStorage
from tingting_async.postgres import Postgres

kind, where, action = sys.argv[1:]

def open_storage():
    return SqliteStorage(Path(where)) if kind == "sqlite" else PostgresStorage(Postgres(where))

storage = open_storage()

def run(coroutine):
    result = asyncio.run(coroutine)
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join()  # Python warns if a process with threads forks.
    return result

def claim(target):
    run(storage.claim(Claim(target, "http://a", "things.call", None, target, "")))

def show():
    while True:
        states = [send.state.value for send in run(open_storage().sends())]
        if action != "die with a child" or states != ["in progress"] or kind == "sqlite":
            break  # The database's server needs a moment to notice that the process is dead.
    print(states)

if action == "die with a child":
    until, here = os.pipe()
    if os.fork():
        os.wait()
        show()
        sys.exit(0)
    claim("thing")
    has_begun, begins = os.pipe()
    if os.fork() == 0:
        os.close(here)
        os.write(begins, b"x")
        os.read(until, 1)  # It inherited all open files, and lives until the states have been shown.
        os._exit(0)
    os.read(has_begun, 1)
    os.kill(os.getpid(), signal.SIGKILL)
if action != "die before":
    claim("thing")
if action.startswith("die"):
    os.kill(os.getpid(), signal.SIGKILL)
if os.fork() == 0:
    if action == "fork and send":
        claim("another thing")
    sys.exit(0)  # It inherited all open files, and exits normally.
os.wait()
show()
"""


def run(place: Any, action: str) -> "subprocess.CompletedProcess[str]":
    """Run the script."""
    command = [sys.executable, "-P", "-c", SCRIPT, place.kind, place.where, action]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("action", "targets", "shown"),
    [
        ("die before", [], ""),
        ("die after", ["thing"], ""),
        ("die with a child", ["thing"], "['unknown']\n"),
        ("fork", ["thing"], "['in progress']\n"),
        ("fork and send", ["thing", "another thing"], "['in progress', 'unknown']\n"),
    ],
)
async def test_ends_of_processes(ledger_place: Any, action: str, targets: list[str], shown: str) -> None:
    """A process that is killed after its claim leaves it unknown, and before it nothing; forks change none of that."""
    done = run(ledger_place, action)
    async with ledger_place.open() as ledger:
        unresolved = await ledger.unresolved()
        while ledger_place.kind == "postgres" and len(unresolved) < len(targets):
            unresolved = await ledger.unresolved()
    assert [(send.target, send.state) for send in unresolved] == [(target, SendState.UNKNOWN) for target in targets]
    assert done.returncode == (-signal.SIGKILL if action in ("die before", "die after") else 0)
    assert (done.stdout, done.stderr) == (shown, "")


async def test_lock_files_of_dead_processes(path: Path, ledger_place: Any) -> None:
    """The next process that sends removes the lock files of dead processes, and keeps its own."""
    run(ledger_place, "die after")
    directory = Path(f"{path}.owners")
    [dead] = directory.iterdir()
    storage = SqliteStorage(path)
    await storage.claim(Claim("mine", "http://a", "things.call", None, None, ""))
    [own] = directory.iterdir()
    assert own != dead


LOOKS = """
import asyncio, sys
from pathlib import Path
from tingting_async.ledger.claims import Claim
from tingting_async.ledger.sqlite import SqliteStorage

path = Path(sys.argv[1])
storage, other, looked = SqliteStorage(path), SqliteStorage(path), []

async def main():
    claims = [Claim(f"c{n}", "http://a", "otp.send", None, None, "") for n in range(10_000)]
    await asyncio.gather(*(storage.claim(claim) for claim in claims))
    sys.addaudithook(lambda event, what: looked.append(what[0]) if event == "open" and ".owners" in str(what) else None)
    sends = await other.sends()
    print(len(sends), {send.state.value for send in sends}, len(set(looked)), len(looked) < 10)

asyncio.run(main())
"""


def test_many_claims_in_progress(path: Path) -> None:
    """Ten thousand claims of another owner that is alive are looked up once for their owner, not once for each."""
    command = [sys.executable, "-P", "-c", LOOKS, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ("10000 {'in progress'} 1 True\n", "") == (done.stdout, done.stderr)
