"""A service whose refresh tokens can be used once, and token stores that fail on purpose."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from types import TracebackType
from typing import Any

from support.servers import Received, serving

from tingting_async import MemoryTokenStore, RetryPolicy, TingTing, Tokens

LOGIN, REFRESH = "/api/accounts/login/", "/api/accounts/token/refresh/"
USER = {"first_name": "S", "last_name": "E", "email": "sita@example.com"}


class RotatingService:
    """Signs in one session at a time: each sign-in and each refresh makes all earlier tokens invalid.

    `script` serves its requests, for `support.servers.serving`.
    """

    def __init__(self) -> None:
        self.number = 0
        self.replaced = asyncio.Event()
        """Set when a request has replaced the tokens; its response may still be held back."""
        self.gate = asyncio.Event()
        """The responses with new tokens are held back until it is set."""
        self.gate.set()
        self.dead_status = 401
        self.requests: list[str] = []
        self.saved_password = "hunter2"

    @property
    def tokens(self) -> Tokens:
        """The tokens that are valid now."""
        return Tokens(f"access-{self.number}", f"refresh-{self.number}")

    def expire(self) -> None:
        """Make the access token invalid, but not the refresh token."""
        self._expired = self.number

    _expired = -1

    async def script(self, received: Received) -> None:
        """Respond to a request."""
        self.requests.append(received.target)
        body = json.loads(received.body) if received.body else {}
        if received.target == LOGIN and body["password"] != self.saved_password:
            await self.respond(received, {"message": "Wrong password."}, 401)
        elif received.target == LOGIN:
            pair = await self.replace()
            data = {"token": pair, "user_data": USER}
            await self.respond(received, {"status": 200, "success": True, "message": "", "data": data})
        elif received.target == REFRESH and body["refresh"] != self.tokens.refresh:
            await self.respond(received, {"detail": "Token is blacklisted", "code": "token_not_valid"}, 401)
        elif received.target == REFRESH:
            await self.respond(received, await self.replace())
        elif received.headers.get("authorization") == f"Bearer {self.tokens.access}" and self._expired != self.number:
            await self.respond(received, {"status": 200, "success": True, "data": {"user_details": USER}})
        else:
            dead = {"detail": "Given token not valid for any token type", "code": "token_not_valid"}
            await self.respond(received, dead, self.dead_status)

    async def replace(self) -> dict[str, str | None]:
        """Replace the tokens, and return the new ones once the gate is open."""
        self.number += 1
        pair = {"access": self.tokens.access, "refresh": self.tokens.refresh}
        self.replaced.set()
        await self.gate.wait()
        return pair

    async def respond(self, received: Received, body: Any, status: int = 200) -> None:
        """Write a response."""
        await received.respond(json.dumps(body).encode(), status)

    def count(self, path: str) -> int:
        """Return how many requests for a path were received."""
        return self.requests.count(path)


@contextmanager
def serving_in_thread() -> Iterator[tuple[RotatingService, str, Callable[..., None]]]:
    """Run a service in a thread of its own; yield it, its URL, and what calls a function in its event loop."""
    started: list[Any] = []
    ready = threading.Event()

    async def main() -> None:
        service, done = RotatingService(), asyncio.Event()
        async with serving(service.script) as server:
            started.extend((service, server.url, asyncio.get_running_loop(), done))
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    ready.wait()
    service, url, loop, done = started
    try:
        yield service, url, loop.call_soon_threadsafe
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()


class FailingStore(MemoryTokenStore):
    """A store whose operations fail on purpose.

    Args:
        tokens: What it has at first.
        error: What it raises.
        times: The numbers of the operations that fail, from 0. Locking and unlocking count as operations.
    """

    def __init__(self, tokens: Tokens | None = None, error: BaseException | None = None, *times: int) -> None:
        super().__init__()
        self._tokens = tokens
        self.error, self.times = error, set(times)
        self.operations: list[str] = []
        self.fails_always = ""
        """The name of an operation that fails always."""

    async def step(self, name: str) -> None:
        """Count an operation, let other tasks run, and fail if it is time to."""
        number = len(self.operations)
        self.operations.append(name)
        await asyncio.sleep(0)
        if self.error is not None and (number in self.times or name == self.fails_always):
            raise self.error

    async def load(self) -> Tokens | None:
        """Load."""
        await self.step("load")
        return await super().load()

    async def save(self, tokens: Tokens | None) -> None:
        """Save."""
        await self.step("save")
        await super().save(tokens)

    def lock(self) -> AbstractAsyncContextManager[Any]:
        """Lock."""
        return _FailingLock(self, super().lock())


class _FailingLock(AbstractAsyncContextManager[None]):
    def __init__(self, store: FailingStore, lock: AbstractAsyncContextManager[Any]) -> None:
        self._store, self._lock = store, lock

    async def __aenter__(self) -> None:
        await self._store.step("lock")
        await self._lock.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._lock.__aexit__(kind, error, trace)
        await self._store.step("unlock")


EXPIRED = Tokens("access-0", "refresh-0", refresh_at=0.0)
"""The tokens that the service accepts at first."""
ACCOUNT = {"email": "sita@example.com", "password": "hunter2"}


def connect(url: str, store: Any, **options: Any) -> TingTing:
    """Return a session that retries without backoff."""
    return TingTing(base_url=url, token_store=store, retries=RetryPolicy(initial_backoff=0), **options)


async def assert_signed_in(url: str, store: Any) -> None:
    """Check that a new session, without credentials, can refresh the tokens of the store."""
    async with connect(url, store) as fresh:
        await fresh.accounts.refresh()
        await fresh.accounts.user_details()


async def turns(count: int) -> None:
    """Let the event loop run."""
    for _ in range(count):
        await asyncio.sleep(0)
