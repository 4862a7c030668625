"""An event across threads."""

import asyncio
import contextlib
import threading


class Event:
    """Something that happens once, for tasks of any event loop and for plain threads alike.

    The sandbox serves in its own thread for those who do not use asyncio; asyncio's event would not wake them there.
    """

    def __init__(self) -> None:
        self._flag = threading.Event()
        self._lock = threading.Lock()
        self._waiters: set[asyncio.Future[None]] = set()

    def is_set(self) -> bool:
        """Tell whether it happened."""
        return self._flag.is_set()

    def set(self) -> None:
        """Let it have happened, and wake whoever waits; from any thread."""
        with self._lock:
            self._flag.set()
            waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            with contextlib.suppress(RuntimeError):  # Its loop was closed: nobody waits there any more.
                waiter.get_loop().call_soon_threadsafe(_wake, waiter)

    def clear(self) -> None:
        """Let it not have happened."""
        with self._lock:
            self._flag.clear()

    async def wait(self) -> None:
        """Wait until it happens."""
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
        """Wait in a plain thread until it happens.

        Args:
            timeout: How long at the most, in seconds; None for ever.

        Returns:
            Whether it happened.
        """
        return self._flag.wait(timeout)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
