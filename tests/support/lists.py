"""Lists that a server of raw sockets pages: tied, moving and filtered rows, capped limits and cached counts."""

import contextlib
import json
import random
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support.servers import Received, serving

from tingting_async import Paginator, RetryPolicy, TingTing, v1


class ServedList:
    """A list of ids, which is paged as the v1 API does (limit and offset) or as the classic API does (page number).

    Args:
        ids: The rows.
        by_offset: Whether pages are requested by limit and offset, not by number.
        seed: The seed of everything that happens at random.
    """

    def __init__(self, ids: list[int], *, by_offset: bool = True, seed: object = 0) -> None:
        self.ids = list(ids)
        self.stayed = set(ids)
        """The rows that were in the list all the time."""
        self.by_offset = by_offset
        self.seed = seed
        self.random = random.Random(f"{seed}")
        self.cap = 10
        """The highest limit, and the size of a page by number."""
        self.group: int | None = None
        """How many rows in a row have the same rank, and come in another order for each query; None for none."""
        self.ties_by_query = False
        """Whether equal queries get the same order."""
        self.hidden: set[int] = set()
        """The rows that the service leaves out after paging."""
        self.cached_count: int | None = None
        """The count that the service states, whatever the length of the list."""
        self.refuses_empty_pages = False
        """Whether an empty page by number is a 404 even though the count includes it."""
        self.changes = 0
        """How many changes happen."""
        self.likelihood = 0.0
        """How likely a change is before each page."""
        self.kinds: tuple[str, ...] = ("add", "delete", "move", "front")
        self.requests = 0
        """How many pages were requested."""

    @property
    def plain_cost(self) -> int:
        """How many requests a plain iteration sends."""
        return max(1, -(-len(self.ids) // self.cap))

    def change(self) -> None:
        """Add, delete or move a row."""
        self.changes -= 1
        kind = self.random.choice(self.kinds)
        if kind == "add" or not self.ids:
            self.ids.insert(self.random.randint(0, len(self.ids)), 1000 + self.changes)
            return
        row = self.ids.pop(self.random.randrange(len(self.ids)))
        if kind == "delete":
            self.stayed.discard(row)
        else:
            self.ids.insert(0 if kind == "front" else self.random.randint(0, len(self.ids)), row)

    def page(self, query: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Return the status and the body of a page, after the list has changed."""
        while self.changes and self.random.random() < self.likelihood:
            self.change()
        self.requests += 1
        ids = self.ordered(query)
        count = len(ids) if self.cached_count is None else self.cached_count
        number = int(query.get("page", "1"))
        size = min(int(query.get("limit", self.cap)), self.cap)
        start = int(query.get("offset", "0")) if self.by_offset else (number - 1) * size
        rows = [{"id": row} for row in ids[start : start + size] if row not in self.hidden]
        if self.by_offset:
            following = f"http://internal/x?limit={size}&offset={start + size}" if start + size < count else None
            return 200, {"count": count, "next": following, "previous": None, "results": rows}
        pages = max(1, -(-count // size))
        if number > pages or (self.refuses_empty_pages and number > 1 and start >= len(ids)):
            return 404, {"detail": "Invalid page."}
        pagination: dict[str, Any] = {
            "total_items": count,
            "total_pages": pages,
            "page_number": number,
            "has_next": number < pages,
            "has_previous": number > 1,
            "links": [],
        }
        rows = [{"name": "New", "services": "PHONE", **row} for row in rows]
        return 200, {"pagination": pagination, "result": {"messages": "", "campaign-lists": rows}}

    def ordered(self, query: dict[str, str]) -> list[int]:
        """Return all ids as the service orders them for one query."""
        if self.group is None:
            return self.ids
        order = random.Random(f"{self.seed} {sorted(query.items())}") if self.ties_by_query else self.random
        ids: list[int] = []
        for start in range(0, len(self.ids), self.group):
            tied = self.ids[start : start + self.group]
            order.shuffle(tied)
            ids += tied
        return ids

    async def respond(self, received: Received) -> None:
        """Respond to the request for a page."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(received.target).query).items()}
        status, body = self.page(query)
        await received.respond(json.dumps(body).encode(), status)

    @contextlib.asynccontextmanager
    async def iterating(self, **options: Any) -> AsyncIterator[Paginator[Any]]:
        """Serve the list, and yield the paginator of a session."""
        settings: Any = {"api_token": "0123456789abcdef", "retries": RetryPolicy(initial_backoff=0)}
        async with serving(self.respond) as server:
            if self.by_offset:
                async with v1.TingTing(base_url=server.url, **settings) as tingting:
                    yield tingting.contacts.list(1, **options)
            else:
                async with TingTing(base_url=server.url, **settings) as classic:
                    yield classic.campaigns.list(**options)

    async def collect(self, **options: Any) -> list[int]:
        """Return the ids of all rows that an iteration yields."""
        async with self.iterating(**options) as paginator:
            return [row.id async for row in paginator]
