"""Paths, private directories, atomic writes, and work that a cancellation does not cut short."""

import asyncio
import io
import os
import re
import selectors
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import anyio
import pytest

from tingting_async.persistence import atomic_write, make_private_dir, resolve_path, run_in_thread, run_to_completion


def test_spellings_of_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every spelling of a path, as text or bytes, is resolved to the same absolute path."""
    (tmp_path / "link").symlink_to("file")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    spellings: list[Any] = ["file", b"file", "./file", "~/file", "link", tmp_path / "file", Path("x/../file")]
    assert {resolve_path(spelling) for spelling in spellings} == {tmp_path / "file"}


@pytest.mark.parametrize("path", ["a\0b", b"a\0b", "~nobody-of-this-name/file", "\ud800"])
def test_invalid_path(path: Any) -> None:
    """A path that cannot name a file is a ValueError that shows it."""
    with pytest.raises(ValueError, match=r"`path` is .*not a valid file path"):
        resolve_path(path)


@pytest.mark.parametrize("path", [5, None, [10**5000], ["file"], io.BytesIO(), object()])
def test_value_that_is_no_path(path: Any) -> None:
    """A value of another type is a ValueError that says which types are paths."""
    said = f"`path` is of the type {type(path).__name__}. It must be a str or an os.PathLike, such as pathlib.Path."
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        resolve_path(path)


@pytest.mark.parametrize("path", ["~no9841234567/x.csv", "/nowhere/9841234567\0.csv", b"9841234567\0"])
def test_numbers_in_a_path(path: Any) -> None:
    """A phone number in a path that is not valid is masked."""
    with pytest.raises(ValueError, match="…67") as caught:
        resolve_path(path)
    assert "9841234567" not in str(caught.value)


@pytest.mark.parametrize("path", ["", b"", Path(), ":memory:"])
def test_path_that_names_no_file(path: Any) -> None:
    """A path that names no file is a ValueError that says so."""
    with pytest.raises(ValueError, match=r"`path` is .*, which names no file"):
        resolve_path(path)


def test_private_directories(tmp_path: Path) -> None:
    """Missing directories are created for the owner alone, whatever the umask, and existing ones are left alone."""
    before = os.umask(0)
    try:
        (tmp_path / "theirs").mkdir(mode=0o755)
        make_private_dir(tmp_path / "theirs" / "a" / "b")
        make_private_dir(tmp_path / "theirs" / "a" / "b")
    finally:
        os.umask(before)
    paths = [tmp_path / name for name in ("theirs", "theirs/a", "theirs/a/b")]
    assert [path.stat().st_mode & 0o777 for path in paths] == [0o755, 0o700, 0o700]


def test_atomic_write(tmp_path: Path) -> None:
    """The new content appears as a whole, in a file that only its owner can access, and no other file stays."""
    path = tmp_path / "file"
    path.write_bytes(b"before")
    with atomic_write(path) as file:
        file.write(b"after")
        assert path.read_bytes() == b"before"
    assert path.read_bytes() == b"after"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [*tmp_path.iterdir()] == [path]


def test_failed_atomic_write(tmp_path: Path) -> None:
    """If the block fails, the previous content stays, and no other file does."""
    path = tmp_path / "file"
    path.write_bytes(b"before")

    def write() -> None:
        with atomic_write(path) as file:
            file.write(b"half")
            raise LookupError

    with pytest.raises(LookupError):
        write()
    assert path.read_bytes() == b"before"
    assert [*tmp_path.iterdir()] == [path]


def test_atomic_write_to_a_directory(tmp_path: Path) -> None:
    """A directory is refused before anything is written."""
    with pytest.raises(IsADirectoryError), atomic_write(tmp_path):
        pass
    assert [*tmp_path.parent.glob(f".{tmp_path.name}*")] == []


@pytest.mark.anyio
async def test_cancelled_work_is_completed() -> None:
    """A cancellation, or several, is raised only after the work has ended."""
    may_end, ended = asyncio.Event(), False

    async def work() -> None:
        nonlocal ended
        await may_end.wait()
        ended = True

    waiter = asyncio.create_task(run_to_completion(work()))
    for _ in range(3):
        await asyncio.sleep(0)
        waiter.cancel()
    await asyncio.sleep(0)
    assert not waiter.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert ended


@pytest.mark.anyio
async def test_cancelled_thread_is_completed() -> None:
    """A caller that is cancelled waits for its thread."""
    started, may_end = asyncio.Event(), threading.Event()
    loop, ended = asyncio.get_running_loop(), False

    def work() -> None:
        nonlocal ended
        loop.call_soon_threadsafe(started.set)
        may_end.wait()
        ended = True

    waiter = asyncio.create_task(run_in_thread(work))
    await started.wait()
    waiter.cancel()
    await asyncio.sleep(0)
    assert not waiter.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert ended


class CountingSelector(selectors.DefaultSelector):
    """Counts the iterations of its event loop: each waits once for events."""

    iterations = 0

    def select(self, timeout: float | None = None) -> Any:
        """Wait for events."""
        self.iterations += 1
        return super().select(timeout)


@pytest.mark.parametrize("in_group", [False, True], ids=["scope", "task group"])
@pytest.mark.parametrize("work", ["thread", "future"])
def test_waiting_in_a_cancelled_scope(work: str, in_group: bool) -> None:
    """Work that must be completed costs no iterations of the event loop while a cancelled scope waits for it."""
    selector, may_end = CountingSelector(), threading.Event()

    async def wait() -> None:
        if work == "thread":
            await run_in_thread(may_end.wait)
        else:
            await run_to_completion(asyncio.sleep(0.2))

    async def main() -> tuple[int, bool]:
        asyncio.get_running_loop().call_later(0.2, may_end.set)
        before = selector.iterations
        with anyio.CancelScope() as scope:
            scope.cancel()
            if in_group:
                async with anyio.create_task_group() as group:
                    group.start_soon(wait)
            else:
                await wait()
        return selector.iterations - before, scope.cancelled_caught

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        iterations, is_caught = runner.run(main())
    assert is_caught
    assert iterations < 50, f"{iterations} iterations"  # Tens of thousands if each iteration cancels the task again.


LATE = """
import asyncio, threading
from tingting_async.persistence import run_in_thread

def work():
    threading.main_thread().join()
    print(asyncio.run(run_in_thread(lambda: "done")))

threading.Thread(target=work).start()
"""


def test_no_thread_after_the_main_thread() -> None:
    """Work is done after the main thread has ended, when Python starts no more threads."""
    done = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, check=False, timeout=60)
    assert ("done\n", "") == (done.stdout, done.stderr)
