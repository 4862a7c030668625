"""Campaigns: whom to reach, with what, and when."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Unpack

import attrs

from tingting_async.client.options import require_bool
from tingting_async.errors import UsageError
from tingting_async.http.messages import Request, Response
from tingting_async.late_imports import loading
from tingting_async.resources import arguments
from tingting_async.resources.base import TimeoutLike
from tingting_async.resources.models import Services, SpokenMessage
from tingting_async.resources.named import target
from tingting_async.resources.reach import starts_at
from tingting_async.v1.campaign_fields import (
    CampaignFields,
    MessageFields,
    OptionalFields,
    encode_changes,
    encode_new_campaign,
    refuse_other_text,
    voice_id,
)
from tingting_async.v1.campaign_lists import ListedCampaigns
from tingting_async.v1.creations import CampaignCreation
from tingting_async.v1.method_fallback import other_method
from tingting_async.v1.models.accounts import Voice
from tingting_async.v1.models.campaigns import (
    Campaign,
    CampaignMessage,
    Category,
    PreflightReport,
    RunStarted,
)
from tingting_async.v1.models.common import Confirmation
from tingting_async.v1.preflight import preflight
from tingting_async.v1.reach import Recipients, reaches_campaign, read_recipients
from tingting_async.v1.reconcile import clocks_at, reconcile_created, reconcile_run
from tingting_async.v1.schedule import with_schedule

if TYPE_CHECKING:
    from tingting_async.client.guards import Prices


class Campaigns(ListedCampaigns):
    """Campaigns (v1 documents, Campaigns)."""

    async def create(
        self,
        name: str,
        services: Services | str,
        *,
        idempotency_key: str | None = None,
        timeout: TimeoutLike = None,
        **fields: Unpack[OptionalFields],
    ) -> Campaign:
        """Create a campaign; no one is called or texted before it is run (`POST campaign/create/`).

        Args:
            name: The campaign's name.
            services: How it reaches its contacts.
            idempotency_key: With a ledger, your name for this campaign. It is created once for the key: another call
                with the same key and arguments returns it, whenever and wherever it is made. See docs/ledger.md.
            timeout: See `Resource`.
            **fields: The campaign's other fields; those that are None are not sent:

                - `lines`: The ids of the lines to call from (`phone_numbers.list()`).
                - `message`: The message that a call reads out. `{name}` stands for the contact's variable of that name.
                - `sms_message`: The message that is sent as SMS.
                - `description`: A description.
                - `voice`: The voice that reads the message (`voices.list()`).
                - `category`: Whether calls read out a text or play audio.
                - `schedule`: When a run of the campaign starts; an aware datetime.
                - `failover`: The statuses of a call after which an SMS is sent; for `Services.SMS_AND_PHONE`.
                - `length_factor`: How much slower than normal the voice speaks.
                - `credit_limit`: The most credits that the campaign may spend.
                - `draft`: Whether the campaign is a draft.

        Raises:
            MisuseError: A keyword argument is unknown.
            UsageError: A field is not valid, or other arguments were given with the same `idempotency_key`.
            NotFoundError: The campaign that was created with the key does not exist any more.
            OutcomeUnknownError: The campaign may have been created: look for its name before you create it again.
            DuplicateSendError: Another process was still creating the campaign when the time of this call was up.
        """
        arguments.refuse_unknown("campaigns.create", fields, OptionalFields.__optional_keys__, self.create)
        return await self._create(name, services, fields, {}, idempotency_key, timeout)

    async def _create(
        self,
        name: str,
        services: Services | str,
        fields: OptionalFields,
        content: Mapping[str, str],
        idempotency_key: str | None,
        timeout: TimeoutLike,
    ) -> Campaign:
        """Create a campaign. Another call with the same key must have the same `content`, too."""
        return await self._core.create(
            self._creation(name, services, fields, content, idempotency_key, timeout),
            lambda request: self._execute(request, *self._voice_forms(fields.get("voice"))),
        )

    def _creation(
        self,
        name: str,
        services: Services | str,
        fields: OptionalFields,
        content: Mapping[str, str],
        idempotency_key: str | None,
        timeout: TimeoutLike,
    ) -> Request[Campaign]:
        required = {
            "name": arguments.non_empty_text(name, "name"),
            "services": arguments.enum_member(Services, services, "services"),
        }
        given = {"lines": (), **fields, **required}
        called = self._core.note_clocks()
        recognition = CampaignCreation(self, self._core.read_clocks, name, fields.get("schedule"), timeout)
        return Request.create(
            "/api/v1/campaign/create/",
            Campaign,
            "campaigns.create",
            json=encode_new_campaign(given, may_be_past=idempotency_key is not None),
            timeout=timeout,
            recovery_hint="look for its name with campaigns.list(search=…)",
            reconciler=lambda send: reconcile_created(self._core.read_clocks, self.list, name, clocks_at(send, called)),
            send_target=target("campaign", name),
            idempotency_key=idempotency_key,
            creation=attrs.evolve(recognition.creation(), content=content),
            reaches=starts_at(fields.get("schedule")),
        )

    async def update(self, id: int, *, timeout: TimeoutLike = None, **fields: Unpack[CampaignFields]) -> Campaign:
        """Change a campaign (`PATCH campaign/<id>/`).

        Args:
            id: The campaign's id.
            timeout: See `Resource`.
            **fields: The fields to change, as in `create`, `name` and `services` included. A field that is not given
                stays as it is. None clears a field: there is no schedule, voice, credit limit, … any more. `name`,
                `services`, `length_factor` and `draft` cannot be cleared.

        Raises:
            MisuseError: A keyword argument is unknown.
            UsageError: No field is given, or a field is not valid.
            NotFoundError: The account has no campaign with this id.
        """
        arguments.refuse_unknown("campaigns.update", fields, CampaignFields.__optional_keys__, self.update)
        body = encode_changes("campaigns.update", fields)
        return await self._execute(
            Request.update(
                f"/api/v1/campaign/{arguments.identifier(id)}/",
                Campaign,
                "campaigns.update",
                json=body,
                timeout=timeout,
                reaches=starts_at(fields.get("schedule")),
            ),
            other_method("PUT"),  # One public client found only PUT accepted.
            *self._voice_forms(fields.get("voice")),
        )

    async def set_message(
        self,
        id: int,
        *,
        voice: Voice | int | None,
        category: Category | str = Category.TEXT,
        timeout: TimeoutLike = None,
        **fields: Unpack[MessageFields],
    ) -> CampaignMessage:
        """Set a campaign's voice and message (`PATCH campaign/create/<id>/message/`).

        Args:
            id: The campaign's id.
            voice: The voice that reads the message (`voices.list()`); None for no voice.
            category: Whether calls read out a text or play audio.
            timeout: See `Resource`.
            **fields: `message`, `sms_message`, `length_factor` and `draft`, as in `update`.

        Raises:
            MisuseError: A keyword argument is unknown.
            UsageError: A field is not valid.
        """
        arguments.refuse_unknown("campaigns.set_message", fields, MessageFields.__optional_keys__, self.set_message)
        return await self._execute(
            Request.update(
                f"/api/v1/campaign/create/{arguments.identifier(id)}/message/",
                CampaignMessage,
                "campaigns.set_message",
                json=encode_changes("campaigns.set_message", {"voice": voice, "category": category, **fields}),
                timeout=timeout,
            ),
            other_method("PUT"),  # One public client needed PUT first, for voice.
            *self._voice_forms(voice),
        )

    async def delete(self, id: int, *, timeout: TimeoutLike = None) -> Confirmation:
        """Delete a campaign (`DELETE campaign/<id>/`).

        Raises:
            NotFoundError: The account has no campaign with this id.
        """
        return await self._core.execute(
            Request.delete(
                f"/api/v1/campaign/{arguments.identifier(id)}/",
                Confirmation,
                "campaigns.delete",
                allows_empty_body=True,
                timeout=timeout,
                recovery_hint="call campaigns.get(): a NotFoundError means it is gone",
            )
        )

    async def run(
        self,
        id: int,
        *,
        message: str | None = None,
        sms_message: str | None = None,
        schedule: datetime | None = None,
        preflight: bool = False,
        recipients: Recipients | None = None,
        allow_legacy_font: bool = False,
        idempotency_key: str | None = None,
        timeout: TimeoutLike = None,
    ) -> RunStarted:
        """Run a campaign: it reaches people and spends credits (`POST run-campaign/<id>/`).

        `message`, `sms_message` and `schedule` are set by a request of their own before the run. If the service says
        that it has scheduled the run, the campaign is read after it, because the response has only a Bikram Sambat
        date.

        Args:
            id: The campaign's id.
            message: The message that a call reads out; None leaves it as it is.
            sms_message: The message that is sent as SMS; None leaves it as it is.
            schedule: When the run starts, an aware datetime; None leaves it as it is.
            preflight: Whether to refuse the run if `preflight()` finds problems.
            recipients: The recipients that were added as contacts, such as a `RecipientList`. The preflight checks
                them. The guard `max_credits` takes their variables from here, and requests only those of other
                contacts.
            allow_legacy_font: See `preflight()`.
            idempotency_key: See `Resource`; without one, a ledger lets the campaign run once.
            timeout: The limits of each call.

        Raises:
            UsageError: The preflight found problems, or the campaign does not use the text that is given. Nothing was
                run.
            GuardError: A guard of the session does not allow it. Nothing was run.
            OutcomeUnknownError: The campaign may be running: look at its status before you run it again.
            DuplicateSendError: The ledger says that it was run before, or may have been.
        """
        require_bool(preflight, "preflight")
        require_bool(allow_legacy_font, "allow_legacy_font")
        changes = arguments.given_fields(message=message, sms_message=sms_message, schedule=schedule)
        # Once the run was made, its schedule is past, and the ledger's answer says more: so that is checked after it.
        encode_new_campaign(changes, may_be_past=True)
        people = None if recipients is None else await read_recipients(recipients)
        called = self._core.note_clocks()  # The ledger may refuse the send, and its error is reconciled, too.
        request = Request.send(
            f"/api/v1/run-campaign/{arguments.identifier(id)}/",
            RunStarted,
            "campaigns.run",
            timeout=timeout,
            recovery_hint=f"look at the status of campaigns.get({id}), and at contacts.list({id})",
            reconciler=lambda send: reconcile_run(self._core, id, send, called),
            send_target=f"campaign {id}",
            idempotency_key=idempotency_key,
            reaches=reaches_campaign(self._core, id, people, timeout),
        )

        async def prepare() -> datetime | None:
            encode_new_campaign(changes)
            if (message is None) != (sms_message is None):
                refuse_other_text((await self.get(id, timeout=timeout)).services, message, sms_message)
            known = (await self.update(id, timeout=timeout, **changes)).schedule if changes else None
            if preflight:
                report = await self.preflight(
                    id, recipients=people, allow_legacy_font=allow_legacy_font, timeout=timeout
                )
                if report.problems:
                    text = " ".join(report.problems)
                    raise UsageError(f"campaigns.run: campaign {id} was not run by this call. {text}")
            return known

        known = await self._core.prepare(request, prepare) if changes or preflight else None
        called = self._core.note_clocks()  # After the update, which does not prove the run.
        return await with_schedule(self._core, id, await self._core.execute(request), timeout, known)

    async def preflight(
        self,
        id: int,
        *,
        recipients: Recipients | None = None,
        prices: "Prices | None" = None,
        max_contacts: int = 1000,
        allow_legacy_font: bool = False,
        timeout: TimeoutLike = None,
    ) -> PreflightReport:
        """Check a campaign before it is run: contacts, placeholders and variables, lines, voice, status and cost.

        A placeholder for which someone has no value, or an empty one, is a problem. With `recipients`, this takes two
        requests, however many recipients there are. It is a problem if the campaign has more contacts than
        `recipients`, or fewer; their numbers are not compared. Without `recipients`, if the messages have placeholders,
        the variables of each contact are requested: one request for each contact, and one for every ten contacts. It is
        a problem, too, if several of these have the same number.

        Args:
            id: The campaign's id.
            recipients: The recipients that were added as contacts, such as a `RecipientList`: objects with a number and
                variables. Problems name their rows. Those on the suppression list of a guard are not checked, because
                they are not added. None checks the contacts that the campaign has.
            prices: What you pay; by default, what the session's guards say. They are needed for `estimated_credits`,
                which costs one more request, for the credits that the account has left.
            max_contacts: The maximum number of contacts whose variables are requested. If the campaign has more, that
                is a problem.
            allow_legacy_font: Whether messages and values may seem to be typed for a legacy Nepali font.
            timeout: The limits of each request.

        Raises:
            UsageError: `recipients` is not a list of recipients, `prices` are not `Prices`, or they lack a price that
                the campaign needs.
            GuardError: The suppression list of a guard cannot be read.
        """
        require_bool(allow_legacy_font, "allow_legacy_font")
        arguments.at_least_one(max_contacts, "campaigns.preflight", "max_contacts")
        if prices is not None:
            with loading("campaigns.preflight"):
                from tingting_async.client.guards import require_prices  # noqa: PLC0415 - only with prices
            require_prices(prices)
        people = None if recipients is None else await read_recipients(recipients)
        campaign = await self.get(id, timeout=timeout)
        return await preflight(
            self._core, campaign, timeout, people, prices, max_contacts, allow_legacy_font=allow_legacy_font
        )

    async def test_voice(
        self, message: str, *, campaign_id: int, voice: Voice | int, timeout: TimeoutLike = None
    ) -> SpokenMessage:
        """Have a message read aloud, without a call (`POST test-speak/riri/<campaign_id>/`).

        Args:
            message: The message. Line breaks and repeated spaces are sent as single spaces, because they upset the
                service's speech synthesis.
            campaign_id: The id of any campaign of the account.
            voice: The voice that reads it.
            timeout: See `Resource`.

        Raises:
            DecodeError: The response holds neither audio nor its URL.
        """
        text = arguments.collapse_whitespace(arguments.non_empty_text(message, "message"))
        return await self._spoken_message(
            Request.read(
                f"/api/v1/test-speak/riri/{arguments.identifier(campaign_id, 'campaign_id')}/",
                Response,
                "campaigns.test_voice",
                method="POST",
                json={"voice_input": voice_id(voice), "message": text},
                timeout=timeout,
            )
        )
