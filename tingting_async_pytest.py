"""The pytest plugin: a sandbox for each test, and sessions that are connected to it, for sync and async tests.

pytest imports every installed plugin in every run. This module is outside the package `tingting_async` and imports
nothing else, so a run that does not use the fixtures does not pay for them.
"""

from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from tingting_async import Session, TingTing
    from tingting_async.sandbox import Sandbox
    from tingting_async.v1 import TingTing as V1TingTing

    AnySession = TypeVar("AnySession", bound=Session)

_MARKER = "tingting_sandbox"


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    text = "the options of the sandbox in the fixture `tingting_sandbox`, such as campaigns=57 or rotate_refresh=True."
    config.addinivalue_line("markers", f"{_MARKER}(**options): {text}")


@pytest.fixture
def tingting_sandbox_options() -> dict[str, Any]:
    """Return the options of `tingting_sandbox`. Override this fixture to change them for many tests."""
    return {}


@pytest.fixture
def tingting_options() -> dict[str, Any]:
    """Return the arguments of the sessions `tingting` and `tingting_v1`. Override this fixture to change them."""
    return {}


@pytest.fixture
def tingting_sandbox(request: pytest.FixtureRequest, tingting_sandbox_options: dict[str, Any]) -> "Iterator[Sandbox]":
    """Serve a sandbox for one test, in a thread of its own.

    The marker `tingting_sandbox` sets its options: those of the test take precedence over those of its class and its
    module, and all of them over the fixture `tingting_sandbox_options`.
    """
    from tingting_async.sandbox import Sandbox  # noqa: PLC0415 - only tests that use the sandbox import it

    options = dict(tingting_sandbox_options)
    for marker in reversed(list(request.node.iter_markers(_MARKER))):
        if marker.args:
            raise pytest.UsageError(
                f"The marker {_MARKER} takes no positional arguments: write {_MARKER}(campaigns=57)."
            )
        options |= marker.kwargs
    _check_options(options)
    with Sandbox(**options).in_thread() as sandbox:
        yield sandbox


@pytest.fixture
def tingting(tingting_sandbox: "Sandbox", tingting_options: dict[str, Any]) -> "Iterator[TingTing]":
    """Connect a session of the classic API to `tingting_sandbox`. It is closed after the test."""
    from tingting_async import TingTing  # noqa: PLC0415 - only tests that use it import it

    with _connected(TingTing, tingting_sandbox, tingting_options) as session:
        yield session


@pytest.fixture
def tingting_v1(tingting_sandbox: "Sandbox", tingting_options: dict[str, Any]) -> "Iterator[V1TingTing]":
    """Connect a session of the v1 API to `tingting_sandbox`. It is closed after the test."""
    from tingting_async.v1 import TingTing  # noqa: PLC0415 - only tests that use it import it

    with _connected(TingTing, tingting_sandbox, tingting_options) as session:
        yield session


def _check_options(options: dict[str, Any]) -> None:
    """Refuse an option that the sandbox does not have, with the nearest one that it has."""
    import difflib  # noqa: PLC0415 - as above
    import inspect  # noqa: PLC0415

    from tingting_async.sandbox import Options, Sandbox  # noqa: PLC0415

    known = [*inspect.signature(Options).parameters, *inspect.signature(Sandbox).parameters]
    known.remove("options")
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known)}."
            raise pytest.UsageError(f"{_MARKER}: the sandbox has no option {name!r}. {hint}")


@contextmanager
def _connected(kind: "type[AnySession]", sandbox: "Sandbox", options: dict[str, Any]) -> "Generator[AnySession]":
    """Connect a session that serves every event loop of the test, one after the other.

    A session belongs to the loop of its first request. A sync test may call `asyncio.run` several times, so the session
    is closed at the end of each loop, and continues as a new one in the next. The loop of an async test may go on after
    the test, so the session is closed there at the end of the fixture.
    """
    import asyncio  # noqa: PLC0415 - as above

    from tingting_async.client.session import continue_as, core_of  # noqa: PLC0415

    def make(**more: Any) -> "AnySession":
        arguments: dict[str, Any] = {"base_url": sandbox.url, **options, **more}
        if not options.keys() & {"email", "password", "api_token", "token_store"}:
            arguments |= {"email": sandbox.email, "password": sandbox.password}
        return kind(**arguments)

    session = make()
    core = core_of(session)
    ends: dict[asyncio.AbstractEventLoop, AsyncGenerator[None]] = {}

    async def close_at_the_end() -> AsyncGenerator[None]:
        try:
            yield
        finally:
            was_closed = core.is_closed
            await core.aclose()
            if not was_closed:  # If the test closed it, it stays closed.
                continue_as(session, make(telemetry=False))

    def begin(_: object) -> None:
        loop = asyncio.get_running_loop()
        if loop not in ends:
            ends[loop] = close_at_the_end()
            with suppress(StopIteration):  # It runs as far as its `yield`. The loop closes its generators when it ends.
                ends[loop].__anext__().send(None)

    session.subscribe(begin)
    yield session
    for loop, end in ends.items():
        if loop.is_running():  # In another thread.
            asyncio.run_coroutine_threadsafe(end.aclose(), loop).result(10)
        elif not loop.is_closed():
            loop.run_until_complete(end.aclose())
