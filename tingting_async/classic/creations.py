"""How a campaign of the classic API is recognised after it was created with an idempotency key."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from tingting_async.classic.models import Campaign
from tingting_async.errors import DecodeError, PaginationError
from tingting_async.outcomes import Look, Send, from_presence
from tingting_async.pagination.page import Page
from tingting_async.resources.evidence import Match, match_name, reconcile_rows
from tingting_async.resources.named import Before, NamedCreation, first_page, ids_of, is_newest_first

_MOST_PAGES = 5
"""The number of pages of a list in an unknown order that are read before a creation."""


class CampaignCreation(NamedCreation[Campaign]):
    """Recognises a campaign by its name and its id: the classic API shows no times, and cannot search."""

    arguments: Mapping[str, str] = {"individual_number": "numbers", "send_to_number_file": "file"}

    async def _observe(self) -> Mapping[str, Any]:
        """Return the newest campaign: one request, if the service lists the newest first."""
        page = await self._first_page()
        if page is not None and (is_newest_first(page) or not page.has_next):
            ids = ids_of(page.items)
            return Before(frozenset(ids), max(ids, default=None), is_complete=not page.has_next).as_json()
        found: list[list[int]] = []
        is_complete = False
        try:
            async for page in self._campaigns.list(timeout=self._timeout).pages():
                found.append(ids_of(page.items))
                is_complete = not page.has_next
                if len(found) == _MOST_PAGES:
                    break
        except (DecodeError, PaginationError):
            is_complete = False
        seen = frozenset(id_ for page in found for id_ in page)
        return Before(seen, max(seen, default=None) if _is_falling(found) else None, is_complete).as_json()

    async def _look(self, send: Send, found: Mapping[str, Any]) -> Look:  # noqa: ARG002 - v1 compares its time
        before = Before.of(found)
        new: list[Campaign] = []
        maybe: list[Campaign] = []

        def judge(campaign: Campaign) -> None:
            match, was_there = match_name(campaign.name, self._name), before.has(campaign.id)
            if match is Match.OTHER or was_there:
                return
            (new if match is Match.SAME and was_there is False else maybe).append(campaign)

        page = await self._first_page()
        if page is not None and _shows_all_new(page, before):
            for campaign in page.items:
                judge(campaign)
            return Look(new, maybe, from_presence(None, self.what))
        rows = self._campaigns.list(exact=True, timeout=self._timeout)
        otherwise = await reconcile_rows(rows, judge, self.what)
        return Look(new, maybe, otherwise)

    async def _first_page(self) -> Page[Campaign] | None:
        return await first_page(self._campaigns.list(window=1, timeout=self._timeout))


def _is_falling(pages: list[list[int]]) -> bool:
    """Return whether the newest are on the first of several pages, though perhaps not in order."""
    ends = [(max(ids), min(ids)) for ids in pages if ids]
    falls = (one[0] > other[0] and one[1] > other[1] for one, other in pairwise(ends))
    return len(ends) == len(pages) == _MOST_PAGES and all(falls)


def _shows_all_new(page: Page[Campaign], before: Before) -> bool:
    """Return whether the first page shows all campaigns that were not there before: one request, at one moment."""
    if not page.has_next:
        return True
    return is_newest_first(page) and before.newest is not None and min(ids_of(page.items)) <= before.newest
