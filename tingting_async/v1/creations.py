"""How a v1 campaign is recognised after it was created with an idempotency key."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tingting_async.outcomes import Look, Send, Verdict
from tingting_async.pagination.paginator import Paginator
from tingting_async.resources import arguments
from tingting_async.resources.base import TimeoutLike
from tingting_async.resources.evidence import Match, match_name, reconcile_rows
from tingting_async.resources.named import Before, CampaignList, NamedCreation, first_page, plain_part
from tingting_async.v1.campaign_fields import ARGUMENT_NAMES
from tingting_async.v1.models.campaigns import Campaign, CampaignStatus, Sort
from tingting_async.v1.reconcile import Age, ReadClocks, Since, clocks_at


class CampaignCreation(NamedCreation[Campaign]):
    """Recognises a campaign by its name, its id, and when it changed.

    Args:
        campaigns: The resource.
        read_clocks: Reads the clocks.
        name: The name that is sent.
        schedule: When a run of the campaign starts. Only a new campaign needs one that has not passed.
        timeout: The limits of each request.
    """

    arguments: Mapping[str, str] = ARGUMENT_NAMES

    def __init__(
        self,
        campaigns: CampaignList[Campaign],
        read_clocks: ReadClocks,
        name: str,
        schedule: datetime | None,
        timeout: TimeoutLike,
    ) -> None:
        super().__init__(campaigns, name, timeout)
        self._read_clocks = read_clocks
        self._schedule = schedule
        self._plain = plain_part(name)

    def _lists(self, search: str | None, **options: Any) -> list[Paginator[Campaign]]:
        # The documents do not say whether a list without the filter for drafts includes them.
        return [
            self._campaigns.list(search=search, drafts=drafts, sort=Sort.NEWEST_FIRST, timeout=self._timeout, **options)
            for drafts in (False, True)
        ]

    async def _observe(self) -> Mapping[str, Any]:
        """Return the campaigns of this name that changed last: two requests, however many campaigns the account has."""
        if self._schedule is not None:
            arguments.future(self._schedule, "schedule")
        pages = [await first_page(each) for each in self._lists(self._plain or self._name, window=1)]
        ids = [row.id for page in pages if page is not None for row in page.items]
        is_complete = self._plain is not None and all(page is not None and not page.has_next for page in pages)
        return Before(frozenset(ids), max(ids, default=None), is_complete).as_json()

    async def _look(self, send: Send, found: Mapping[str, Any]) -> Look:
        before = Before.of(found)
        sent = clocks_at(send, self._read_clocks)
        new: dict[int, Campaign] = {}
        maybe: dict[int, Campaign] = {}

        def judge(campaign: Campaign) -> None:
            # The clocks are read only now, because the first response of a session shows the service's clock.
            age = Since.compare(sent, self._read_clocks()).age(campaign.updated_at)
            match = match_name(campaign.name, self._name)
            if match is Match.OTHER or campaign.id in before.ids or age is Age.BEFORE:
                return
            was_there = before.has(campaign.id)
            # The service updates a running campaign, so its time does not prove that it was created.
            is_untouched = campaign.status in (None, CampaignStatus.NOT_STARTED)
            is_fresh = is_untouched and (age is Age.AFTER or before.is_complete)
            if match is Match.SAME and is_fresh and not was_there:
                new[campaign.id] = campaign
            elif not was_there or is_fresh:
                maybe[campaign.id] = campaign

        rows, drafts = self._lists(self._plain, exact=True)
        otherwise = await reconcile_rows(rows, judge, self.what)
        if otherwise.verdict is Verdict.NOT_DONE:
            otherwise = await reconcile_rows(drafts, judge, self.what)
        return Look(list(new.values()), list(maybe.values()), otherwise)
