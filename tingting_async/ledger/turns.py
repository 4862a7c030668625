"""Turns: the processes that share a ledger's file use it in the order in which they come."""

import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

try:
    import fcntl as _fcntl
except ImportError:  # Windows: SQLite's lock alone decides who is next.
    _fcntl = None  # type: ignore[assignment]
fcntl: Any = _fcntl

PATIENCE = 5.0
"""Seconds to wait for earlier processes. They may be stopped, and must not keep others waiting forever."""
_POLL = 0.001
"""Seconds between two checks."""


@contextmanager
def take_turn(path: Path, patience: float = PATIENCE) -> Generator[None]:
    """Wait until the processes that came before have ended their blocks, and run the block.

    This is about fairness alone: SQLite lets newcomers overtake those that wait. If it fails, e.g. in a directory that
    cannot be written, or if a process is stopped in its turn, the block still runs.

    Args:
        path: A file for the queue. It holds the number of the last ticket. A process that has drawn ticket n locks byte
            n + 1 until its block or the process ends, and waits until it can also lock byte n. Byte 0 is locked while a
            ticket is drawn.
        patience: The maximum number of seconds to wait. After that, the block runs, too.
    """
    queue = None
    if fcntl is not None:
        with suppress(OSError):
            queue = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    if queue is None:
        yield
        return
    try:
        with suppress(OSError):
            _wait(queue, time.monotonic() + patience)
        yield
    finally:
        os.close(queue)  # That unlocks it.


def _wait(queue: int, deadline: float) -> None:
    _lock(queue, 0, deadline)
    ticket = int.from_bytes(os.pread(queue, 5, 0), "big") % 2**39 + 1
    os.pwrite(queue, ticket.to_bytes(5, "big"), 0)
    _lock(queue, ticket + 1, deadline)
    fcntl.lockf(queue, fcntl.LOCK_UN, 1, 0)
    _lock(queue, ticket, deadline)


def _lock(queue: int, byte: int, deadline: float) -> None:
    """Lock a byte.

    Raises:
        BlockingIOError: Another process holds it, and the time is up.
    """
    while True:
        try:
            fcntl.lockf(queue, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_POLL)
        else:
            return
