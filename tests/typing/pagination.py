"""Type-checked, never run: paginators, their iterators, and what they yield."""

from collections.abc import Mapping, Sequence
from typing import Any, assert_type

from tingting_async import Campaign, ExactIterator, ItemIterator, Page, PageIterator, Paginator, TingTing
from tingting_async.v1 import Contact
from tingting_async.v1 import TingTing as V1TingTing


async def paginators(campaigns: Paginator[Campaign]) -> None:
    assert_type(await campaigns.collect(), list[Campaign])
    assert_type(await campaigns.collect(limit=3), list[Campaign])
    assert_type(await campaigns.first(), Campaign | None)
    assert_type(await campaigns.count(), int)
    async for campaign in campaigns:
        assert_type(campaign, Campaign)


async def pages(campaigns: Paginator[Campaign]) -> None:
    iterator = campaigns.pages()
    assert_type(iterator, PageIterator[Campaign])
    async for page in iterator:
        assert_type(page, Page[Campaign])
        assert_type(page.items, Sequence[Campaign])
        assert_type(page.number, int)
        assert_type(page.total_items, int | None)
        assert_type(page.has_next, bool)
        assert_type(page.extra, Mapping[str, Any])
    assert_type(await iterator.aclose(), None)


async def resumed(tingting: V1TingTing) -> None:
    iterator = aiter(tingting.contacts.list(1))
    assert_type(iterator, ItemIterator[Contact])
    assert_type(iterator.resume_token, str | None)
    assert_type(await anext(iterator), Contact)
    tingting.contacts.list(1, resume=iterator.resume_token)
    await iterator.aclose()


def exact(iterator: ExactIterator[Contact]) -> ItemIterator[Contact]:
    return iterator


async def mistakes(tingting: TingTing) -> None:
    """What raises a `MisuseError` is an error for type checkers, too: each line needs its `ignore`."""
    await tingting.campaigns.list()  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]
    for _ in tingting.campaigns.list():  # type: ignore[attr-defined]  # pyright: ignore[reportGeneralTypeIssues]
        pass
    len(tingting.campaigns.list())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    tingting.campaigns.list()[0]  # type: ignore[index]  # pyright: ignore[reportIndexIssue]
    tingting.campaigns.list(windw=2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    with tingting:  # type: ignore[attr-defined]  # pyright: ignore[reportGeneralTypeIssues]
        pass
