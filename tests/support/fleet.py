"""A fleet of workers on two hosts, which is killed, cut off and lied to while it works, and is counted afterwards."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

import attrs
from support.hosts import Host

from tingting_async.sandbox import Fault, Sandbox

EXAMPLES = Path(__file__).parents[2] / "examples"
UNSAFE = Path(__file__).parent / "unsafe"
PEOPLE = 5
LOST = ("reset_after", "truncate", "gateway_timeout")
"""Three ways to lose a response: the connection is reset, the body is cut off, a gateway answers instead."""


@attrs.define
class Fleet:
    """Workers, and the files that they process.

    Args:
        script: The example that is the worker, and adds jobs.
        hosts: Where the workers run.
        environment: What the workers read.
        files: A job for each.
        sandbox: The service.
        random: Decides who is killed, and when.
        is_safe: Whether the jobs give idempotency keys.
    """

    script: str
    hosts: list[Host]
    environment: Mapping[str, str]
    files: list[Path]
    sandbox: Sandbox
    random: Random
    is_safe: bool = True
    workers: list[int | None] = attrs.field(factory=lambda: [None] * 4)
    kills: int = 0
    _seen: int = 0
    """How many effects the service had at the last kill."""

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a worker."""
        path = os.pathsep.join(map(str, [*[UNSAFE] * (not self.is_safe), EXAMPLES, *filter(None, sys.path)]))
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
        return {**inherited, **self.environment, "PYTHONPATH": path}  # A worker that is killed measures no coverage.

    def command(self, *arguments: str) -> list[str]:
        """Return a command line of the example."""
        return [sys.executable, "-P", str(EXAMPLES / self.script), *arguments]

    def add_jobs(self, files: list[Path]) -> None:
        """Add a job for each file."""
        self.run("add", *map(str, files))

    def run(self, *arguments: str) -> None:
        """Run a command of the example to its end."""
        subprocess.run(self.command(*arguments), env=self.variables, check=True, timeout=60)

    def start_workers(self) -> None:
        """Start the workers that do not run, as a supervisor does."""
        for slot, pid in enumerate(self.workers):
            if pid is None or not is_alive(pid):
                host = self.hosts[slot % len(self.hosts)]
                self.workers[slot] = host.start(self.command("work"), self.variables)

    def kill_one(self) -> bool:
        """Kill a worker if anything was done since the last kill, on however busy a machine; return whether it was."""
        seen, self._seen = self._seen, len(self.sandbox.side_effects)
        if seen == self._seen:
            return False
        pid = self.random.choice([pid for pid in self.workers if pid is not None])
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.kills += 1
        return True

    def work(self, *, limit: float, restart: Callable[[], None], restarts: int = 0) -> None:
        """Work until every file has its report, with a worker killed about once a second.

        Args:
            limit: Seconds after which it has failed.
            restart: Restarts the database.
            restarts: How often to do that.
        """
        ends = time.monotonic() + limit
        while left := [file for file in self.files if not file.with_suffix(".report.csv").exists()]:
            assert time.monotonic() < ends, f"{len(left)} files are without a report\n{self.tail()}"
            self.start_workers()
            time.sleep(self.random.uniform(0.5, 1.5))
            if self.kill_one() and restarts:
                restart()
                restarts -= 1
        assert self.kills
        assert not restarts

    def settle(self, is_idle: Callable[[], bool], *, limit: float) -> None:
        """Work on undisturbed until the queue is empty, and stop."""
        ends = time.monotonic() + limit
        while not is_idle():
            assert time.monotonic() < ends, f"the queue is not empty\n{self.tail()}"
            self.start_workers()
            time.sleep(0.2)
        for pid in self.workers:
            if pid is not None and is_alive(pid):
                os.kill(pid, signal.SIGTERM)

    def tail(self) -> str:
        """Return the end of what the workers printed."""
        return "\n".join(host.log[-3000:] for host in self.hosts)


def is_alive(pid: int) -> bool:
    """Return whether a process runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def make_files(folder: Path, count: int) -> list[Path]:
    """Write files with five people each, all of them different."""
    folder.mkdir()
    files = [folder / f"bills-{index:03}.csv" for index in range(count)]
    for index, file in enumerate(files):
        rows = [f"98{index * PEOPLE + person:08},Person {person}" for person in range(PEOPLE)]
        file.write_text("\n".join(["number,name", *rows, ""]), encoding="utf-8")
    return files


@contextmanager
def lossy_sandbox(seed: int, share: float) -> Iterator[Sandbox]:
    """Provide a service that loses a share of its responses after it has acted."""
    random = Random(seed)
    with Sandbox(campaigns=0, keep_requests=False).in_thread() as sandbox:
        for kind in LOST:
            sandbox.faults.add(Fault(kind, where=lambda _: random.random() < share / len(LOST)))
        yield sandbox


def count_effects(sandbox: Sandbox, kind: str) -> Counter[str]:
    """Return how often each object met with an effect."""
    return Counter(effect.target for effect in sandbox.side_effects if effect.kind == kind)
