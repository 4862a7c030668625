"""The numbers of a campaign, which the service also calls actions."""

from collections.abc import Callable, Mapping
from typing import Any, Unpack

from tingting_async.classic.additions import AddProgress, NumberAddition, NumbersAdded
from tingting_async.classic.models import Confirmation, Number, NumberAdded
from tingting_async.classic.pages import ListResource, read_list
from tingting_async.classic.reach import details
from tingting_async.client.options import require_bool
from tingting_async.http.messages import Request
from tingting_async.outcomes import Reconciliation, Verdict, from_presence
from tingting_async.pagination.paginator import Paginator
from tingting_async.recipients.numbers import NepaliNumber, phone_number
from tingting_async.resources import arguments
from tingting_async.resources.add_many import OnProblem, add_many, new_progress
from tingting_async.resources.arguments import UNCHANGED, Unchanged
from tingting_async.resources.base import IN_V1, PageOptions, TimeoutLike
from tingting_async.resources.evidence import Match, match_number, reconcile_rows
from tingting_async.resources.given_rows import GivenContacts
from tingting_async.resources.reach import reaches_number


class Numbers(ListResource):
    """The numbers of a campaign (classic documents, Numbers)."""

    _elsewhere = dict.fromkeys(("demo_call", "set_variables", "upload", "variables"), IN_V1)

    def list(self, campaign_id: int, **options: Unpack[PageOptions]) -> Paginator[Number]:
        """List a campaign's numbers (`GET /api/system/campaigns/number/<campaign_id>`).

        Args:
            campaign_id: The campaign's id.
            **options: `window`, `exact`, `max_cost`, `resume` and `timeout`; see `Resource`.
        """
        return self._paginate(
            Request.read(
                f"/api/system/campaigns/number/{arguments.identifier(campaign_id, 'campaign_id')}",
                list[Number],
                "numbers.list",
                payload=("data", "number-lists"),
            ),
            self._style,
            read_list,
            options,
        )

    async def get(self, id: int, *, timeout: TimeoutLike = None) -> Number:
        """Return a number (`GET /api/system/number/<number_id>/`).

        Raises:
            NotFoundError: The account has no number with this id.
        """
        return await self._core.execute(
            Request.read(
                f"/api/system/number/{arguments.identifier(id)}/",
                Number,
                "numbers.get",
                payload=("data", "number-detail"),
                timeout=timeout,
            )
        )

    async def add(
        self,
        campaign_id: int,
        number: str | int | NepaliNumber,
        *,
        tags: Mapping[str, str] | None = None,
        check_tags: bool = False,
        timeout: TimeoutLike = None,
    ) -> NumberAdded:
        """Add a number to a campaign (`POST /api/system/campaigns/number/<campaign_id>/`).

        The service does not refuse a number that the campaign already has: it adds it again, and the person is reached
        twice. If that is possible, look at `list()` first.

        Args:
            campaign_id: The campaign's id.
            number: A phone number of Nepal in any usual spelling.
            tags: The values of the campaign's usable tags for this number: `{"tags_name": "…"}`.
            check_tags: Whether to get the campaign first, and refuse tags that it does not have.
            timeout: The limits of this call.

        Raises:
            GuardError: The number is on the session's suppression list.
            UsageError: The number is invalid; with `check_tags`, the campaign does not have one of the tags.
            BadRequestError: The service refuses the number or, without `check_tags`, an unknown tag.
            OutcomeUnknownError: The number may have been added: look for it in `list()` before you add it again.
        """
        require_bool(check_tags, "check_tags")
        fields = _fields(number, tags)
        request = Request.create(
            _addition_path(campaign_id),
            NumberAdded,
            "numbers.add",
            json=fields,
            timeout=timeout,
            recovery_hint=f"look for it in numbers.list({campaign_id})",
            reconciler=lambda _: self._find(campaign_id, str(fields["number"]), fields.get("available_tags", {})),
            reaches=reaches_number(str(fields["number"])),
        )
        if check_tags and tags:
            campaign = await self._core.execute(details(campaign_id, timeout))
            arguments.require_known_tags(tags, campaign.usable_tags, "tags")
        return await self._core.execute(request)

    async def _find(self, campaign_id: int, number: str, tags: Mapping[str, Any]) -> Reconciliation:
        def judge(row: Number) -> Reconciliation | None:
            match = match_number(row.number, number)
            if match is Match.OTHER:
                return None
            if match is Match.MAYBE:
                return Reconciliation(Verdict.UNKNOWN, "There is a number that may be this one in another form.", row)
            if row.available_tags == tags:
                return from_presence(row, "The number")
            reason = "The number exists with other tags, so it may be an older one."
            return Reconciliation(Verdict.UNKNOWN, reason, row)

        return await reconcile_rows(self.list(campaign_id, exact=True), judge, "The number")

    async def add_many(
        self,
        campaign_id: int,
        numbers: GivenContacts,
        *,
        on_problem: OnProblem = "raise",
        concurrency: int = 8,
        progress: AddProgress | None = None,
        on_progress: Callable[[AddProgress], object] | None = None,
        idempotency_key: str | None = None,
        timeout: TimeoutLike = None,
    ) -> NumbersAdded:
        """Add many numbers to a campaign (`POST /api/system/campaigns/number/<campaign_id>/`).

        The service takes one number in a request, so 5,000 numbers are 5,000 requests. To begin a campaign with a file,
        give `file` to `campaigns.create()`: that is one request.

        The service would add a number again that the campaign already has. So this call reads the campaign's list
        first, and leaves out the numbers that are there. It does not see what others add meanwhile.

        Args:
            campaign_id: The campaign's id.
            numbers: A `RecipientList`, or phone numbers, or numbers with tags (`NewContact`). All numbers of a list are
                checked before the first request. An iterator, sync or async, is read and checked number by number, and
                closed at the end. Variables are sent as tags, so their names must be the campaign's usable tags.
            on_problem: What happens to rows that cannot be sent: those with a number that is not valid or was given
                before, and those with a value that JSON does not have. With "raise", the call is refused. With "skip",
                they are left out, and the result says why. Numbers on the suppression list are always left out.
            concurrency: The maximum number of requests in flight; the session's `max_in_flight` limits it, too.
            progress: A new `AddProgress`, which says at any time what was added.
            on_progress: A function that is called with the progress after each request. If it raises an error, that is
                logged, and the call continues.
            idempotency_key: With a ledger, your name for this list of numbers. Another call with the same key, whenever
                and wherever it is made, adds what is missing. Give each call a new iterator over all numbers: what an
                earlier call has read of one is lost. See docs/ledger.md.
            timeout: The limits of each request.

        Returns:
            The combined result of all requests; `outcomes` says what became of each row. Numbers that the campaign
            had before count as skipped. If the service refuses a number, the others are still added.

        Raises:
            UsageError: There are no numbers, or a number or a tag is not valid, or a number is given twice. Each is in
                `problems`, with its row. Or other numbers were given with the same `idempotency_key`, or an iterator
                that an earlier call with a key has begun to read. Nothing was sent.
            NotSentError: The campaign's list does not show which numbers are there. Nothing was sent.
            PartialFailureError: A request failed after others succeeded, or its outcome is unknown, or an iterator
                failed or produced a number that is not valid. The requests in flight were completed, and no others
                were sent. The error says which numbers were added, may have been added, and were not.
            DuplicateSendError: Another call with the key was still adding numbers when the time of this call was up.
            asyncio.CancelledError: The call was cancelled, and so were the requests in flight. A `PartialFailureError`
                is its cause; see `PartialFailureError.behind`.
        """
        endpoint = NumberAddition(
            _addition_path(campaign_id),
            f"numbers of campaign {campaign_id}",
            f"look for them in numbers.list({campaign_id})",
            lambda: aiter(self.list(campaign_id, exact=True, timeout=timeout)),
        )
        added: NumbersAdded = await add_many(
            self._core,
            endpoint,
            "numbers",
            numbers,
            on_problem=on_problem,
            chunk=1,
            concurrency=concurrency,
            progress=new_progress(endpoint.operation, AddProgress, progress),
            on_progress=on_progress,
            idempotency_key=idempotency_key,
            timeout=timeout,
        )
        return added

    async def edit(
        self,
        id: int,
        number: str | int | NepaliNumber,
        *,
        tags: Mapping[str, str] | Unchanged | None = UNCHANGED,
        timeout: TimeoutLike = None,
    ) -> Number:
        """Change a number and the values of its tags (`PUT /api/system/number/<number_id>/`).

        Args:
            id: The number's id (`Number.id`).
            number: A phone number of Nepal in any usual spelling.
            tags: The values of the campaign's usable tags for this number. If they are not given, they are not sent;
                None clears them.
            timeout: The limits of this call.

        Raises:
            GuardError: The number is on the session's suppression list.
            UsageError: The number is invalid.
            NotFoundError: The account has no number with this id.
        """
        fields = _fields(number, None if tags is UNCHANGED else {} if tags is None else tags)
        return await self._core.execute(
            Request.update(
                f"/api/system/number/{arguments.identifier(id)}/",
                Number,
                "numbers.edit",
                method="PUT",
                payload=("data", "details"),
                json=fields,
                timeout=timeout,
                reaches=reaches_number(str(fields["number"])),
            )
        )

    async def delete(self, id: int, *, timeout: TimeoutLike = None) -> Confirmation:
        """Delete a number from its campaign (`DELETE /api/system/campaigns/number/<number_id>/delete/`).

        Raises:
            NotFoundError: The account has no number with this id.
        """
        return await self._core.execute(
            Request.delete(
                f"/api/system/campaigns/number/{arguments.identifier(id)}/delete/",
                Confirmation,
                "numbers.delete",
                timeout=timeout,
                recovery_hint="call numbers.get(): a NotFoundError means that it is deleted",
            )
        )


def _addition_path(campaign_id: int) -> str:
    return f"/api/system/campaigns/number/{arguments.identifier(campaign_id, 'campaign_id')}/"


def _fields(number: str | int | NepaliNumber, tags: Mapping[str, str] | None) -> dict[str, Any]:
    """Return a number and its tags in the service's form."""
    return arguments.given_fields(
        number=int(phone_number(number)), available_tags=None if tags is None else arguments.mapping(tags, "tags")
    )
