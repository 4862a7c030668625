"""Seeded scripts of what may happen to walks: time-outs, failures, garbage, closing, and going on from a token."""

import asyncio
import gc
import random
from collections.abc import Coroutine
from typing import Any

import pytest

from tingting_async import NotFoundError, Page, Paginator, ServerError, SessionClosedError
from tingting_async.http.messages import Params
from tingting_async.pagination.prefetch import FairShare
from tingting_async.pagination.styles import LimitOffsetPagination, PageNumberPagination, PaginationStyle

pytestmark = pytest.mark.anyio


class Flaky:
    """A list of numbers whose pages take their time, and fail now and then; walks over it share one share."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.total = self.random.choice((0, 1, 9, 10, 11, 57, 100, 230))
        self.by_offset = self.random.random() < 0.5
        self.size = self.random.choice((10, 7))  # A service may cap the limit.
        self.is_uneven = self.by_offset and self.random.random() < 0.5
        self.parameter = self.random.choice(("page", "page_number"))
        self.fails = self.random.choice((0.0, 0.1, 0.3))
        self.share = FairShare(slots=8)
        self.tasks: set[asyncio.Task[Any]] = set()
        self.is_closed = False

    async def fetch(self, params: Params) -> Page[int]:
        """Answer with a page, after a while."""
        for _ in range(self.random.randint(0, 6)):
            await asyncio.sleep(0)
        if self.random.random() < self.fails:
            raise ServerError("failed", status=500)
        asked = dict(params)
        number = int(asked.get(self.parameter, "1"))
        start = int(asked["offset"]) if self.by_offset else (number - 1) * self.size
        size = self.size - start % 3 if self.is_uneven else self.size
        if start > 0 and start >= self.total:
            raise NotFoundError("Invalid page.", status=404)
        pages = None if self.by_offset else max(1, -(-self.total // self.size))
        end = start + size
        return Page(list(range(self.total))[start:end], number, self.total, pages, end < self.total)

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task as a session does."""
        if self.is_closed:
            coroutine.close()
            raise SessionClosedError("closed")
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        if not task.cancelled():
            task.exception()

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

    def walk(self, token: str | None = None) -> Any:
        """Begin a walk, or go on with one."""
        style: PaginationStyle = (
            LimitOffsetPagination(10) if self.by_offset else PageNumberPagination("page", "page_number")
        )
        given = self.random.choice((None, 1, 3, 8))
        return aiter(
            Paginator(
                self.fetch,
                self.spawn,
                style,
                self.share,
                default_window=4,
                window=given,
                fingerprint="rows",
                resume=token,
            )
        )

    async def take(self) -> list[int]:
        """Take all rows, whatever happens in between."""
        taken: list[int] = []
        walk = self.walk()
        while True:
            step = asyncio.ensure_future(anext(walk, None))
            if self.random.random() < 0.1:
                for _ in range(self.random.randint(0, 5)):
                    await asyncio.sleep(0)
                step.cancel()
            try:
                item = await step
            except (asyncio.CancelledError, ServerError):
                pass  # The same walk goes on, or another from its token.
            except SessionClosedError:
                walk = self.walk(walk.resume_token)
            else:
                if item is None:
                    return taken
                taken.append(item)
            if self.random.random() < 0.05:
                if self.random.random() < 0.5:
                    await walk.aclose()
                if (token := walk.resume_token) is not None:
                    walk = self.walk(token)


async def test_seeded_scripts_of_walks() -> None:
    """Whatever is cancelled, fails, is dropped or closed, walks that go on give each row once, and leave nothing."""
    services = [Flaky(seed) for seed in range(200)]
    for service in services:
        walks = [asyncio.ensure_future(service.take()) for _ in range(service.random.choice((1, 3, 12)))]
        while not all(walk.done() for walk in walks):
            await asyncio.sleep(0)
            if service.random.random() < 0.01:
                await service.close()
        assert [await walk for walk in walks] == [list(range(service.total))] * len(walks), service.seed
    del walks
    gc.collect()
    for _ in range(20):
        await asyncio.sleep(0)
    assert [(service.tasks, service.share.share) for service in services] == [(set(), 8)] * len(services)
