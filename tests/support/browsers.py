"""A Chromium for tests and screenshots."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run the system's Chromium without a window.

    While it runs, this thread cannot run an event loop: see `support.programs`.
    """
    executable = next(filter(None, map(shutil.which, _NAMES)), None)
    if executable is None:
        if os.environ.get("REQUIRE_SERVERS"):
            pytest.fail("Chromium is not installed, and REQUIRE_SERVERS is set.")
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable)
        yield browser
        browser.close()


def accessibility_faults(page: Page) -> list[str]:
    """Return the faults that axe finds on a page: the rule, its impact, and the elements."""
    # A page forbids scripts that it does not bring itself, but not those of its debugger.
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = page.evaluate("() => axe.run().then((results) => results.violations)")
    return [f"{each['id']} ({each['impact']}): {[node['target'] for node in each['nodes']]}" for each in found]
