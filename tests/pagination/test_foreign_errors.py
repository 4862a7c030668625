"""Errors that are not ours, raised while a page is decoded, become ours; no row is lost or repeated after them."""

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest
from support.frames import frame_locals
from support.pages import PagedService, Row

from tingting_async import DecodeError, Page, TingTingError
from tingting_async.pagination.styles import LimitOffsetPagination, PageNumberPagination, PaginationStyle

pytestmark = pytest.mark.anyio

SECRET = "9841234567"
FOREIGN: list[Callable[[], Exception]] = [
    MemoryError,
    RecursionError,
    StopAsyncIteration,
    StopIteration,
    TimeoutError,
    lambda: KeyError(SECRET),
    lambda: ExceptionGroup("of a hook", [ValueError(SECRET)]),
    lambda: OSError(24, "Too many open files", SECRET),
]


class Failing:
    """Raises foreign errors in some of the calls of a function."""

    def __init__(self, seed: object, share: float) -> None:
        self._chance = random.Random(str(seed))
        self._share = share
        self.raised = 0

    def __call__(self) -> None:
        secret = SECRET  # noqa: F841 - what an error tracker would collect
        if self._chance.random() < self._share:
            self.raised += 1
            error = self._chance.choice(FOREIGN)()
            raise error


def failing_style(kind: type[PaginationStyle], method: str, fail: Failing) -> type[Any]:
    """Return a pagination style one of whose methods may fail."""

    def call(self: Any, *args: Any) -> Any:
        fail()
        return getattr(super(made, self), method)(*args)

    made: type[Any] = type("FailingStyle", (kind,), {method: call})
    return made


@pytest.mark.parametrize(
    ("how", "where"),
    [
        ("exact", "decode"),  # It has a style of its own.
        *itertools.product(("items", "pages", "window of 4"), ("decode", "fallback", "next", "predict")),
    ],
)
async def test_every_row_comes_once(where: str, how: str) -> None:
    """After a foreign error anywhere, an iteration that goes on delivers each row once, and only errors of ours."""
    found = raised = 0
    for seed in range(40):
        fail = Failing(f"{where} {how} {seed}", 0.3)
        service = PagedService(57, by_offset=how == "exact")
        service.items = [Row(number) for number in range(57)]

        def decode(response: Any, number: int, fail: Failing = fail) -> Page[Any]:
            if where == "decode":
                fail()
            page: Page[Any] = response
            return page

        kind: Any = LimitOffsetPagination if how == "exact" else PageNumberPagination
        if where != "decode":
            kind = failing_style(kind, where, fail)
        style = kind(10) if how == "exact" else kind("page", "page_number")
        options: dict[str, Any] = {"window": 4} if how == "window of 4" else {}
        paginator = service.paginate(service.fetch, style, decode=decode, exact=how == "exact", **options)
        iterator: Any = paginator.pages() if how == "pages" else aiter(paginator)
        rows: list[Any] = []
        for _ in range(1000):
            try:
                part = await anext(iterator)
            except StopAsyncIteration:
                break
            except TingTingError as error:
                found += 1
                assert SECRET not in f"{error} {error!r}"
                assert [] == [text for text in frame_locals(error) if SECRET in text]
                continue
            rows += part.items if how == "pages" else [part]
        assert service.items == rows, (seed, fail.raised)
        raised += fail.raised
    assert raised > 20
    assert found > 0 or where == "predict"  # Prefetching only fails later, and the page is requested then.


@pytest.mark.parametrize("make", FOREIGN)
async def test_each_call(make: Callable[[], Exception]) -> None:
    """Each way to read a list raises a DecodeError that names the operation and the error's type."""

    def decode(response: Any, number: int) -> Page[Any]:
        raise make()

    service = PagedService()
    paginator = service.paginate(service.fetch, service.style(), decode=decode)
    kind = "RuntimeError" if make is StopIteration else type(make()).__name__  # Python's own rule for coroutines
    for call in (paginator.collect, paginator.first, paginator.count, lambda: anext(aiter(paginator))):
        with pytest.raises(DecodeError) as caught:
            await call()
        text = f"rows.list: {kind if call != paginator.count else type(make()).__name__} while a page was decoded."
        assert text in str(caught.value)
