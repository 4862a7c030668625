"""The command `python -m tingting_async.sandbox` in its own process."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

COMMAND = [sys.executable, "-P", "-m", "tingting_async.sandbox"]


@contextmanager
def served(*arguments: str) -> Iterator[tuple["subprocess.Popen[str]", dict[str, str]]]:
    """Start the command; yield its process and the environment variables that it prints."""
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip().rpartition("export ")[2] for _ in range(6)]
        yield process, dict(line.split("=", 1) for line in lines if line.startswith("TINGTING_"))
        assert process.stderr is not None
        assert process.stderr.read() == ""
