"""Seeded scripts of what can happen to iterators: timeouts, failures, garbage collection, closing and resuming."""

import asyncio
import gc
import random
from collections.abc import Coroutine
from typing import Any

import pytest
from support.pages import PagedService

from tingting_async import ItemIterator, Page, ServerError, SessionClosedError
from tingting_async.http.messages import Params
from tingting_async.pagination.prefetch import FairShare

pytestmark = pytest.mark.anyio


class UnreliableService(PagedService):
    """A list whose pages are slow and fail at random, and whose session closes now and then."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        super().__init__(self.random.choice((0, 1, 9, 10, 11, 57, 100, 230)), by_offset=self.random.random() < 0.5)
        self.page_size = self.random.choice((10, 7))  # A service may cap the limit.
        self.is_uneven = self.by_offset and self.random.random() < 0.5
        self.parameter = self.random.choice(("page", "page_number"))
        self.failure_rate = self.random.choice((0.0, 0.1, 0.3))
        self.share = FairShare(slots=8)
        self.is_closed = False

    async def fetch(self, params: Params) -> Page[int]:
        """Return a page after a while, or fail."""
        for _ in range(self.random.randint(0, 6)):
            await asyncio.sleep(0)
        if self.random.random() < self.failure_rate:
            raise ServerError("failed", status=500)
        return self.page(params)

    def size_at(self, start: int) -> int:
        """Return the size of a page, which may be uneven."""
        return self.page_size - start % 3 if self.is_uneven else self.page_size

    def start_task(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task, as a session does."""
        if self.is_closed:
            coroutine.close()
            raise SessionClosedError("closed")
        return super().start_task(coroutine)

    async def close(self) -> None:
        """Close as a session does, and open again a moment later."""
        self.is_closed = True
        tasks = list(self.tasks)
        for task in tasks:
            asyncio.get_running_loop().call_soon(task.cancel)
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(5):
            await asyncio.sleep(0)
        self.is_closed = False

    def iterate(self, token: str | None = None) -> ItemIterator[int]:
        """Start an iteration, or resume one."""
        return aiter(self.list(self.random.choice((None, 1, 3, 8)), share=self.share, resume=token))

    async def collect(self) -> list[int]:
        """Return all items, whatever happens in between."""
        items: list[int] = []
        iterator = self.iterate()
        while True:
            step = asyncio.ensure_future(anext(iterator, None))
            if self.random.random() < 0.1:
                for _ in range(self.random.randint(0, 5)):
                    await asyncio.sleep(0)
                step.cancel()
            try:
                item = await step
            except (asyncio.CancelledError, ServerError):
                pass  # Continue with the same iterator, or resume with its token.
            except SessionClosedError:
                iterator = self.iterate(iterator.resume_token)
            else:
                if item is None:
                    return items
                items.append(item)
            if self.random.random() < 0.05:
                if self.random.random() < 0.5:
                    await iterator.aclose()
                if (token := iterator.resume_token) is not None:
                    iterator = self.iterate(token)


async def test_seeded_scripts() -> None:
    """Whatever is cancelled, fails, is dropped or closed, iterators that continue deliver each item exactly once."""
    services = [UnreliableService(seed) for seed in range(200)]
    for service in services:
        jobs = [asyncio.ensure_future(service.collect()) for _ in range(service.random.choice((1, 3, 12)))]
        while not all(job.done() for job in jobs):
            await asyncio.sleep(0)
            if service.random.random() < 0.01:
                await service.close()
        assert [await job for job in jobs] == [service.items] * len(jobs), service.seed
    del jobs
    gc.collect()
    for _ in range(20):
        await asyncio.sleep(0)
    assert [(service.tasks, service.share.share) for service in services] == [(set(), 8)] * len(services)
