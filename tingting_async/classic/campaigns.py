"""Campaigns: whom to reach, with what, and when."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from tingting_async.classic.models import (
    Campaign,
    Confirmation,
    Outcome,
    Priority,
    RunStarted,
    Voice,
)
from tingting_async.classic.pages import read_page
from tingting_async.client.core import Core
from tingting_async.decoding.audio import find_audio
from tingting_async.errors import UsageError
from tingting_async.http.messages import Effect, Request, Response
from tingting_async.outcomes import Reconciliation, Verdict, from_presence
from tingting_async.pagination.paginator import Paginator
from tingting_async.pagination.styles import PageNumberPagination
from tingting_async.resources import arguments
from tingting_async.resources.arguments import FileLike
from tingting_async.resources.base import Resource, TimeoutLike
from tingting_async.resources.models import Services, SpokenMessage
from tingting_async.resources.phone_numbers import phone_numbers

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_AUDIO = (".mp3", ".wav", ".ogg", ".m4a", ".aac", ".flac")


class Campaigns(Resource):
    """Campaigns (classic documents, Campaigns)."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        # Which parameter asks for a page is not documented; what works is found out once for the session.
        self._convention = PageNumberPagination("page", "page_number")

    def list(
        self, *, window: int | None = None, exact: bool = False, resume: str | None = None, timeout: TimeoutLike = None
    ) -> Paginator[Campaign]:
        """List the account's campaigns, in the service's order (`GET /api/system/campaigns`).

        Args:
            window: How many pages are in flight at once, from the start; None for the session's, with a slow start.
            exact: Whether to miss no row and repeat none while the list changes, at twice the requests or more.
            resume: The `token` of an earlier walk, to go on behind it.
            timeout: The limits of each page's call.
        """
        request = Request(
            "GET",
            "/api/system/campaigns",
            Effect.READ,
            "campaigns.list",
            list[Campaign],
            payload=("result", "campaign-lists"),
            timeout=timeout,
        )
        return self._core.paginate(request, self._convention, read_page, window=window, exact=exact, resume=resume)

    async def get(self, id: int, *, timeout: TimeoutLike = None) -> Campaign:
        """Return a campaign (`GET /api/system/campaigns/<id>/details`).

        Raises:
            NotFoundError: There is none of this id in the account.
        """
        return await self._core.execute(details(id, timeout))

    async def create(
        self,
        name: str,
        services: Services | str,
        *,
        numbers: Iterable[str | int] | None = None,
        file: FileLike | None = None,
        description: str | None = None,
        timeout: TimeoutLike = None,
    ) -> Campaign:
        """Create a campaign; nobody is called before it is run (`POST /api/system/campaigns/`).

        Args:
            name: Its name.
            services: Whether it calls or texts.
            numbers: Whom to reach: numbers of Nepal in any usual spelling. Either these or `file`.
            file: An .xlsx file with the numbers.
            description: What it is for.
            timeout: The limits of this call.

        Raises:
            UsageError: Neither or both of `numbers` and `file`; a number that is none, or comes twice.
            OutcomeUnknownError: It may have been created: look for its name in `list()` before creating it again.
        """
        if (numbers is None) == (file is None):
            raise UsageError("campaigns.create: give either `numbers` or `file`.")
        fields: dict[str, Any] = {
            "name": arguments.non_empty_text(name, "name"),
            "services": arguments.enum_member(Services, services, "services").value,
        }
        if description is not None:
            fields["description"] = description
        request = Request(
            "POST",
            "/api/system/campaigns/",
            Effect.CREATE,
            "campaigns.create",
            Campaign,
            payload=("data", "details", 0),
            timeout=timeout,
            recovery_hint="look for its name in campaigns.list()",
            reconciler=lambda _: self._find_created(name),
        )
        if numbers is not None:
            fields["individual_number"] = [int(number) for number in phone_numbers(numbers)]
            return await self._core.execute(request.with_json(fields))
        assert file is not None
        sheet = await arguments.file(file, "file", suffixes=(".xlsx",), content_type=_XLSX)
        return await self._core.execute(request.with_form(fields, {"send_to_number_file": sheet}))

    async def _find_created(self, name: str) -> Reconciliation:
        async for campaign in self.list():
            if campaign.name == name:  # These campaigns do not say when they were created.
                return Reconciliation(
                    Verdict.UNKNOWN, "There is one of this name; it may have been there before.", campaign
                )
        return from_presence(None, "A campaign of this name")

    async def update(
        self,
        id: int,
        *,
        name: str | None = None,
        services: Services | str | None = None,
        description: str | None = None,
        timeout: TimeoutLike = None,
    ) -> Campaign:
        """Change a campaign; what is not given stays, None included (`PUT /api/system/campaigns/<id>/update/`).

        Raises:
            UsageError: Nothing to change is given.
            NotFoundError: There is none of this id in the account.
        """
        fields: dict[str, Any] = {}
        if name is not None:
            fields["name"] = arguments.non_empty_text(name, "name")
        if services is not None:
            fields["services"] = arguments.enum_member(Services, services, "services").value
        if description is not None:
            fields["description"] = description
        if not fields:
            raise UsageError("campaigns.update: give `name`, `services` or `description`.")
        return await self._core.execute(
            Request(
                "PUT",
                f"/api/system/campaigns/{arguments.identifier(id)}/update/",
                Effect.UPDATE,
                "campaigns.update",
                Campaign,
                payload=("data", "details", 0),
                json=fields,
                timeout=timeout,
            )
        )

    async def delete(self, id: int, *, timeout: TimeoutLike = None) -> Confirmation:
        """Delete a campaign (`DELETE /api/system/campaigns/<id>/delete`).

        Raises:
            NotFoundError: There is none of this id in the account.
        """
        return await self._core.execute(
            Request(
                "DELETE",
                f"/api/system/campaigns/{arguments.identifier(id)}/delete",
                Effect.UPDATE,
                "campaigns.delete",
                Confirmation,
                timeout=timeout,
                recovery_hint="ask for it with campaigns.get(): it is gone if that is a NotFoundError",
            )
        )

    async def run(
        self,
        id: int,
        *,
        message: str | None = None,
        audio_file: FileLike | None = None,
        priority: Priority | str | None = None,
        voice: Voice | str | None = None,
        schedule: datetime | None = None,
        numbers: Sequence[int] | None = None,
        rerun: Iterable[Outcome | str] | None = None,
        check_tags: bool = False,
        idempotency_key: str | None = None,
        timeout: TimeoutLike = None,
    ) -> RunStarted:
        """Run a campaign: people are called, and credits are spent (`POST /api/system/campaigns/<id>/begin/`).

        Never sent twice by itself once it may have arrived.

        Args:
            id: The campaign's.
            message: What is said or texted; may hold the campaign's usable tags as `{tags_name}`.
            audio_file: What is played.
            priority: Which of the two, where both are given.
            voice: Who reads the message; `Voice.RIJA` by default. Line breaks and doubled spaces, which upset the
                speech synthesis, are then sent as single spaces.
            schedule: When; an aware datetime on a full minute. None for now.
            numbers: Ids of the numbers to reach (`Number.id`); None for all.
            rerun: Reach those again whose last call ended so.
            check_tags: Whether to ask for the campaign first, and refuse a message with tags that it does not have.
            idempotency_key: With a ledger, which lets a campaign run once: your name for another run of it.
            timeout: The limits of this call.

        Raises:
            UsageError: What was given cannot be sent.
            OutcomeUnknownError: It may be running: look at the campaign's numbers before running it again.
            DuplicateSendError: By the ledger it was run before, or may have been.
        """
        if message is None and audio_file is None:
            raise UsageError("campaigns.run: give `message`, `audio_file`, or both with `priority`.")
        if (message is not None and audio_file is not None) != (priority is not None):
            raise UsageError("campaigns.run: `priority` is for `message` and `audio_file` together, and needed there.")
        fields: dict[str, Any] = {}
        if message is not None:
            arguments.non_empty_text(message, "message")
            fields["message"] = message if voice is None else arguments.collapse_whitespace(message)
        if voice is not None:
            fields["voice_input"] = arguments.non_empty_text(voice, "voice")
        if schedule is not None:
            fields["schedule_date"] = arguments.schedule(schedule)
        if numbers is not None:
            fields["individual"] = arguments.identifiers(numbers, "numbers")
        if rerun is not None:
            fields["status"] = [arguments.enum_member(Outcome, outcome, "rerun").value for outcome in _listed(rerun)]
            if not fields["status"]:
                raise UsageError("campaigns.run: `rerun` is empty; leave it out for a first run.")
        if priority is not None:
            fields["priority"] = arguments.enum_member(Priority, priority, "priority").value
        request = Request(
            "POST",
            f"/api/system/campaigns/{arguments.identifier(id)}/begin/",
            Effect.SEND,
            "campaigns.run",
            RunStarted,
            timeout=timeout,
            recovery_hint=f"look at the statuses in numbers.list({id})",
            send_target=f"campaign {id}",
            idempotency_key=idempotency_key,
        )
        if audio_file is not None:
            audio = await arguments.file(audio_file, "audio_file", suffixes=_AUDIO, content_type="audio/mpeg")
            request = request.with_form(fields, {"aud_file": audio})
        else:
            request = request.with_json(fields)
        if check_tags and message is not None:
            campaign = await self.get(id, timeout=timeout)
            arguments.require_known_tags(arguments.placeholders(message), campaign.usable_tags, "message")
        return await self._core.execute(request)

    async def test_voice(
        self, message: str, *, voice: Voice | str | None = None, timeout: TimeoutLike = None
    ) -> SpokenMessage:
        """Have a message read aloud, calling nobody (`POST /api/system/test/voice/`).

        Args:
            message: What is read; line breaks and doubled spaces, which upset the speech synthesis, are sent as single
                spaces.
            voice: Who reads it; `Voice.RIJA` by default.
            timeout: The limits of this call.

        Raises:
            DecodeError: The answer holds neither audio nor its URL.
        """
        fields = {"message": arguments.collapse_whitespace(arguments.non_empty_text(message, "message"))}
        if voice is not None:
            fields["voice_input"] = arguments.non_empty_text(voice, "voice")
        request = Request(
            "POST",
            "/api/system/test/voice/",
            Effect.READ,
            "campaigns.test_voice",
            Response,
            json=fields,
            timeout=timeout,
        )
        response = await self._core.execute(request)
        url, audio, content_type = self._core.decode(request, response, find_audio)
        url = f"{self._core.base_url}{url}" if url is not None and url.startswith("/") else url
        return SpokenMessage(url=url, audio=audio, content_type=content_type)


def details(id: int, timeout: TimeoutLike) -> Request[Campaign]:
    """Return the request for one campaign; its numbers' tags are checked against it as well."""
    return Request(
        "GET",
        f"/api/system/campaigns/{arguments.identifier(id)}/details",
        Effect.READ,
        "campaigns.get",
        Campaign,
        payload=("data", "details", 0),
        timeout=timeout,
    )


def _listed(values: Iterable[Outcome | str]) -> Iterable[Outcome | str]:
    """Take a single text as what it looks like, one value, not as its letters."""
    if not isinstance(values, Iterable):
        raise UsageError(f"`rerun` has to be a list of outcomes, not one {type(values).__name__}.")
    return [values] if isinstance(values, str) else values
