"""The sandbox as a server: over real sockets, on a port of its own."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from email.utils import formatdate
from functools import partial
from types import TracebackType
from typing import Self, cast
from weakref import WeakSet

from aiohttp import web
from aiohttp.typedefs import Handler

from tingting_async.sandbox.clock import Clock
from tingting_async.sandbox.events import Event
from tingting_async.sandbox.faults import Faults
from tingting_async.sandbox.options import Options
from tingting_async.sandbox.received import Received
from tingting_async.sandbox.running import settle
from tingting_async.sandbox.tokens import Tokens
from tingting_async.sandbox.world import Effect, World


class Sandbox:
    """A stand-in for the TingTing service, on this machine, with an account that can be used at once.

    ::

        async with Sandbox(campaigns=57) as sandbox:
            TingTing(base_url=sandbox.url, email=sandbox.email, password=sandbox.password)

    It serves in the current event loop; `in_thread()` serves beside code that does not use asyncio. It rings nobody.

    Args:
        host: Where to listen.
        port: The port; 0 for a free one.
        **options: How the service behaves where its documents are silent, and what there is; see `Options`.
    """

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, **options: object) -> None:
        self.options = Options(**options)  # type: ignore[arg-type]
        self.clock = Clock()
        self.world = World(
            self.clock, campaigns=self.options.campaigns, numbers=self.options.numbers, seed=self.options.seed
        )
        self.tokens = Tokens(
            self.clock,
            access_lifetime=self.options.access_lifetime,
            refresh_lifetime=self.options.refresh_lifetime,
            rotate_refresh=self.options.rotate_refresh,
        )
        self.faults = Faults()
        self.requests: list[Received] = []
        """Every request, in the order in which they came; none with `keep_requests=False`."""
        self.in_flight = 0
        """Requests that are being served now."""
        self.most_in_flight = 0
        """The most there ever were at the same time."""
        self._idle = Event()
        self._idle.set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._resting: WeakSet[asyncio.Transport] = WeakSet()
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None

    @property
    def url(self) -> str:
        """Where it listens: the client's `base_url`."""
        return f"http://{self._host}:{self._port}"

    @property
    def email(self) -> str:
        """The account's e-mail address."""
        return self.world.owner.email

    @property
    def password(self) -> str:
        """The account's password."""
        return self.world.owner.password

    @property
    def api_token(self) -> str:
        """The account's API token."""
        return self.world.owner.api_token

    @property
    def effects(self) -> list[Effect]:
        """What happened in the world, up to now by the clock."""
        settle(self.world)
        return self.world.effects

    def tally(self) -> Counter[tuple[str, str]]:
        """Count what happened: how often, by its kind and its target.

        ::

            assert sandbox.tally()["otp", "9800000001"] == 1
        """
        return Counter((effect.kind, effect.target) for effect in self.effects)

    def expire_access_tokens(self) -> None:
        """Refuse every access token given out so far."""
        self.tokens.revoke("access")

    def revoke_refresh_tokens(self) -> None:
        """Refuse every refresh token given out so far."""
        self.tokens.revoke("refresh")

    def change_password(self, password: str) -> None:
        """Give the account another password."""
        self.world.owner.password = password

    def close_idle_connections(self) -> None:
        """Close the connections that clients keep for later, without a word, as a server does when it restarts."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._close_resting)

    def _close_resting(self) -> None:
        for transport in list(self._resting):
            transport.close()

    @contextmanager
    def serving(self, transport: asyncio.Transport | None) -> Generator[None]:
        """Count a request among those in flight."""
        if not self.in_flight:
            self._idle.clear()
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        if transport is not None:
            self._resting.discard(transport)
        try:
            yield
        finally:
            if transport is not None:
                self._resting.add(transport)
            self.in_flight -= 1
            if not self.in_flight:
                self._idle.set()

    async def wait_idle(self) -> None:
        """Wait until no request is being served any more."""
        await self._idle.wait()

    @asynccontextmanager
    async def offline(self) -> AsyncGenerator[None]:
        """Refuse connections within the block, as a service that is down does; those that are open stay open.

        For the event loop that it serves in.
        """
        assert self._site is not None
        await self._site.stop()
        try:
            yield
        finally:
            await self._listen()

    async def _listen(self) -> None:
        assert self._runner is not None
        self._site = web.TCPSite(self._runner, self._host, self._port)
        await self._site.start()

    async def __aenter__(self) -> Self:
        from tingting_async.sandbox import classic, media, v1  # noqa: PLC0415 - the routes know the sandbox

        self._loop = asyncio.get_running_loop()
        app = web.Application(middlewares=[_serve], client_max_size=2**26)
        app[SANDBOX] = cast("Sandbox", self)
        app.add_routes([*classic.routes, *v1.routes, *media.routes])
        app.on_response_prepare.append(self._tell_time)
        # A client that goes away ends the work on its request, as in front of the real service a proxy does.
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        try:
            await self._listen()
        except OSError:
            await self._runner.cleanup()
            raise
        (self._host, self._port, *_) = self._runner.addresses[0]
        return self

    async def _tell_time(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers["Date"] = formatdate(self.clock.now(), usegmt=True)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.faults.clear()
        assert self._runner is not None
        await self._runner.cleanup()

    @contextmanager
    def in_thread(self) -> Generator[Self]:
        """Serve in a thread with an event loop of its own, for code that does not use asyncio."""
        started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

        async def serve() -> None:
            stop = asyncio.Event()
            try:
                await self.__aenter__()
            except BaseException as error:  # noqa: BLE001 - whatever it is, who asked for the sandbox is told
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


SANDBOX = web.AppKey("sandbox", Sandbox)


@web.middleware
async def _serve(request: web.Request, handler: Handler) -> web.StreamResponse:
    sandbox = request.app[SANDBOX]
    # Where it would lead with a slash behind it; a request cannot be copied once its body is read.
    slashed = request.clone(rel_url=request.rel_url.with_path(request.path + "/", keep_query=True))
    with sandbox.serving(request.transport):
        body = await request.read()
        received = Received(
            request.method, request.path, request.query_string, request.headers, body, sandbox.clock.now()
        )
        if sandbox.options.keep_requests:
            sandbox.requests.append(received)
        settle(sandbox.world)
        fault = sandbox.faults.strike(received)
        serve = partial(_answer, handler=handler, slashed=slashed)
        answer = await (serve(request) if fault is None else fault.apply(request, serve))
        received.status = None if fault is not None and fault.drops else answer.status
        return answer


async def _answer(request: web.Request, handler: Handler, slashed: web.Request) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        # Django sends those who read on to the address with the slash; those who write are told that there is no such.
        if (await request.app.router.resolve(slashed)).http_exception is None:
            if request.method == "GET":
                return web.Response(status=301, headers={"Location": str(slashed.rel_url)})
            return web.json_response({"detail": "Not found."}, status=404)
        if error.status == 405:
            detail, headers = f'Method "{request.method}" not allowed.', {"Allow": error.headers["Allow"]}
            return web.json_response({"detail": detail}, status=405, headers=headers)
        return web.json_response({"detail": "Not found." if error.status == 404 else error.reason}, status=error.status)
