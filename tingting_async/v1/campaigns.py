"""Campaigns: whom to reach, with what, and when."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

import attrs

from tingting_async.client.core import Core
from tingting_async.decoding.audio import find_audio
from tingting_async.errors import UsageError
from tingting_async.http.messages import Effect, Request, Response
from tingting_async.pagination.paginator import Paginator
from tingting_async.pagination.styles import LimitOffsetPagination
from tingting_async.resources import arguments
from tingting_async.resources.base import Resource, TimeoutLike
from tingting_async.resources.models import CallStatus as ContactStatus
from tingting_async.resources.models import Services, SpokenMessage
from tingting_async.v1.campaign_fields import campaign_fields, refuse_other_text, voice_id
from tingting_async.v1.method_fallback import MethodFallback
from tingting_async.v1.models.accounts import Voice
from tingting_async.v1.models.campaigns import (
    Campaign,
    CampaignMessage,
    CampaignStatus,
    Category,
    PreflightReport,
    RunStarted,
    Sort,
)
from tingting_async.v1.models.common import Confirmation
from tingting_async.v1.pages import read_page
from tingting_async.v1.preflight import preflight
from tingting_async.v1.progress import Progress
from tingting_async.v1.reconcile import details, reconcile_created, reconcile_run, started_at, utc_now


class Campaigns(Resource):
    """Campaigns (v1 documents, Campaigns)."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self._methods = MethodFallback(core)

    def list(
        self,
        *,
        status: CampaignStatus | str | None = None,
        search: str | None = None,
        drafts: bool = False,
        sort: Sort | str | None = None,
        changed_from: datetime | None = None,
        changed_to: datetime | None = None,
        window: int | None = None,
        exact: bool = False,
        resume: str | None = None,
        timeout: TimeoutLike = None,
    ) -> Paginator[Campaign]:
        """List the account's campaigns (`GET campaign/`).

        Args:
            status: Only those that stand so.
            search: Only those whose name contains this.
            drafts: Only drafts.
            sort: The order, by their last change.
            changed_from: Only those that changed then or later; an aware datetime.
            changed_to: Only those that changed on that day or before; an aware datetime, its whole day is taken in.
            window: How many pages are in flight at once, from the start; None for the session's, with a slow start.
            exact: Whether to miss no row and repeat none while the list changes, at twice the requests or more.
            resume: The `token` of an earlier walk, to go on behind it.
            timeout: The limits of each page's call.
        """
        params: dict[str, str] = {}
        if status is not None:
            params["status"] = arguments.enum_member(CampaignStatus, status, "status").value
        if search is not None and search != "":
            params["search"] = arguments.non_empty_text(search, "search")
        if drafts:
            params["draft"] = "true"
        if sort is not None:
            params["sort_by"] = arguments.enum_member(Sort, sort, "sort").value
        if changed_from is not None:
            params["from_date"] = str(int(arguments.aware_datetime(changed_from, "changed_from").timestamp()))
        if changed_to is not None:
            params["to_date"] = str(int(arguments.aware_datetime(changed_to, "changed_to").timestamp()))
        request = Request(
            "GET",
            "/api/v1/campaign/",
            Effect.READ,
            "campaigns.list",
            list[Campaign],
            payload=("results",),
            params=tuple(params.items()),
            timeout=timeout,
        )
        return self._core.paginate(
            request, LimitOffsetPagination(10), read_page, window=window, exact=exact, resume=resume
        )

    async def get(self, id: int, *, timeout: TimeoutLike = None) -> Campaign:
        """Return a campaign (`GET campaign/<id>/`); of its voice only the id.

        Raises:
            NotFoundError: There is none of this id in the account.
        """
        return await self._core.execute(details(id, timeout))

    async def create(
        self,
        name: str,
        services: Services | str,
        *,
        lines: Iterable[int] = (),
        message: str | None = None,
        sms_message: str | None = None,
        description: str | None = None,
        voice: Voice | int | None = None,
        category: Category | str | None = None,
        schedule: datetime | None = None,
        failover: Iterable[ContactStatus | str] | None = None,
        length_factor: Decimal | float | None = None,
        credit_limit: int | None = None,
        draft: bool | None = None,
        timeout: TimeoutLike = None,
    ) -> Campaign:
        """Create a campaign; nobody is reached before it is run (`POST campaign/create/`).

        Args:
            name: Its name.
            services: Whether it calls, texts, or asks.
            lines: Ids of the lines to call from (`phone_numbers.list()`).
            message: What is said; may hold the contacts' variables as `{name}`.
            sms_message: What is texted.
            description: What it is for.
            voice: Who speaks (`voices.list()`).
            category: Whether a text is spoken or audio is played.
            schedule: When it is to run, once it is told to; an aware datetime.
            failover: Outcomes of a call after which a text is sent; for `Services.SMS_AND_PHONE`.
            length_factor: How much slower than normal the voice speaks.
            credit_limit: Credits that it may spend.
            draft: Whether it is only a draft.
            timeout: The limits of this call.

        Raises:
            UsageError: What was given cannot be sent.
            OutcomeUnknownError: It may have been created: look for its name before creating it again.
        """
        fields = campaign_fields(
            {
                "name": arguments.non_empty_text(name, "name"),
                "services": services,
                "user_phone": lines,
                "message": message,
                "sms_message": sms_message,
                "description": description,
                "voice": voice,
                "category": category,
                "schedule": schedule,
                "failover_target": failover,
                "length_factor": length_factor,
                "credit_limit": credit_limit,
                "draft": draft,
            }
        )
        asked_at = utc_now()
        return await self._core.execute(
            Request(
                "POST",
                "/api/v1/campaign/create/",
                Effect.CREATE,
                "campaigns.create",
                Campaign,
                json=fields,
                timeout=timeout,
                recovery_hint="look for its name with campaigns.list(search=…)",
                reconciler=lambda send: reconcile_created(self.list, name, started_at(send, asked_at)),
            )
        )

    async def update(
        self,
        id: int,
        *,
        name: str | None = None,
        services: Services | str | None = None,
        lines: Iterable[int] | None = None,
        message: str | None = None,
        sms_message: str | None = None,
        description: str | None = None,
        voice: Voice | int | None = None,
        category: Category | str | None = None,
        schedule: datetime | None = None,
        failover: Iterable[ContactStatus | str] | None = None,
        length_factor: Decimal | float | None = None,
        credit_limit: int | None = None,
        draft: bool | None = None,
        timeout: TimeoutLike = None,
    ) -> Campaign:
        """Change a campaign; what is not given stays, None included (`PATCH campaign/<id>/`). Arguments as of `create`.

        Raises:
            UsageError: Nothing to change is given, or what is given cannot be sent.
            NotFoundError: There is none of this id in the account.
        """
        fields = campaign_fields(
            {
                "name": name,
                "services": services,
                "user_phone": lines,
                "message": message,
                "sms_message": sms_message,
                "description": description,
                "voice": voice,
                "category": category,
                "schedule": schedule,
                "failover_target": failover,
                "length_factor": length_factor,
                "credit_limit": credit_limit,
                "draft": draft,
            }
        )
        if not fields:
            raise UsageError("campaigns.update: give what is to be changed.")
        path = f"/api/v1/campaign/{arguments.identifier(id)}/"
        request = Request("PATCH", path, Effect.UPDATE, "campaigns.update", Campaign, json=fields, timeout=timeout)
        return await self._methods.call(request, "PUT")  # One public client found only PUT accepted.

    async def set_message(
        self,
        id: int,
        *,
        voice: Voice | int,
        category: Category | str = Category.TEXT,
        message: str | None = None,
        sms_message: str | None = None,
        length_factor: Decimal | float | None = None,
        draft: bool | None = None,
        timeout: TimeoutLike = None,
    ) -> CampaignMessage:
        """Set a campaign's voice and text (`PATCH campaign/create/<id>/message/`). Arguments as of `create`."""
        fields = campaign_fields(
            {
                "voice": voice,
                "category": category,
                "message": message,
                "sms_message": sms_message,
                "length_factor": length_factor,
                "draft": draft,
            }
        )
        path, operation = f"/api/v1/campaign/create/{arguments.identifier(id)}/message/", "campaigns.set_message"
        request = Request("PATCH", path, Effect.UPDATE, operation, CampaignMessage, json=fields, timeout=timeout)
        return await self._methods.call(request, "PUT")  # One public client needed PUT first, for voice.

    async def delete(self, id: int, *, timeout: TimeoutLike = None) -> Confirmation:
        """Delete a campaign (`DELETE campaign/<id>/`).

        Raises:
            NotFoundError: There is none of this id in the account.
        """
        path, hint = (
            f"/api/v1/campaign/{arguments.identifier(id)}/",
            "call campaigns.get(): a NotFoundError means it is gone",
        )
        request = Request("DELETE", path, Effect.UPDATE, "campaigns.delete", Confirmation, timeout=timeout)
        return await self._core.execute(attrs.evolve(request, allows_empty_body=True, recovery_hint=hint))

    async def run(
        self,
        id: int,
        *,
        message: str | None = None,
        sms_message: str | None = None,
        schedule: datetime | None = None,
        preflight: bool = False,
        idempotency_key: str | None = None,
        timeout: TimeoutLike = None,
    ) -> RunStarted:
        """Run a campaign: people are reached, and credits are spent (`POST run-campaign/<id>/`).

        Args:
            id: The campaign's.
            message: Changes what is said first, in a request of its own.
            sms_message: Changes what is texted first, likewise.
            schedule: Changes when it runs first, in a request of its own; an aware datetime.
            preflight: Whether to refuse to run it where `preflight()` finds problems.
            idempotency_key: With a ledger, which lets a campaign run once: your name for another run of it.
            timeout: The limits of each call.

        Raises:
            UsageError: The check found problems, or the text given is not the one that reaches people; nothing was run.
            OutcomeUnknownError: It may be running: look at its status before running it again.
            DuplicateSendError: By the ledger it was run before, or may have been.
        """
        request = Request(
            "POST",
            f"/api/v1/run-campaign/{arguments.identifier(id)}/",
            Effect.SEND,
            "campaigns.run",
            RunStarted,
            timeout=timeout,
            recovery_hint=f"look at the status of campaigns.get({id}), and at contacts.list({id})",
            reconciler=lambda send: reconcile_run(self._core, id, send),
            send_target=f"campaign {id}",
            idempotency_key=idempotency_key,
        )
        if message is not None or sms_message is not None or schedule is not None:
            await self._core.refuse_duplicate(request)
            if (message is None) != (sms_message is None):
                refuse_other_text((await self.get(id, timeout=timeout)).services, message, sms_message)
            await self.update(id, message=message, sms_message=sms_message, schedule=schedule, timeout=timeout)
        if preflight and (problems := (await self.preflight(id, timeout=timeout)).problems):
            raise UsageError(f"campaigns.run: campaign {id} was not run. {' '.join(problems)}")
        return await self._core.execute(request)

    async def preflight(self, id: int, *, timeout: TimeoutLike = None) -> PreflightReport:
        """Check what would happen if a campaign were run: contacts, placeholders against variables, lines, voice.

        Checks the variables of the contacts on the first page of their list: at most ten.
        """
        return await preflight(self._core, await self.get(id, timeout=timeout), timeout)

    async def stop(self, id: int, *, timeout: TimeoutLike = None) -> Confirmation:
        """Stop a campaign at once (`POST campaign/emergency-stop/<id>/`)."""
        path, operation = f"/api/v1/campaign/emergency-stop/{arguments.identifier(id)}/", "campaigns.stop"
        request = Request("POST", path, Effect.UPDATE, operation, Confirmation, allows_empty_body=True, timeout=timeout)
        return await self._core.execute(
            attrs.evolve(request, recovery_hint=f"look at the status of campaigns.get({id})")
        )

    async def test_voice(
        self, message: str, *, campaign_id: int, voice: Voice | int, timeout: TimeoutLike = None
    ) -> SpokenMessage:
        """Have a message read aloud, calling nobody (`POST test-speak/riri/<campaign_id>/`).

        Args:
            message: What is read; line breaks and doubled spaces, which upset the speech synthesis, are sent as single
                spaces.
            campaign_id: A campaign of the account.
            voice: Who reads it.
            timeout: The limits of this call.

        Raises:
            DecodeError: The answer holds neither audio nor its URL.
        """
        path = f"/api/v1/test-speak/riri/{arguments.identifier(campaign_id, 'campaign_id')}/"
        fields = {
            "voice_input": voice_id(voice),
            "message": arguments.collapse_whitespace(arguments.non_empty_text(message, "message")),
        }
        request = Request("POST", path, Effect.READ, "campaigns.test_voice", Response, json=fields, timeout=timeout)
        response = await self._core.execute(request)
        url, audio, content_type = self._core.decode(request, response, find_audio)
        url = f"{self._core.base_url}{url}" if url is not None and url.startswith("/") else url
        return SpokenMessage(url=url, audio=audio, content_type=content_type)

    def progress(
        self, id: int, *, poll_interval: float = 1.0, max_poll_interval: float = 30.0, timeout: TimeoutLike = None
    ) -> Progress:
        """Watch a campaign: `async for campaign in tingting.campaigns.progress(id)`.

        Yields the campaign as it is now, and again after each change. Ends once its status is final or unknown.

        Args:
            id: The campaign's.
            poll_interval: Seconds before it is asked for again; grows by half while nothing changes.
            max_poll_interval: Seconds.
            timeout: The limits of each call.
        """
        arguments.identifier(id)
        return Progress(
            id, lambda: self.get(id, timeout=timeout), poll_interval=poll_interval, max_poll_interval=max_poll_interval
        )

    async def wait(
        self,
        id: int,
        *,
        until: CampaignStatus | str | Iterable[CampaignStatus | str] = (),
        timeout: float | None = None,
        poll_interval: float = 1.0,
        max_poll_interval: float = 30.0,
    ) -> Campaign:
        """Wait until a campaign is over, or has come to a status.

        Args:
            id: The campaign's.
            until: Statuses that end the wait, besides a final or unknown one.
            timeout: Seconds to wait at most; None for no limit.
            poll_interval: Seconds before it is asked for again; grows by half while nothing changes.
            max_poll_interval: Seconds.

        Raises:
            WaitTimeoutError: It took longer; `last` is the campaign as it was seen last.
        """
        wanted = {until} if isinstance(until, str) or not isinstance(until, Iterable) else set(until)
        progress = self.progress(id, poll_interval=poll_interval, max_poll_interval=max_poll_interval)
        return await progress.wait({arguments.enum_member(CampaignStatus, each, "until") for each in wanted}, timeout)
