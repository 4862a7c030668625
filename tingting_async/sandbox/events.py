"""An event that works across threads and event loops."""

import asyncio
import contextlib
import threading


class Event:
    """An event that tasks of any event loop and plain threads can wait for.

    The sandbox can serve in a thread of its own; `asyncio.Event` would not wake waiters outside that thread's loop.
    """

    def __init__(self) -> None:
        self._flag = threading.Event()
        self._lock = threading.Lock()
        self._waiters: set[asyncio.Future[None]] = set()

    def is_set(self) -> bool:
        """Return whether the event is set."""
        return self._flag.is_set()

    def set(self) -> None:
        """Set the event and wake all waiters. This may be called from any thread."""
        with self._lock:
            self._flag.set()
            waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            with contextlib.suppress(RuntimeError):  # The waiter's loop is closed, so nobody waits there.
                waiter.get_loop().call_soon_threadsafe(_wake, waiter)

    def clear(self) -> None:
        """Reset the event."""
        with self._lock:
            self._flag.clear()

    async def wait(self) -> None:
        """Wait until the event is set."""
        with self._lock:
            if self._flag.is_set():
                return
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
        try:
            await waiter
        finally:
            with self._lock:
                self._waiters.discard(waiter)

    def block(self, timeout: float | None = None) -> bool:
        """Block the current thread until the event is set.

        Args:
            timeout: The time limit in seconds; None for no limit.

        Returns:
            Whether the event was set in time.
        """
        return self._flag.wait(timeout)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
