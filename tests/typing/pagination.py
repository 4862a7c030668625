"""Type-checked, never run: what a user's editor says of paginators, iterators and the usual slips."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from typing import assert_type

from tingting_async import Campaign, ItemIterator, Page, PageIterator, Paginator, TingTing, v1


async def resume(tingting: TingTing, saved: str | None) -> str | None:
    """The resume recipe of docs/pagination.md."""
    iterator = aiter(tingting.campaigns.list(resume=saved))
    assert_type(iterator, ItemIterator[Campaign])
    async for campaign in iterator:
        assert_type(campaign, Campaign)
        break
    assert_type(iterator.resume_token, str | None)
    await iterator.aclose()
    return iterator.resume_token


async def resume_v1(tingting: v1.TingTing, saved: str | None) -> str | None:
    """The same recipe in the v1 API."""
    iterator = aiter(tingting.contacts.list(13, resume=saved))
    assert_type(iterator, ItemIterator[v1.Contact])
    return iterator.resume_token


async def pages(tingting: TingTing) -> None:
    """An iterator over pages."""
    iterator = tingting.campaigns.list().pages()
    assert_type(iterator, PageIterator[Campaign])
    assert_type(await anext(iterator), Page[Campaign])
    await iterator.aclose()


async def slips(paginator: Paginator[Campaign]) -> None:
    """Type checkers report the usual slips: an unused comment here is an error."""
    await paginator  # type: ignore[misc]
    len(paginator)  # type: ignore[arg-type]
    paginator[0]  # type: ignore[index]
    for _ in paginator:  # type: ignore[attr-defined]
        pass
