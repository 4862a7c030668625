"""Campaigns: whom to reach, with what message, and when."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Unpack

from tingting_async.classic.additions import AddProgress, accounting
from tingting_async.classic.creations import CampaignCreation
from tingting_async.classic.models import (
    Campaign,
    CampaignResult,
    Confirmation,
    Number,
    Outcome,
    Priority,
    RunStarted,
    Voice,
)
from tingting_async.classic.numbers import Numbers
from tingting_async.classic.pages import ListResource, read_page
from tingting_async.classic.reach import Run, details
from tingting_async.client.options import require_bool
from tingting_async.errors import UsageError
from tingting_async.http.messages import File, Request, Response
from tingting_async.outcomes import Reconciliation, Verdict
from tingting_async.pagination.iterators import ItemIterator
from tingting_async.pagination.paginator import Paginator
from tingting_async.pagination.stream import RowStream
from tingting_async.recipients import texts
from tingting_async.resources import arguments
from tingting_async.resources.add_many import OnProblem, new_progress, refuse_no_list, skips_problems
from tingting_async.resources.add_results import RowStatus
from tingting_async.resources.additions import SUPPRESSED
from tingting_async.resources.arguments import UNCHANGED, Unchanged
from tingting_async.resources.base import IN_V1, PageOptions, TimeoutLike
from tingting_async.resources.evidence import Match, match_name, reconcile_rows
from tingting_async.resources.given_rows import GivenContacts, read_all, rows_of
from tingting_async.resources.models import Services, SpokenMessage
from tingting_async.resources.named import target
from tingting_async.resources.results import ResultIterator

_SERVICES = (Services.PHONE, Services.SMS, Services.SMS_AND_PHONE)
_OUTCOMES = (Outcome.HUNG_UP, Outcome.UNANSWERED, Outcome.FAILED, Outcome.TERMINATED, Outcome.COMPLETED)


class Campaigns(ListResource):
    """Campaigns (classic documents, Campaigns)."""

    _elsewhere = dict.fromkeys(("preflight", "progress", "set_message", "stop", "wait"), IN_V1)

    def list(self, **options: Unpack[PageOptions]) -> Paginator[Campaign]:
        """List the account's campaigns, in the service's order (`GET /api/system/campaigns`).

        Args:
            **options: `window`, `exact`, `max_cost`, `resume` and `timeout`; see `Resource`.
        """
        return self._paginate(
            Request.read(
                "/api/system/campaigns", list[Campaign], "campaigns.list", payload=("result", "campaign-lists")
            ),
            self._style,
            read_page,
            options,
        )

    def results(
        self, *, concurrency: int = 4, exact: bool = False, timeout: TimeoutLike = None
    ) -> RowStream[CampaignResult]:
        """Return the numbers of all campaigns, each with its campaign, as a stream.

        The classic API has no dates, so the results cannot be limited to a period, as in v1.

        Args:
            concurrency: The maximum number of campaigns whose numbers are requested at the same time.
            exact: See `Resource`; it applies to every list.
            timeout: The limits of each page request.

        Raises:
            UsageError: An argument is invalid.
        """
        arguments.at_least_one(concurrency, "campaigns.results", "concurrency")
        require_bool(exact, "exact")
        numbers = Numbers(self._core)

        def list_numbers(campaign: Campaign) -> ItemIterator[Number]:
            return aiter(numbers.list(campaign.id, exact=exact, timeout=timeout))

        def start() -> ResultIterator[Campaign, Number, CampaignResult]:
            lists = [aiter(self.list(exact=exact, timeout=timeout))]
            return ResultIterator(lists, list_numbers, CampaignResult, self._core.start_task, concurrency=concurrency)

        return RowStream(start, "campaigns.results")

    async def get(self, id: int, *, timeout: TimeoutLike = None) -> Campaign:
        """Return a campaign (`GET /api/system/campaigns/<id>/details`).

        Raises:
            NotFoundError: The account has no campaign with this id.
        """
        return await self._core.execute(details(id, timeout))

    async def create(
        self,
        name: str,
        services: Services | str,
        *,
        numbers: GivenContacts | None = None,
        file: arguments.FileLike | None = None,
        description: str | None = None,
        on_problem: OnProblem = "raise",
        progress: AddProgress | None = None,
        idempotency_key: str | None = None,
        timeout: TimeoutLike = None,
    ) -> Campaign:
        """Create a campaign (`POST /api/system/campaigns/`). No one is called or texted before `run()`.

        Args:
            name: The name.
            services: Whether the campaign calls or texts; not `Services.SURVEY`.
            numbers: Whom to reach: a `RecipientList`, or phone numbers of Nepal in any usual spelling, also from an
                iterator. All are checked before the request. Variables are not sent: give those with `file`, or with
                `numbers.add_many()`. Give either these or `file`.
            file: An .xlsx file with the phone numbers.
            description: The description.
            on_problem: What happens to rows in `numbers` that cannot be sent, because the number is not valid, is a
                landline and the campaign texts, or was given before. With "raise", the call is refused. With "skip",
                they are left out; `progress` says which. Numbers on the suppression list are always left out.
            progress: A new `AddProgress`, which says afterwards what became of each row in `numbers`.
            idempotency_key: With a ledger, your name for this campaign. It is created once for the key: another call
                with the same key and arguments returns it, whenever and wherever it is made. See docs/ledger.md.
            timeout: The limits of this call.

        Raises:
            UsageError: Neither or both of `numbers` and `file` are given; a number is invalid or given twice; another
                content was given with the same `idempotency_key`.
            NotFoundError: The campaign that was created with the key does not exist any more.
            OutcomeUnknownError: The campaign may exist: look for its name in `list()` before you create it again.
            DuplicateSendError: Another process was still creating the campaign when the time of this call was up.
        """
        if (numbers is None) == (file is None):
            raise UsageError("campaigns.create: give either `numbers` or `file`.")
        fields = arguments.given_fields(
            name=arguments.non_empty_text(name, "name"),
            services=_services(services),
            description=None if description is None else arguments.text(description, "description"),
        )
        skips = skips_problems("campaigns.create", on_problem)
        noted = new_progress("campaigns.create", AddProgress, progress)
        request = Request.create(
            "/api/system/campaigns/",
            Campaign,
            "campaigns.create",
            payload=("data", "details", 0),
            timeout=timeout,
            recovery_hint="look for its name in campaigns.list()",
            reconciler=lambda _: self._find_created(name),
            send_target=target("campaign", name),
            idempotency_key=idempotency_key,
            creation=CampaignCreation(self, name, timeout).creation(),
        )
        if numbers is not None:
            refuse_no_list(numbers, "numbers")
            texts = fields["services"] == Services.SMS
            rows = await read_all(numbers, "numbers", noted, skips=skips, mobile_only=texts)
            suppressed = await self._core.suppressed_numbers("campaigns.create")
            left_out = [rows.pop(number) for number in list(rows) if number in suppressed]
            noted.mark(rows_of(left_out), RowStatus.LEFT_OUT, SUPPRESSED)
            if not rows:
                raise UsageError("Nothing was sent: all numbers in `numbers` are on the suppression list.")
            fields["individual_number"] = [int(number) for number in rows]
            async with accounting(noted, rows_of([*rows.values()])):
                return await self._core.create(request.with_json(fields), self._core.execute)
        assert file is not None
        sheet = await arguments.file(file, "file", suffixes=(".xlsx",))
        request = request.with_form(fields, {"send_to_number_file": sheet})
        return await self._core.create(request, self._core.execute)

    async def _find_created(self, name: str) -> Reconciliation:
        def judge(campaign: Campaign) -> Reconciliation | None:
            if match_name(campaign.name, name) is Match.OTHER:
                return None
            reason = "A campaign with this name exists; it may be an older one."
            return Reconciliation(Verdict.UNKNOWN, reason, campaign)  # The API does not say when it was created.

        return await reconcile_rows(self.list(exact=True), judge, "A campaign of this name")

    async def update(
        self,
        id: int,
        *,
        name: str | Unchanged = UNCHANGED,
        services: Services | str | Unchanged = UNCHANGED,
        description: str | Unchanged | None = UNCHANGED,
        timeout: TimeoutLike = None,
    ) -> Campaign:
        """Change a campaign (`PUT /api/system/campaigns/<id>/update/`). A field that is not given stays as it is.

        Args:
            id: The campaign's id.
            name: The name.
            services: Whether the campaign calls or texts; not `Services.SURVEY`.
            description: The description; None clears it.
            timeout: The limits of this call.

        Raises:
            UsageError: No field is given, or a field is invalid.
            NotFoundError: The account has no campaign with this id.
        """
        fields = arguments.changed_fields("campaigns.update", name=name, services=services, description=description)
        if name is not UNCHANGED:
            fields["name"] = arguments.non_empty_text(name, "name")
        if services is not UNCHANGED:
            fields["services"] = _services(services)
        if description is not UNCHANGED:  # The service shows a campaign without one with an empty text.
            fields["description"] = "" if description is None else arguments.text(description, "description")
        return await self._core.execute(
            Request.update(
                f"/api/system/campaigns/{arguments.identifier(id)}/update/",
                Campaign,
                "campaigns.update",
                method="PUT",
                payload=("data", "details", 0),
                json=fields,
                timeout=timeout,
            )
        )

    async def delete(self, id: int, *, timeout: TimeoutLike = None) -> Confirmation:
        """Delete a campaign (`DELETE /api/system/campaigns/<id>/delete`).

        Raises:
            NotFoundError: The account has no campaign with this id.
        """
        return await self._core.execute(
            Request.delete(
                f"/api/system/campaigns/{arguments.identifier(id)}/delete",
                Confirmation,
                "campaigns.delete",
                timeout=timeout,
                recovery_hint="call campaigns.get(): a NotFoundError means that it is deleted",
            )
        )

    async def run(
        self,
        id: int,
        *,
        message: str | None = None,
        audio_file: arguments.FileLike | None = None,
        priority: Priority | str | None = None,
        voice: Voice | str | None = None,
        schedule: datetime | None = None,
        numbers: Sequence[int] | None = None,
        rerun: Iterable[Outcome | str] | None = None,
        check_tags: bool = False,
        idempotency_key: str | None = None,
        timeout: TimeoutLike = None,
    ) -> RunStarted:
        """Run a campaign: its numbers are called, which costs credits (`POST /api/system/campaigns/<id>/begin/`).

        Args:
            id: The campaign's id.
            message: What is read aloud or texted. It may contain the campaign's usable tags as `{tags_name}`.
            audio_file: What is played.
            priority: Which of the two is played, if both are given.
            voice: The voice that reads the message; the service's default is `Voice.RIJA`. If a voice is given, line
                breaks and repeated spaces, which disturb speech synthesis, are sent as single spaces.
            schedule: When to run: an aware datetime on a full minute. None for now.
            numbers: The ids of the numbers to reach (`Number.id`); None for all.
            rerun: Reach the numbers again whose last call had one of these outcomes.
            check_tags: Whether to get the campaign first, and refuse a message with tags that it does not have.
            idempotency_key: With a ledger, your name for this run: a key runs no campaign twice. Without a key, the
                ledger runs each campaign once.
            timeout: The limits of this call.

        Raises:
            UsageError: An argument is invalid.
            GuardError: A guard of the session does not allow it. Nothing was run.
            OutcomeUnknownError: The campaign may be running: look at its numbers before you run it again.
            DuplicateSendError: According to the ledger it was run before, or may have been.
        """
        require_bool(check_tags, "check_tags")
        if message is None and audio_file is None:
            raise UsageError("campaigns.run: give `message`, `audio_file`, or both with `priority`.")
        if (message is not None and audio_file is not None) != (priority is not None):
            raise UsageError("campaigns.run: give `priority` with both `message` and `audio_file`, and only then.")
        text = None if message is None else arguments.non_empty_text(message, "message")
        fields = arguments.given_fields(
            message=text if text is None or voice is None else arguments.collapse_whitespace(text),
            voice_input=None if voice is None else arguments.non_empty_text(voice, "voice"),
            individual=None if numbers is None else arguments.identifiers(numbers, "numbers"),
            status=None if rerun is None else _rerun_statuses(rerun),
            priority=None if priority is None else arguments.enum_member(Priority, priority, "priority").value,
        )
        chosen = frozenset(fields["individual"]) if "individual" in fields else None
        run = Run(arguments.identifier(id), text, chosen, fields.get("status"), schedule, timeout)
        request = Request.send(
            f"/api/system/campaigns/{id}/begin/",
            RunStarted,
            "campaigns.run",
            timeout=timeout,
            recovery_hint=f"look at the statuses in numbers.list({id})",
            send_target=f"campaign {id}",
            idempotency_key=idempotency_key,
            reaches=run.reaches(self._core, Numbers(self._core).list),
        )
        checks_tags = check_tags and message is not None
        sound: File | None = None

        async def prepare() -> None:
            nonlocal sound
            if schedule is not None:
                fields["schedule_date"] = arguments.schedule(schedule)
            if audio_file is not None:
                sound = await arguments.audio(audio_file, "audio_file")
            if checks_tags:
                campaign = await self.get(id, timeout=timeout)
                arguments.require_known_tags(texts.placeholders(message or ""), campaign.usable_tags, "message")

        if schedule is not None or checks_tags or audio_file is not None:
            await self._core.prepare(request, prepare)
        request = request.with_json(fields) if sound is None else request.with_form(fields, {"aud_file": sound})
        return await self._core.execute(request)

    async def test_voice(
        self, message: str, *, voice: Voice | str | None = None, timeout: TimeoutLike = None
    ) -> SpokenMessage:
        """Have a message read aloud, without calling anyone (`POST /api/system/test/voice/`).

        Args:
            message: What is read. Line breaks and repeated spaces, which disturb speech synthesis, are sent as single
                spaces.
            voice: The voice that reads it; the service's default is `Voice.RIJA`.
            timeout: The limits of this call.

        Raises:
            DecodeError: The response contains neither audio nor its URL.
        """
        fields = arguments.given_fields(
            message=arguments.collapse_whitespace(arguments.non_empty_text(message, "message")),
            voice_input=None if voice is None else arguments.non_empty_text(voice, "voice"),
        )
        return await self._spoken_message(
            Request.read(
                "/api/system/test/voice/",
                Response,
                "campaigns.test_voice",
                method="POST",
                json=fields,
                timeout=timeout,
            )
        )


def _services(services: Services | str) -> str:
    """Return the service's name for one of the classic API's ways to reach a number."""
    return arguments.enum_member(Services, services, "services", among=_SERVICES).value


def _rerun_statuses(rerun: Iterable[Outcome | str]) -> list[str]:
    """Return outcomes in the service's form; a single string is one outcome."""
    outcomes = [rerun] if isinstance(rerun, str) else rerun
    arguments.require_list(outcomes, "rerun", "outcomes")
    statuses = [arguments.enum_member(Outcome, outcome, "rerun", among=_OUTCOMES).value for outcome in outcomes]
    if not statuses:
        raise UsageError("`rerun` is empty: omit it for a first run.")
    return statuses
