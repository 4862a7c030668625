"""The numbers of a campaign, which the service also calls actions."""

from collections.abc import Mapping
from typing import Any

from tingting_async.classic.campaigns import details
from tingting_async.classic.models import Confirmation, Number, NumberAdded
from tingting_async.classic.pages import read_list
from tingting_async.client.core import Core
from tingting_async.http.messages import Effect, Request
from tingting_async.outcomes import Reconciliation, Verdict, from_presence
from tingting_async.pagination.paginator import Paginator
from tingting_async.pagination.styles import PageNumberPagination
from tingting_async.resources import arguments
from tingting_async.resources.base import Resource, TimeoutLike
from tingting_async.resources.phone_numbers import is_same_number, phone_number


class Numbers(Resource):
    """The numbers of a campaign (classic documents, Numbers)."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        # The documents print no pagination here; where the service paginates, it does so as for campaigns.
        self._convention = PageNumberPagination("page", "page_number")

    def list(
        self,
        campaign_id: int,
        *,
        window: int | None = None,
        exact: bool = False,
        resume: str | None = None,
        timeout: TimeoutLike = None,
    ) -> Paginator[Number]:
        """List a campaign's numbers (`GET /api/system/campaigns/number/<campaign_id>`).

        Args:
            campaign_id: The campaign's.
            window: How many pages are in flight at once, from the start; None for the session's, with a slow start.
            exact: Whether to miss no row and repeat none while the list changes, at twice the requests or more.
            resume: The `token` of an earlier walk, to go on behind it.
            timeout: The limits of each page's call.
        """
        request = Request(
            "GET",
            f"/api/system/campaigns/number/{arguments.identifier(campaign_id, 'campaign_id')}",
            Effect.READ,
            "numbers.list",
            list[Number],
            payload=("data", "number-lists"),
            timeout=timeout,
        )
        return self._core.paginate(request, self._convention, read_list, window=window, exact=exact, resume=resume)

    async def get(self, id: int, *, timeout: TimeoutLike = None) -> Number:
        """Return a number (`GET /api/system/number/<number_id>/`).

        Raises:
            NotFoundError: There is none of this id in the account.
        """
        return await self._core.execute(
            Request(
                "GET",
                f"/api/system/number/{arguments.identifier(id)}/",
                Effect.READ,
                "numbers.get",
                Number,
                payload=("data", "number-detail"),
                timeout=timeout,
            )
        )

    async def add(
        self,
        campaign_id: int,
        number: str | int,
        *,
        tags: Mapping[str, str] | None = None,
        check_tags: bool = False,
        timeout: TimeoutLike = None,
    ) -> NumberAdded:
        """Add a number to a campaign (`POST /api/system/campaigns/number/<campaign_id>/`).

        A number that the campaign has already is added once more, and that person reached twice: look at `list()` first
        where that can be.

        Args:
            campaign_id: The campaign's.
            number: A number of Nepal in any usual spelling.
            tags: What the campaign's usable tags stand for with this number: `{"tags_name": "…"}`.
            check_tags: Whether to ask for the campaign first, and refuse tags that it does not have.
            timeout: The limits of this call.

        Raises:
            UsageError: The number is none; with `check_tags`, a tag is not among the campaign's.
            BadRequestError: The service does not take it; without `check_tags` it says so of unknown tags, too.
            OutcomeUnknownError: It may have been added: look for it in `list()` before adding it again.
        """
        fields: dict[str, Any] = {"number": int(phone_number(number))}
        if tags is not None:
            fields["available_tags"] = arguments.mapping(tags, "tags")
        request = Request(
            "POST",
            f"/api/system/campaigns/number/{arguments.identifier(campaign_id, 'campaign_id')}/",
            Effect.CREATE,
            "numbers.add",
            NumberAdded,
            json=fields,
            timeout=timeout,
            recovery_hint=f"look for it in numbers.list({campaign_id})",
            reconciler=lambda _: self._find(campaign_id, str(fields["number"]), fields.get("available_tags", {})),
        )
        if check_tags and tags:
            campaign = await self._core.execute(details(campaign_id, timeout))
            arguments.require_known_tags(tags, campaign.usable_tags, "tags")
        return await self._core.execute(request)

    async def _find(self, campaign_id: int, number: str, tags: Mapping[str, Any]) -> Reconciliation:
        found = [each async for each in self.list(campaign_id) if is_same_number(each.number, number)]
        alike = next((each for each in found if each.available_tags == tags), None)
        if found and alike is None:
            return Reconciliation(
                Verdict.UNKNOWN, "The number is there with other tags, so that it may be another.", found[0]
            )
        return from_presence(alike, "The number")

    async def edit(
        self, id: int, number: str | int, *, tags: Mapping[str, str] | None = None, timeout: TimeoutLike = None
    ) -> Number:
        """Change a number, and what its tags stand for (`PUT /api/system/number/<number_id>/`).

        Args:
            id: The number's id (`Number.id`).
            number: A number of Nepal in any usual spelling.
            tags: What the campaign's usable tags stand for with this number; None leaves them out of the request.
            timeout: The limits of this call.

        Raises:
            UsageError: The number is none.
            NotFoundError: There is none of this id in the account.
        """
        fields: dict[str, Any] = {"number": int(phone_number(number))}
        if tags is not None:
            fields["available_tags"] = arguments.mapping(tags, "tags")
        return await self._core.execute(
            Request(
                "PUT",
                f"/api/system/number/{arguments.identifier(id)}/",
                Effect.UPDATE,
                "numbers.edit",
                Number,
                payload=("data", "details"),
                json=fields,
                timeout=timeout,
            )
        )

    async def delete(self, id: int, *, timeout: TimeoutLike = None) -> Confirmation:
        """Take a number out of its campaign (`DELETE /api/system/campaigns/number/<number_id>/delete/`).

        Raises:
            NotFoundError: There is none of this id in the account.
        """
        return await self._core.execute(
            Request(
                "DELETE",
                f"/api/system/campaigns/number/{arguments.identifier(id)}/delete/",
                Effect.UPDATE,
                "numbers.delete",
                Confirmation,
                timeout=timeout,
                recovery_hint="ask for it with numbers.get(): it is gone if that is a NotFoundError",
            )
        )
