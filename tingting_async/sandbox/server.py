"""The sandbox as a server on real sockets."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Generator, Iterable
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager, suppress
from types import TracebackType
from typing import Self
from weakref import WeakSet

from aiohttp import web
from aiohttp.typedefs import Handler

from tingting_async.sandbox.app import make_app
from tingting_async.sandbox.assertions import Assertions
from tingting_async.sandbox.control import Guard
from tingting_async.sandbox.driver import drive
from tingting_async.sandbox.events import Event
from tingting_async.sandbox.faults import reset
from tingting_async.sandbox.options import Options
from tingting_async.sandbox.received import ReceivedRequest
from tingting_async.sandbox.running import run_due


class Sandbox(Assertions):
    """A local simulation of the TingTing service, with an account that is ready to use.

    ::

        async with Sandbox(campaigns=57) as sandbox:
            TingTing(base_url=sandbox.url, email=sandbox.email, password=sandbox.password)

    The sandbox serves in the current event loop; `in_thread()` serves code that does not use asyncio. The sandbox never
    calls or texts anyone.

    Args:
        host: The address to listen on.
        port: The port to listen on; 0 picks a free one.
        allowed_hosts: Further host names under which the page and the control interface may be reached, such as the
            name of a service of Docker Compose. Its IP addresses, `localhost` and `host` are always allowed.
        **options: How the service behaves, and how much data it has; see `Options`.

    Raises:
        ValueError: An argument is not valid.
    """

    def __init__(
        self, *, host: str = "127.0.0.1", port: int = 0, allowed_hosts: Iterable[str] = (), **options: object
    ) -> None:
        given: tuple[object, object] = (host, port)
        if not (isinstance(given[0], str) and host):
            raise ValueError(f"host={host!r} is not valid: use the address to listen on, such as '127.0.0.1'.")
        if not isinstance(given[1], int) or isinstance(port, bool) or not 0 <= port <= 65_535:
            raise ValueError(f"port={port!r} is not valid: use a whole number, from 0 to 65535; 0 picks a free port.")
        super().__init__(Options(**options))  # type: ignore[arg-type]
        self.in_flight: int = 0
        """The number of requests that are being served now."""
        self.peak_in_flight: int = 0
        """The highest number of requests that were served at the same time."""
        self._is_offline = False
        self._idle = Event()
        self._idle.set()
        self._driver: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._idle_connections: WeakSet[asyncio.Transport] = WeakSet()
        self._guard = Guard(allowed_hosts, host)
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None

    @property
    def url(self) -> str:
        """The client's `base_url`."""
        host = f"[{self._host}]" if ":" in self._host else self._host  # An IPv6 address.
        return f"http://{host}:{self._port}"

    def close_idle_connections(self) -> None:
        """Close the idle connections without notice, as a server does when it restarts."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._drop_idle_connections)

    def _drop_idle_connections(self) -> None:
        for transport in list(self._idle_connections):
            transport.close()

    @contextmanager
    def _counted_in_flight(self, transport: asyncio.Transport | None) -> Generator[None]:
        """Count a request as in flight within the block."""
        if not self.in_flight:
            self._idle.clear()
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        if transport is not None:
            self._idle_connections.discard(transport)
        try:
            yield
        finally:
            if transport is not None:
                self._idle_connections.add(transport)
            self.in_flight -= 1
            if not self.in_flight:
                self._idle.set()

    def reset(self) -> None:
        """Start over, as if the sandbox had just been started: without faults, with no request and an empty inbox.

        The clock's speed and how to connect stay. A request that a fault stalls is dropped. This may be called
        from any thread.
        """
        super().reset()
        self.peak_in_flight = self.in_flight

    async def wait_idle(self) -> None:
        """Wait until no request is in flight."""
        await self._idle.wait()

    @asynccontextmanager
    async def offline(self) -> AsyncGenerator[None]:
        """Drop open connections and refuse new ones within the block, as a service that is down does.

        Use this in the event loop that the sandbox serves in.
        """
        assert self._site is not None
        assert self._runner is not None
        assert self._runner.server is not None
        self._is_offline = True
        await self._site.stop()
        for connection in self._runner.server.connections:
            if connection.transport is not None:
                connection.transport.abort()
        try:
            yield
        finally:
            self._is_offline = False
            await self._listen()

    async def _listen(self) -> None:
        assert self._runner is not None
        self._site = web.TCPSite(self._runner, self._host, self._port)
        await self._site.start()

    async def __aenter__(self) -> Self:
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError(
                "The sandbox serves on asyncio and uvloop, not on trio. There, use `with Sandbox().in_thread()`."
            ) from None
        app = make_app(self, self._serve, self._guard)
        # If a client disconnects, its request is cancelled, as the proxy before the real service does.
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        try:
            await self._listen()
        except OSError:
            await self._runner.cleanup()
            raise
        (self._host, self._port, *_) = self._runner.addresses[0]
        self._driver = asyncio.create_task(drive(self), name="tingting sandbox timers")
        return self

    async def _serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self._is_offline:  # The connection was being accepted while the others were dropped.
            return reset(request)
        with self._counted_in_flight(request.transport):
            start = time.perf_counter()
            body = await request.read()
            received = ReceivedRequest(
                request.method, request.path, request.query_string, request.headers, body, self.clock.now()
            )
            if self.options.keep_requests:
                self.requests.append(received)
            self.recent_requests.append(received)
            self.changes.note()
            world = self.world
            run_due(world)
            fault = self.faults.trigger(received)

            async def execute(request: web.Request) -> web.StreamResponse:
                # After a reset, a request that was stalled must not have its effect in the new world.
                return await handler(request) if self.world is world else reset(request)

            try:
                response = await (execute(request) if fault is None else fault.apply(request, execute, self.options))
                received.status = None if fault is not None and fault.drops_connection else response.status
                return response
            finally:
                received.duration = time.perf_counter() - start
                if not self.options.keep_requests:
                    received.body = body[:10_000]
                self.changes.note()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.faults.clear()
        assert self._driver is not None
        self._driver.cancel()
        with suppress(asyncio.CancelledError):
            await self._driver
        assert self._runner is not None
        await self._runner.cleanup()

    @contextmanager
    def in_thread(self) -> Generator[Self]:
        """Serve in its own thread within the block, for code that does not use asyncio."""
        started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

        async def serve() -> None:
            stop = asyncio.Event()
            try:
                await self.__aenter__()
            except BaseException as error:  # noqa: BLE001 - every error is raised in the caller's thread
                started.set_exception(error)
                return
            started.set_result((asyncio.get_running_loop(), stop))
            await stop.wait()
            await self.__aexit__(None, None, None)

        thread = threading.Thread(target=lambda: asyncio.run(serve()), name="tingting sandbox", daemon=True)
        thread.start()
        loop, stop = started.result()
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join()
