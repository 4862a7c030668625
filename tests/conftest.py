"""What all tests share."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio: the client stands on aiohttp, which knows no other."""
    return "asyncio"
