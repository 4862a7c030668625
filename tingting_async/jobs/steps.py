"""The steps of a job: each is done once for its key, by whichever process is first."""

import asyncio
import json
import logging
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set as AbstractSet, Sized
from contextlib import suppress
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar

import attrs

from tingting_async.client.core import Core
from tingting_async.errors import ConflictError, DuplicateSendError, GuardError, UsageError, WaitTimeoutError
from tingting_async.http.messages import Request, Response
from tingting_async.jobs.comparison import Comparison, advice_on_changes
from tingting_async.jobs.selection import Selection
from tingting_async.ledger.claims import BEGUN, StoredClaim
from tingting_async.ledger.ensure_sent import ensure_sent
from tingting_async.outcomes import Send, SendState
from tingting_async.persistence import run_in_thread
from tingting_async.quantities import counted
from tingting_async.redaction import redact
from tingting_async.resources.models import NewContact, Services
from tingting_async.v1.additions import AddProgress
from tingting_async.v1.campaign_fields import OptionalFields
from tingting_async.v1.campaigns import Campaigns
from tingting_async.v1.method_fallback import OtherForm
from tingting_async.v1.models.campaigns import Campaign, CampaignStatus
from tingting_async.v1.models.contacts import ContactsAdded
from tingting_async.v1.reach import national
from tingting_async.v1.session import TingTing

T = TypeVar("T")

_log = logging.getLogger("tingting_async")


class JobStep(StrEnum):
    """What a job is doing.

    Attributes:
        CHECKING: It checks the messages against every row. Nothing is created yet.
        CREATING: It creates the campaign.
        ADDING: It adds the contacts.
        RUNNING: It runs the campaign.
        FOLLOWING: The campaign reaches its contacts.
        READING: It reads what became of them.
    """

    CHECKING = "checking"
    CREATING = "creating"
    ADDING = "adding"
    RUNNING = "running"
    FOLLOWING = "following"
    READING = "reading"


@attrs.frozen
class JobProgress:
    """How far a job has come. `str()` of it is a text to show.

    Attributes:
        step: What it is doing.
        recipients: How many recipients are called or texted; None while they are being checked.
        added: How many of them the campaign has, as far as this run knows it; None before it adds them.
        campaign: The campaign as it was last seen; None before it is created.
    """

    step: JobStep
    recipients: int | None = None
    added: int | None = None
    campaign: Campaign | None = None

    def __str__(self) -> str:
        if self.step is JobStep.ADDING:
            return f"{self.step} {self.added or 0} of {counted(self.recipients or 0, 'recipient')}"
        if self.step is JobStep.FOLLOWING and self.campaign is not None:
            if self.campaign.status == CampaignStatus.SCHEDULED and self.campaign.schedule is not None:
                return f"{self.step}: scheduled for {self.campaign.schedule:%Y-%m-%d %H:%M %Z}"
            if self.campaign.progress_percent is not None:
                return f"{self.step}: {self.campaign.progress_percent:f} %"
        return str(self.step)


class _Campaigns(Campaigns):
    """Campaigns that are created for a list of recipients.

    Attributes:
        is_new: Whether the service has responded with a new campaign. One that was found may be somebody else's.
        sent: What the ledger has of the run of the campaign.
    """

    is_new: bool = False
    sent: Send | None = None

    async def create_for(
        self, content: Mapping[str, str], name: str, services: Services, fields: OptionalFields, key: str | None
    ) -> Campaign:
        """Create a campaign. With a key, another call with other content is refused."""
        return await self._create(name, services, fields, content, key, None)

    async def refuse_other(
        self, content: Mapping[str, str], name: str, services: Services, fields: OptionalFields, key: str
    ) -> None:
        """Refuse content that differs from an earlier call with the key. Nothing is requested.

        Raises:
            UsageError: It differs.
        """
        with suppress(DuplicateSendError):
            await self._core.refuse_duplicate(self._creation(name, services, fields, content, key, None))

    def _creation(self, *args: Any, **kwargs: Any) -> Request[Campaign]:
        request = super()._creation(*args, **kwargs)
        assert request.creation is not None
        return attrs.evolve(request, creation=attrs.evolve(request.creation, advice=advice_on_changes(self.sent)))

    async def _execute(self, request: Request[T], *others: OtherForm) -> T:
        result = await super()._execute(request, *others)
        self.is_new = self.is_new or request.operation == "campaigns.create"
        return result


