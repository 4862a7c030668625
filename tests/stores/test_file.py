"""Tokens in a file: shared by processes, and readable for nobody else."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

from tingting_async import TingTing, Tokens, TokenStoreError
from tingting_async.sandbox import Sandbox
from tingting_async.token_stores import FileTokenStore

pytestmark = pytest.mark.anyio

TOKENS = Tokens("canary-access", "canary-refresh", 1234.5678)
WORKER = """
import asyncio, sys
from tingting_async import TingTing
from tingting_async.token_stores import FileTokenStore

async def main(url, path):
    print("ready", flush=True)
    sys.stdin.readline()
    async with TingTing(base_url=url, token_store=FileTokenStore(path)) as tingting:
        await tingting.accounts.user_details()

asyncio.run(main(*sys.argv[1:]))
"""
HOLDER = """
import asyncio, sys
from tingting_async.token_stores import FileTokenStore

async def main(path):
    async with FileTokenStore(path).lock():
        print("held", flush=True)
        await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the tokens are to be, in a folder that is not there yet."""
    return tmp_path / "state" / "tokens.json"


def start(script: str, *arguments: Any) -> subprocess.Popen[str]:
    """Start a process, and wait for its first line."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


async def test_kept(path: Path) -> None:
    """What was saved is loaded, to the last digit, by another object too; None forgets it."""
    store = FileTokenStore(path)
    assert await store.load() is None
    await store.save(TOKENS)
    assert await FileTokenStore(path).load() == TOKENS
    await store.save(Tokens("a"))
    assert await store.load() == Tokens("a")
    await store.save(None)
    await store.save(None)
    assert await store.load() is None
    assert [each.name for each in path.parent.iterdir()] == []


async def test_modes(path: Path) -> None:
    """The file and its folder are the owner's alone, whatever the umask; one that others may read is refused."""
    before = os.umask(0)
    try:
        store = FileTokenStore(path)
        async with store.lock():
            await store.save(TOKENS)
    finally:
        os.umask(before)
    assert [each.stat().st_mode & 0o777 for each in (path.parent, path)] == [0o700, 0o600]
    path.chmod(0o640)
    with pytest.raises(TokenStoreError, match="chmod 600"):
        await store.load()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"access": 5, "refresh": null, "renew_at": null}', "\udcff"])
async def test_unreadable(path: Path, content: str, caplog: pytest.LogCaptureFixture) -> None:
    """A file that holds no tokens is taken for none, with a warning: the session signs in again."""
    store = FileTokenStore(path)
    await store.save(TOKENS)
    path.write_bytes(content.encode(errors="surrogateescape"))
    with caplog.at_level(logging.WARNING, logger="tingting_async"):
        assert await store.load() is None
    assert "signing in again" in caplog.text


async def test_place_that_is_none(tmp_path: Path) -> None:
    """A place where no file can be is told with its path and the reason, by each operation."""
    (tmp_path / "file").touch()
    store = FileTokenStore(tmp_path / "file" / "tokens.json")
    for operation in (store.save(TOKENS), store.load(), store.lock().__aenter__()):
        with pytest.raises(TokenStoreError, match=r"tokens\.json"):
            await operation


async def test_nothing_shows(path: Path) -> None:
    """No token is in the store's repr."""
    store = FileTokenStore(path)
    await store.save(TOKENS)
    assert "canary" not in repr(store)


async def test_one_renewal_of_two_processes(path: Path) -> None:
    """Two processes that find the same ended token renew it once: the second one uses what the first one got."""
    with Sandbox(campaigns=1).in_thread() as sandbox:
        store = FileTokenStore(path)
        account = {"email": sandbox.email, "password": sandbox.password}
        async with TingTing(base_url=sandbox.url, token_store=store, **account) as tingting:
            await tingting.accounts.user_details()
        kept = await store.load()
        assert kept is not None
        await store.save(attrs.evolve(kept, renew_at=0.0))
        workers = [start(WORKER, sandbox.url, path) for _ in range(2)]
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        for worker in workers:
            worker.communicate(timeout=40)
            assert worker.returncode == 0
        renewals = [each.path for each in sandbox.requests if "refresh" in each.path]
        assert len(renewals) == 1
        renewed = await store.load()
        assert renewed is not None
        assert renewed.access != kept.access


async def test_sessions_of_one_process(path: Path) -> None:
    """Ten sessions of one process that share the file sign in once."""
    async with Sandbox(campaigns=1) as sandbox:
        account = {"email": sandbox.email, "password": sandbox.password}

        async def work() -> None:
            async with TingTing(base_url=sandbox.url, token_store=FileTokenStore(path), **account) as tingting:
                await tingting.accounts.user_details()

        await asyncio.gather(*(work() for _ in range(10)))
        assert len([each for each in sandbox.requests if "login" in each.path]) == 1


async def test_killed_holder(path: Path) -> None:
    """A lock whose holder is killed comes free, and until then it is held."""
    holder = start(HOLDER, path)
    lock = FileTokenStore(path).lock()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await lock.__aenter__()
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    async with asyncio.timeout(20), FileTokenStore(path).lock():
        pass
    holder.communicate()


async def test_crash_while_saving(path: Path) -> None:
    """What a process leaves behind that died before its file was whole does not touch the tokens."""
    store = FileTokenStore(path)
    await store.save(TOKENS)
    (path.parent / f".{path.name}.dead").write_text(json.dumps({"access": "half"})[:5])
    assert await store.load() == TOKENS
