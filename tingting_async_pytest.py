"""The pytest plugin: the fixture `tingting_sandbox` for sync and async tests.

pytest imports every installed plugin in every run. This module is outside the package `tingting_async` and imports
nothing else, so a run that does not use the fixtures does not pay for them.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tingting_async.sandbox import Sandbox


@pytest.fixture
def tingting_sandbox_options() -> dict[str, Any]:
    """Return the options of `tingting_sandbox`. Override this fixture to change them."""
    return {}


@pytest.fixture
def tingting_sandbox(tingting_sandbox_options: dict[str, Any]) -> "Iterator[Sandbox]":
    """Serve a sandbox for one test, in a thread of its own."""
    from tingting_async.sandbox import Sandbox  # noqa: PLC0415 - only tests that use the sandbox import it

    with Sandbox(**tingting_sandbox_options).in_thread() as sandbox:
        yield sandbox
