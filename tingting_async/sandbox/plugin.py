"""Fixtures for the test-suites of those who use the client: `tingting_sandbox`, for plain and for async tests."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tingting_async.sandbox import Sandbox


@pytest.fixture
def tingting_sandbox_options() -> dict[str, Any]:
    """Return the options of `tingting_sandbox`; define a fixture of this name to change them."""
    return {}


@pytest.fixture
def tingting_sandbox(tingting_sandbox_options: dict[str, Any]) -> "Iterator[Sandbox]":
    """Serve a sandbox for one test, on a port and in a thread of its own."""
    from tingting_async.sandbox import Sandbox  # noqa: PLC0415 - only where it is asked for

    with Sandbox(**tingting_sandbox_options).in_thread() as sandbox:
        yield sandbox
