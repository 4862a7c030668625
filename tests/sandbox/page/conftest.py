"""Fixtures of the page's tests: a browser, and pages that must not complain."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page
from support.browsers import chromium

from tingting_async.sandbox import Sandbox

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Run one browser for a file of tests."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Serve a sandbox in its own thread, with the options of an indirect parameter."""
    with Sandbox(**{"campaigns": 3, "numbers": 2, **getattr(request, "param", {})}).in_thread() as sandbox:
        yield sandbox


@pytest.fixture
def open_page(browser: Browser, sandbox: Sandbox) -> Iterator[Open]:
    """Return a function that opens the sandbox's page.

    At the end of the test, no page may have logged an error, or requested anything from another host.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    def check_host(url: str) -> None:
        if urlsplit(url).netloc != urlsplit(sandbox.url).netloc:
            complaints.append(f"requested {url}")

    def open_(path: str = "/", **options: Any) -> Page:
        context = browser.new_context(**options)
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: check_host(request.url))
        page.goto(sandbox.url + path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert [] == complaints
