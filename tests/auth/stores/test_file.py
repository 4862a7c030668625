"""Tokens in a file."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tingting_async import FileTokenStore, TingTing, TokenStoreError, UsageError
from tingting_async.auth.tokens import Tokens
from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio


def modes(directory: Path) -> dict[str, int]:
    """Return the permissions of everything in a directory."""
    return {str(path.relative_to(directory)): path.stat().st_mode & 0o777 for path in directory.rglob("*")}


async def test_modes(tmp_path: Path) -> None:
    """The file, its lock and new directories are accessible only to their owner, whatever the umask."""
    (tmp_path / "theirs").mkdir(mode=0o755)
    store = FileTokenStore(tmp_path / "theirs" / "a" / "b" / "tokens")
    umask = os.umask(0)
    try:
        async with store.lock():
            await store.save(Tokens("access"))
    finally:
        os.umask(umask)
    made = {"theirs": 0o755, "theirs/a": 0o700, "theirs/a/b": 0o700}
    assert modes(tmp_path) == made | {"theirs/a/b/tokens": 0o600, "theirs/a/b/tokens.lock": 0o600}


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o601])
async def test_open_to_others(tmp_path: Path, mode: int) -> None:
    """A file that others can read or write is refused with what to do, and an explicit login replaces it."""
    path = tmp_path / "tokens"
    store = FileTokenStore(path)
    await store.save(Tokens("canary", "canary"))
    path.chmod(mode)
    async with Sandbox() as sandbox:
        account = {"base_url": sandbox.url, "email": sandbox.email, "password": sandbox.password}
        async with TingTing(**account, token_store=store) as tingting:
            with pytest.raises(TokenStoreError, match=rf"{path} .*mode {mode:04o}.*chmod 600") as caught:
                await tingting.accounts.user_details()
            assert "canary" not in str(caught.value)
            assert sandbox.requests == []
            await tingting.accounts.login()
    assert await store.load() != Tokens("canary", "canary")


@pytest.mark.parametrize(
    ("action", "status"), [("die while saving", -signal.SIGKILL), ("save on a full disk", 0)], ids=["killed", "full"]
)
async def test_crash(file_place: Any, action: str, status: int) -> None:
    """A crash or failure before the rename leaves the previous tokens, and no file that others can read."""
    store = FileTokenStore(file_place.where)
    await store.save(Tokens("old", "refresh"))
    with file_place.worker(action) as worker:
        output, _ = worker.communicate()
        assert worker.returncode == status
    assert await store.load() == Tokens("old", "refresh")
    assert set(modes(store.path.parent).values()) == {0o600}
    if status == 0:
        assert list(modes(store.path.parent)) == ["tokens.json"]
        assert output.startswith(f"The token store {store.path} could not be written: File too large.")


async def test_no_permission(place_of: Any) -> None:
    """Without permission for the directory, every access says so, names the file, and leaves it as it is."""
    with tempfile.TemporaryDirectory() as folder:
        store = FileTokenStore(Path(folder) / "tokens")
        await store.save(Tokens("old", "refresh"))
        Path(folder).chmod(0o555)
        with place_of(str(store.path)).worker("save without permission") as worker:
            output, errors = worker.communicate()
        Path(folder).chmod(0o755)
        assert "" == errors
        *lines, done = [line for line in output.splitlines() if line != "at the lock"]
        what = ("read", "written", "locked") if os.getuid() == 0 else ("written", "locked")
        assert [f"The token store {store.path} could not be {action}: Permission denied." for action in what] == [
            line.partition(" Make")[0] for line in lines
        ]
        assert "done" == done
        assert await store.load() == Tokens("old", "refresh")


def test_after_the_main_thread(tmp_path: Path) -> None:
    """Tokens are saved even if the main thread has ended, when no thread can be started any more."""
    script = """
import asyncio, sys, threading
from tingting_async import FileTokenStore, Tokens

store = FileTokenStore(sys.argv[1])

async def save():
    async with store.lock():
        await store.save(Tokens("new", "refresh"))
        print(await store.load() == Tokens("new", "refresh"))

def work():
    threading.main_thread().join()
    asyncio.run(save())

threading.Thread(target=work).start()
"""
    command = [sys.executable, "-P", "-c", script, str(tmp_path / "tokens")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert ("True\n", "") == (done.stdout, done.stderr)


async def test_one_file_one_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every spelling of a path leads to the same file and lock, and a symbolic link stays a link."""
    (tmp_path / "link").symlink_to(tmp_path / "tokens")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    stores = [FileTokenStore(name) for name in ("tokens", "./tokens", "~/tokens", "link", tmp_path / "tokens")]
    assert {store.path for store in stores} == {tmp_path / "tokens"}
    await stores[3].save(Tokens("access"))
    assert (tmp_path / "link").is_symlink()


async def test_unusable(tmp_path: Path) -> None:
    """If the file cannot be used, the TokenStoreError names path and reason, and its cause is the OSError."""
    (tmp_path / "folder" / "full").mkdir(parents=True)
    (tmp_path / "file").touch()
    for path, reason in (("folder", "Is a directory"), ("file/tokens", "Not a directory")):
        store = FileTokenStore(tmp_path / path)
        for access in (
            store.load,
            lambda store=store: store.save(Tokens("canary")),
            lambda store=store: store.save(None),
        ):
            with pytest.raises(TokenStoreError, match=f"{store.path} could not be .*: {reason}") as caught:
                await access()
            assert isinstance(caught.value.__cause__, OSError)
            assert "canary" not in str(caught.value)
    with pytest.raises(TokenStoreError, match="could not be locked: "):
        async with store.lock():
            pass
    assert sorted(modes(tmp_path)) == ["file", "folder", "folder/full"]


@pytest.mark.parametrize("path", [5, None, "a\0b", "~nobody-of-this-name/tokens"])
def test_invalid_path(path: Any) -> None:
    """A value that is not a path is a UsageError."""
    with pytest.raises(UsageError, match="`path` is"):
        FileTokenStore(path)


async def test_number_in_the_path(tmp_path: Path) -> None:
    """A phone number in the path of a store is masked in its errors."""
    (tmp_path / "9841234567").write_text("no directory")
    with pytest.raises(TokenStoreError, match="…67") as caught:
        await FileTokenStore(tmp_path / "9841234567" / "tokens").load()
    assert "9841234567" not in str(caught.value)
    with pytest.raises(UsageError, match="…67") as refused:
        FileTokenStore("9841234567\0")
    assert "9841234567" not in str(refused.value)