class JobRun:
    """One run of a job: its steps, each of which is done once for the key.

    Args:
        tingting: The session.
        core: What its resources share.
        key: The key of the job.
        on_progress: Is called with the progress.
        wait: Seconds between the two checks after a lost response.
    """

    def __init__(
        self,
        tingting: TingTing,
        core: Core,
        key: str | None,
        on_progress: Callable[[JobProgress], object] | None,
        wait: float,
    ) -> None:
        self._tingting = tingting
        self._core = core
        self._key = key
        self._on_progress = on_progress
        self._wait = wait
        self._recipients: int | None = None
        self._added: int | None = None
        self._campaign: Campaign | None = None
        self._comparison: Comparison | None = None
        self._sent: Send | None = None
        self._is_new = False
        self.refused: dict[str, str] = {}
        """Why the service refused numbers."""

    def report(self, step: JobStep) -> None:
        """Call `on_progress`. If it fails, the job continues."""
        if self._on_progress is not None:
            try:
                self._on_progress(JobProgress(step, self._recipients, self._added, self._campaign))
            except Exception as error:  # noqa: BLE001 - it may raise anything
                with suppress(Exception):
                    place = traceback.extract_tb(error.__traceback__)[-1]  # Its text may have what is private.
                    what = f"{type(error).__name__} in {place.name}, {place.filename}:{place.lineno}"
                    _log.error("CampaignJob: `on_progress` raised %s. The job continues.", what)

    async def was_sent(self) -> bool:
        """Return whether the ledger has the run of the campaign, so that all contacts were added before.

        Raises:
            UsageError: It has the run of a campaign that no job has created with this key.
        """
        if self._key is None or (stored := await self._find("campaigns.run")) is None:
            return False
        self._sent = stored.send
        if await self._find("campaigns.create") is None:
            raise UsageError(
                f"CampaignJob: nothing was sent. {redact(f'The key {self._key!r}')} was used for a run of a campaign "
                "that no job has created, or the ledger was pruned since. Give a new `idempotency_key`."
            )
        return True

    async def count_not_added(self) -> int:
        """Return how many contacts were left out or refused when they were added, by the ledger."""
        stored = await self._find("contacts.add_many")
        result: dict[str, Any] = json.loads((stored and stored.send.result) or "{}")
        return int(result.get("refused", 0))

    async def _find(self, operation: str) -> StoredClaim | None:
        core, request = self._core, Request.send("", Response, operation, idempotency_key=self._key)
        return None if core.ledger is None else await core.ledger.find(core.base_url, request)

    async def refuse_other(self, name: str, services: Services, fields: OptionalFields, selection: Selection) -> None:
        """Refuse recipients or fields that differ from an earlier run with the key. Nothing is requested.

        Raises:
            UsageError: They differ.
        """
        if self._key is not None:
            content, campaigns = await _content(selection), _Campaigns(self._core)
            campaigns.sent = self._sent
            await campaigns.refuse_other(content, name, services, fields, self._key)

    async def create(
        self,
        name: str,
        services: Services,
        fields: OptionalFields,
        selection: Selection,
        people: Sized,
        *,
        was_sent: bool,
    ) -> None:
        """Create the campaign, or get it if it was created before."""
        self._recipients = len(people)
        if not was_sent:
            self.report(JobStep.CREATING)
        content, campaigns = await _content(selection), _Campaigns(self._core)
        campaigns.sent = self._sent
        campaign = await self._once(partial(campaigns.create_for, content, name, services, fields, self._key))
        assert campaign is not None, "a creation returns what was created"
        self._campaign, self._is_new = campaign, campaigns.is_new
        self._comparison = Comparison(
            self._tingting, self._core, self._key, campaign.id, services, fields, selection.contacts
        )

    async def add(self, selection: Selection) -> AbstractSet[str]:
        """Add the contacts that the campaign does not have yet. Return the numbers that are on the suppression list.

        Raises:
            ConflictError: The campaign is not what the job wants.
            UsageError: No contact was added.
        """

        def note(progress: AddProgress) -> None:
            self._added = progress.created + progress.skipped
            self.report(JobStep.ADDING)

        if not self._is_new:
            await self._refuse_others()
        self.report(JobStep.ADDING)
        added = await self._tingting.contacts.add_many(
            self._id, selection.contacts, keep_contacts=False, on_progress=note, idempotency_key=self._key
        )
        if self._added != (present := added.created + added.skipped):  # Those of an earlier run are there already.
            self._added = present
            self.report(JobStep.ADDING)
        # All other reasons to leave a row out were checked before.
        suppressed = {str(selection.contacts[row].number) for row in added.left_out}
        if not added.created and not added.skipped:
            if len(suppressed) == len(selection.contacts):
                raise self._nobody_left()
            reasons = redact(" ".join(list(added.errors.values())[:3]))
            others = f"; on the suppression list: {len(suppressed)} more" if suppressed else ""
            refused = f"CampaignJob: the service refused all contacts{others}; nobody was reached. {reasons}"
            raise UsageError(refused.rstrip())
        self._note_refused(selection.contacts, added)
        if self._is_new:
            self._wanted.expected = added.created + added.skipped
        return suppressed

    def _nobody_left(self) -> UsageError:
        return UsageError(
            "CampaignJob: nobody was reached. Since this run of the job began, the suppression list has changed, and "
            f"now all `recipients` are on it. Campaign {self._id} was created, and was not run: delete it. Or take "
            "somebody off the suppression list, and run the job again with the same key."
        )

    async def _refuse_others(self) -> None:
        """Refuse to add contacts to a campaign that seems to be somebody else's.

        Raises:
            ConflictError: It has contacts, and no run of this job has added any; or its fields differ.
        """
        with suppress(DuplicateSendError):  # It was run, or is: so all contacts were added.
            count = await self._wanted.before_adding()
            # In this order: what another run of this job adds is recorded before it is there.
            if count and await self._find(f"contacts.add_many{BEGUN}") is None:
                raise self._wanted.conflict([f"it has {counted(count, 'contact')}, and this job has added none"])

    def _note_refused(self, contacts: Sequence[NewContact], added: ContactsAdded) -> None:
        self.refused.update({str(contacts[index].number): reason for index, reason in added.errors.items()})

    async def send(self, people: Sequence[NewContact]) -> AbstractSet[str]:
        """Run the campaign, unless it was run before. Return the numbers that were suppressed meanwhile.

        Raises:
            ConflictError: The campaign is not what the job wants.
        """
        stored = await self._find("campaigns.run")
        if stored is None or stored.send.state is not SendState.DONE:
            self.report(JobStep.RUNNING)
        wanted, removed = self._wanted, set[str]()

        async def run() -> None:
            await wanted.before_run()
            await self._tingting.campaigns.run(self._id, recipients=people, idempotency_key=self._key)

        while True:
            try:
                await self._once(run)
            except GuardError as error:
                if error.guard != "suppressed" or removed or not (removed := {*await self._remove_suppressed()}):
                    raise
                if removed.issuperset(str(each.number) for each in people):
                    raise self._nobody_left() from None
                wanted.expected = None
            except ConflictError:
                if not wanted.missing:
                    raise
                await self._add_missing()
            else:
                return removed

    async def _add_missing(self) -> None:
        """Add the contacts again that somebody has deleted. Those that the service refuses stay missing."""
        wanted = self._wanted
        missing, wanted.missing, wanted.is_restored = wanted.missing, [], True
        added = await self._tingting.contacts.add_many(self._id, missing, keep_contacts=False)
        self._note_refused(missing, added)
        wanted.expected = (wanted.expected or 0) + added.created

    async def _remove_suppressed(self) -> AbstractSet[str]:
        """Delete contacts that were put on the suppression list after they were added. Return their numbers."""
        suppressed, contacts = await self._core.suppressed_numbers("CampaignJob"), self._tingting.contacts
        found: dict[str, int] = {}
        async for contact in contacts.list(self._id, exact=True):
            if (number := national(contact.number)) is not None and number in suppressed:
                found[number] = contact.id
        for contact_id in found.values():
            await contacts.delete(contact_id)
        return found.keys()

    async def follow(self, timeout: float | None, poll_interval: float, max_poll_interval: float) -> Campaign:
        """Wait until the campaign has ended."""
        polls = self._tingting.campaigns.progress(
            self._id, poll_interval=poll_interval, max_poll_interval=max_poll_interval
        )
        status = "its status was not seen since then"
        try:
            async with asyncio.timeout(timeout):
                async for campaign in polls:
                    self._campaign = campaign
                    status = f"its last status was {str(campaign.status)!r}"
                    self.report(JobStep.FOLLOWING)
        except TimeoutError:
            advice = "Run the job again to follow it again."
            if self._key is None:
                advice = f"Follow it with campaigns.wait({self._id}); this job cannot be run again without a key."
            raise WaitTimeoutError(
                f"CampaignJob: timed out after {timeout:g} s. The service has accepted the run of campaign {self._id}; "
                f"{status}. {advice}",
                last=self._seen,
            ) from None
        return self._seen

    async def _once(self, call: Callable[[], Awaitable[T]]) -> T | None:
        """Make a call whose key the ledger knows, until it is certain that it was made once."""
        return await (call() if self._key is None else ensure_sent(call, wait=self._wait))

    @property
    def _seen(self) -> Campaign:
        assert self._campaign is not None, "it was created"
        return self._campaign

    @property
    def _wanted(self) -> Comparison:
        assert self._comparison is not None, "the campaign was created"
        return self._comparison

    @property
    def _id(self) -> int:
        return self._seen.id


async def _content(selection: Selection) -> dict[str, str]:
    """Return the content, besides the campaign's fields, that each run of a job must have."""
    return {"recipients": await run_in_thread(selection.digest)}
