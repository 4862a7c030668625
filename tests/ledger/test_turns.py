"""The queue of the processes that share a ledger's file."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from tingting_async.ledger import turns

pytest.importorskip("fcntl")

SCRIPT = """
import runpy, sys
from pathlib import Path

take_turn = runpy.run_path(sys.argv[5])["take_turn"]  # Without the rest of the package, it starts sooner.
with take_turn(Path(sys.argv[1]), float(sys.argv[4])):
    with open(sys.argv[2], "a") as log:
        log.write(sys.argv[3] + "\\n")
    sys.stdin.readline()
"""


class Queue:
    """Processes that queue, and the log of their turns."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "sends.sqlite.queue"
        self.log = folder / "log"
        self.log.touch()
        self.processes: dict[str, subprocess.Popen[str]] = {}

    def turns(self) -> list[str]:
        """Return who had or has a turn, in order."""
        return self.log.read_text().split()

    def tickets(self) -> int:
        """Return how many tickets were drawn."""
        return int.from_bytes(self.path.read_bytes(), "big") if self.path.exists() else 0

    def start(self, name: str, patience: float = 600) -> None:
        """Start a process, and wait until it has drawn a ticket."""
        before = self.tickets()
        command = [
            sys.executable,
            "-P",
            "-c",
            SCRIPT,
            str(self.path),
            str(self.log),
            name,
            str(patience),
            turns.__file__,
        ]
        self.processes[name] = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
        until(lambda: self.tickets() > before)

    def end(self, name: str) -> None:
        """Let a process end its turn, when it has it."""
        process = self.processes[name]
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.close()
        assert 0 == process.wait()


def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition is true."""
    while not condition():
        time.sleep(0.001)


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    """Return a queue, and end its processes."""
    queue = Queue(tmp_path)
    yield queue
    for process in queue.processes.values():
        process.kill()
        process.communicate()


def test_order(queue: Queue) -> None:
    """Processes get their turns in the order in which they came, one at a time."""
    for name in "abcd":
        queue.start(name)
    for number, name in enumerate("abcd", 1):
        until(lambda number=number: len(queue.turns()) == number)  # type: ignore[misc]
        assert list("abcd"[:number]) == queue.turns()
        queue.end(name)


@pytest.mark.parametrize("seed", range(3))
def test_processes_that_are_killed(queue: Queue, seed: int) -> None:
    """If processes are killed in the queue or in their turn, all others still get their turns."""
    random = Random(seed)
    names = [chr(number) for number in range(ord("a"), ord("g"))]
    for name in names:
        queue.start(name)
    killed = random.sample(names, 2)
    for name in killed:
        queue.processes[name].send_signal(signal.SIGKILL)
        queue.processes[name].wait()
    others = [name for name in names if name not in killed]
    for name in others:
        queue.end(name)
    assert sorted(others) == sorted(set(queue.turns()) - set(killed))


def test_a_process_that_is_stopped(queue: Queue) -> None:
    """A process that is stopped in its turn does not stop those after it for ever."""
    queue.start("a")
    until(lambda: queue.turns() == ["a"])
    queue.processes["a"].send_signal(signal.SIGSTOP)
    queue.start("b", patience=0.1)
    queue.end("b")
    assert ["a", "b"] == queue.turns()


@pytest.mark.parametrize("content", [b"", b"\xff" * 5, b"garbage, and more of it" * 100])
def test_any_content(queue: Queue, content: bytes) -> None:
    """The queue works with any content of its file."""
    queue.path.write_bytes(content)
    for name in "ab":
        command = [sys.executable, "-P", "-c", SCRIPT, str(queue.path), str(queue.log), name, "600", turns.__file__]
        subprocess.run(command, input="\n", text=True, check=True)
    assert ["a", "b"] == queue.turns()


def test_a_queue_that_cannot_be_written(queue: Queue) -> None:
    """Without its file, a process does not wait: SQLite's lock is what keeps the ledger right."""
    queue.path.mkdir()
    command = [sys.executable, "-P", "-c", SCRIPT, str(queue.path), str(queue.log), "a", "600", turns.__file__]
    subprocess.run(command, input="\n", text=True, check=True)
    assert ["a"] == queue.turns()
