"""A service whose refresh tokens can be used once, for the tests of this folder."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.rotation import RotatingService


@pytest.fixture
async def service() -> RotatingService:
    """Return a service whose refresh tokens can be used once."""
    return RotatingService()


@pytest.fixture
async def url(service: RotatingService, serve: Any) -> AsyncIterator[str]:
    """Return the URL of the service."""
    yield (await serve(service.script)).url
    service.gate.set()
