"""Lists of campaigns, and what became of their contacts."""

from datetime import datetime
from typing import Unpack

from tingting_async.client.options import require_bool
from tingting_async.errors import UsageError
from tingting_async.http.messages import Request
from tingting_async.pagination.iterators import ItemIterator
from tingting_async.pagination.paginator import Paginator
from tingting_async.pagination.stream import RowStream
from tingting_async.pagination.styles import LimitOffsetPagination
from tingting_async.resources import arguments
from tingting_async.resources.base import PageOptions, TimeoutLike
from tingting_async.resources.results import ResultIterator
from tingting_async.v1.contacts import Contacts
from tingting_async.v1.models.campaigns import Campaign, CampaignStatus, Sort
from tingting_async.v1.models.contacts import CampaignResult, Contact
from tingting_async.v1.pages import read_page
from tingting_async.v1.watching import WatchedCampaigns


class ListedCampaigns(WatchedCampaigns, resource="campaigns"):
    """The operations that list campaigns, and the contacts of all campaigns."""

    def list(
        self,
        *,
        status: CampaignStatus | str | None = None,
        search: str | None = None,
        drafts: bool = False,
        sort: Sort | str | None = None,
        changed_from: datetime | None = None,
        changed_to: datetime | None = None,
        **options: Unpack[PageOptions],
    ) -> Paginator[Campaign]:
        """List the account's campaigns (`GET campaign/`).

        Args:
            status: Only campaigns with this status.
            search: Only campaigns whose name contains this text.
            drafts: Only drafts.
            sort: The order, by the time of the last change.
            changed_from: Only campaigns changed at this time or later; an aware datetime.
            changed_to: Only campaigns changed on this day or earlier; an aware datetime. The whole day is included.
            **options: See `Resource`.
        """
        require_bool(drafts, "drafts")
        filters = arguments.given_fields(
            status=None if status is None else arguments.enum_member(CampaignStatus, status, "status").value,
            search=None if search in (None, "") else arguments.non_empty_text(search, "search"),
            draft="true" if drafts else None,
            sort_by=None if sort is None else arguments.enum_member(Sort, sort, "sort").value,
            from_date=None if changed_from is None else _timestamp(changed_from, "changed_from"),
            to_date=None if changed_to is None else _timestamp(changed_to, "changed_to"),
        )
        return self._paginate(
            Request.read(
                "/api/v1/campaign/",
                list[Campaign],
                "campaigns.list",
                payload=("results",),
                params=tuple(filters.items()),
            ),
            LimitOffsetPagination(10),
            read_page,
            options,
        )

    def results(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        concurrency: int = 4,
        exact: bool = False,
        timeout: TimeoutLike = None,
    ) -> RowStream[CampaignResult]:
        """Return the contacts of all campaigns, each with its campaign, as a stream.

        ::

            async for row in tingting.campaigns.results(since=…, until=…):
                print(row.campaign.name, row.contact.status)

        `since` and `until` limit the contacts by their `updated_at`, which is when their status last changed. A contact
        without that time is included. Which campaigns are read is decided by the service's filter: those that were
        changed since then, and those that are running. All contacts of these are requested, ten in a request.

        Args:
            since: Only contacts changed at this time or later; an aware datetime.
            until: Only contacts changed before this time; an aware datetime.
            concurrency: The maximum number of campaigns whose contacts are requested at the same time.
            exact: See `Resource`; it applies to every list.
            timeout: The limits of each page request.

        Raises:
            UsageError: An argument is not valid.
        """
        arguments.at_least_one(concurrency, "campaigns.results", "concurrency")
        require_bool(exact, "exact")
        start = None if since is None else arguments.aware_datetime(since, "since")
        end = None if until is None else arguments.aware_datetime(until, "until")
        if start is not None and end is not None and start >= end:
            raise UsageError("campaigns.results: `since` must be before `until`.")
        contacts = Contacts(self._core)

        def list_campaigns(
            *, status: CampaignStatus | None = None, changed_from: datetime | None = None
        ) -> ItemIterator[Campaign]:
            return aiter(self.list(status=status, changed_from=changed_from, exact=exact, timeout=timeout))

        def list_contacts(campaign: Campaign) -> ItemIterator[Contact]:
            return aiter(contacts.list(campaign.id, exact=exact, timeout=timeout))

        def make_row(campaign: Campaign, contact: Contact) -> CampaignResult | None:
            at = contact.updated_at
            is_outside = at is not None and ((start is not None and at < start) or (end is not None and at >= end))
            return None if is_outside else CampaignResult(campaign, contact)

        def iterate() -> ResultIterator[Campaign, Contact, CampaignResult]:
            lists = [list_campaigns(changed_from=start)]
            if start is not None:  # The campaign itself may have changed last when it was started.
                lists.insert(0, list_campaigns(status=CampaignStatus.RUNNING))
            return ResultIterator(lists, list_contacts, make_row, self._core.start_task, concurrency=concurrency)

        return RowStream(iterate, "campaigns.results")


def _timestamp(when: datetime, name: str) -> str:
    return str(int(arguments.aware_datetime(when, name).timestamp()))
