"""Checks, before the campaign of a job is run, that it is as the job wants it: others may have changed it."""

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence, Set as AbstractSet
from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import Any, NoReturn

import attrs

from tingting_async.client.core import Core
from tingting_async.decoding.scalars import KATHMANDU
from tingting_async.errors import ConflictError, OutcomeUnknownError, UsageError
from tingting_async.http.messages import Request, Response, T
from tingting_async.outcomes import Reconciler, Reconciliation, Send, Verdict, known_outcome, target_id
from tingting_async.quantities import counted
from tingting_async.redaction import mask
from tingting_async.resources.models import NewContact, Services
from tingting_async.resources.reach import CALLS, TEXTS
from tingting_async.v1.campaign_fields import OptionalFields, voice_id
from tingting_async.v1.models.campaigns import Campaign, CampaignStatus, Category
from tingting_async.v1.reach import national
from tingting_async.v1.reconcile import MISREAD, reconcile_run
from tingting_async.v1.session import TingTing

_SHOWN = 3
"""The maximum number of phone numbers that an error shows."""
_SHORTEST = 7
"""The minimum number of digits of a number. Fewer digits are only a part of one."""


def refuse_late(core: Core, schedule: datetime | None) -> None:
    """Refuse a job whose time has passed: its campaign would run at once, regardless of the hour.

    Raises:
        UsageError: The time has passed, by the clock of this machine or of the service.
    """
    clocks = core.read_clocks()
    if schedule is not None and schedule <= max(clocks.local, clocks.service or clocks.local):
        raise UsageError(
            "CampaignJob: nothing was sent. `schedule` has passed, so the campaign would run at once. Make a job with "
            "another `schedule` and another `idempotency_key`. If this one has created its campaign, delete that."
        )


def different_fields(campaign: Campaign, services: Services, fields: OptionalFields) -> list[str]:
    """Return how the campaign differs from the job: in how it reaches people, and in what it says.

    Fields that the job leaves to the service are not compared, nor are spaces and line breaks of messages.
    """
    calls, texts = services in CALLS, services in TEXTS
    voice, lines = fields.get("voice"), fields.get("lines")
    differs = {
        "services": campaign.services != services,
        "message": calls and _words(campaign.message) != _words(fields.get("message")),
        "sms_message": texts and _words(campaign.sms_message) != _words(fields.get("sms_message")),
        "voice": calls and voice is not None and (campaign.voice is None or campaign.voice.id != voice_id(voice)),
        "lines": calls and lines is not None and sorted(campaign.lines) != sorted(lines),
        "category": calls and campaign.category not in (None, "", fields.get("category") or Category.TEXT),
        "failover": services is Services.SMS_AND_PHONE and _is_other_set(campaign.failover_target, fields),
        "length_factor": calls and _is_other_number(fields.get("length_factor"), campaign.length_factor),
        "credit_limit": _is_other_number(fields.get("credit_limit"), campaign.credit_limit),
        "schedule": _is_other_time(fields.get("schedule"), campaign.schedule),
        "draft": bool(campaign.draft),
    }
    return [f"`{name}` differs" for name, is_different in differs.items() if is_different]


def _words(text: str | None) -> list[str]:
    return (text or "").split()


def _is_other_set(shown: Sequence[Any], fields: OptionalFields) -> bool:
    wanted = fields.get("failover")
    return wanted is not None and set(shown) != ({wanted} if isinstance(wanted, str) else {*wanted})


def _is_other_number(wanted: Any, shown: Any) -> bool:
    return wanted is not None and (shown is None or float(wanted) != float(shown))


def _is_other_time(wanted: datetime | None, shown: datetime | None) -> bool:
    """Return whether a campaign would start at another time. The service may show the day only."""
    if wanted is None or shown is None:
        # A campaign does not start at a time in the past.
        return wanted is not None or (shown is not None and shown > datetime.now(UTC))
    is_day = shown.astimezone(KATHMANDU).time() == time()
    return abs(wanted - shown) >= (MISREAD if is_day else timedelta(minutes=1))


@attrs.define(eq=False, repr=False)
class Comparison:
    """Compares the campaign of a job with what the job wants.

    Attributes:
        tingting: The session.
        core: What its resources share.
        key: The key of the job.
        id: The campaign's id.
        services: How it reaches people.
        fields: Its other fields.
        contacts: Whom it reaches.
        expected: How many contacts the campaign has, as far as this run knows it. None if it does not: then all
            numbers are read.
        missing: The contacts that it does not have, and that nobody has tried to add again.
        is_restored: Whether missing contacts were added again.
    """

    tingting: TingTing
    core: Core
    key: str | None
    id: int
    services: Services
    fields: OptionalFields
    contacts: Sequence[NewContact]
    expected: int | None = None
    missing: list[NewContact] = attrs.field(factory=list[NewContact], init=False)
    is_restored: bool = attrs.field(default=False, init=False)

    async def before_adding(self) -> int:
        """Compare the campaign, apart from its contacts. Return how many contacts it has.

        Raises:
            TingTingError: See `before_run`.
        """
        return await self._compare(self._look)

    async def before_run(self) -> None:
        """Compare the campaign and its contacts, unless the ledger has its run.

        Raises:
            ConflictError: Something differs, or contacts are missing.
            DuplicateSendError: The ledger has its run, which it may have got meanwhile.
            NotFoundError: The campaign was deleted.
            OutcomeUnknownError: It was run, and the ledger does not know by whom.
            UsageError: Its time has passed.
        """
        await self._compare(self._look_at_all)

    async def _compare(self, look: Callable[[], Awaitable[T]]) -> T:
        called = self.core.note_clocks()
        request = self._run_request(lambda send: reconcile_run(self.core, self.id, send, called))
        try:
            return await self.core.prepare(request, look)
        except OutcomeUnknownError as error:
            await self._record(error)
            raise

    def _run_request(self, reconciler: Reconciler) -> Request[Response]:
        """Return the request that stands for the run in the ledger."""
        return Request.send(
            "",
            Response,
            "campaigns.run",
            reconciler=reconciler,
            send_target=f"campaign {self.id}",
            idempotency_key=self.key,
        )

    async def _look(self) -> int:
        campaign = await self.tingting.campaigns.get(self.id)
        if campaign.status not in (None, CampaignStatus.NOT_STARTED):
            raise OutcomeUnknownError(
                f"campaigns.run: nothing was sent now. The status of campaign {self.id} was {str(campaign.status)!r} "
                "before this job had run it. If that run was meant for this job, record it with `mark_sent()` and run "
                "the job again: it then only reads the outcomes.",
                operation="campaigns.run",
                method="POST",
            )
        refuse_late(self.core, self.fields.get("schedule"))  # The response has just told the service's time.
        if differences := different_fields(campaign, self.services, self.fields):
            raise self.conflict(differences)
        count = await self.tingting.contacts.list(self.id).count()
        return max(count, campaign.contact_count or 0)

    async def _look_at_all(self) -> None:
        if await self._look() != self.expected and (differences := await self._different_contacts()):
            raise self.conflict(differences)
        if self.missing:
            were = "was" if len(self.missing) == 1 else "were"
            raise self.conflict([f"{len(self.missing)} of its contacts {were} deleted"])

    async def _different_contacts(self) -> list[str]:
        """Read all contacts. Return the differences, and note who is missing."""
        found, hidden = Counter[str](), 0
        async for contact in self.tingting.contacts.list(self.id, exact=True):
            if (number := _readable(contact.number)) is not None:
                found[number] += 1
            else:
                hidden += 1
        total = found.total() + hidden
        wanted = {str(contact.number) for contact in self.contacts}
        if differences := _different_numbers(found, wanted):
            return differences
        if hidden and total > len(wanted):
            return [f"it has {counted(total, 'contact')}, and the job has {len(wanted)}"]
        if not hidden and not self.is_restored:  # `add_many` leaves out who is suppressed.
            rest = wanted - found.keys()
            self.missing = [contact for contact in self.contacts if contact.number in rest]
        self.expected = total
        return []

    def conflict(self, differences: Sequence[str]) -> ConflictError:
        """Return the error that says what differs."""
        return ConflictError(
            f"CampaignJob: nothing was sent. Campaign {self.id} is not what the job wants: {'; '.join(differences)}. "
            "Somebody has changed it, or it is another campaign of this name. Change it back on the service's pages, "
            "and run the job again; or give a new `idempotency_key`, for a new campaign.",
            operation="campaigns.run",
        )

    async def _record(self, error: OutcomeUnknownError) -> None:
        """Record that it is unknown who has run the campaign, so that a person can decide."""
        if self.core.ledger is None:
            return

        async def refuse(request: Request[Response]) -> NoReturn:
            if request.before_send is not None:
                await request.before_send()  # This is the claim.
            raise error

        unknown = Reconciliation(Verdict.UNKNOWN, str(error))
        request = self._run_request(partial(known_outcome, unknown))
        await self.core.ledger.execute(self.core.base_url, request, refuse, self.core.read_clocks)


def _readable(number: str | None) -> str | None:
    """Return the digits of a number, which may be one of another country; None if the service hides some of them."""
    digits = re.sub("[ ()+-]", "", number or "")
    return national(number) or (digits if digits.isdigit() and len(digits) >= _SHORTEST else None)


def _different_numbers(found: Counter[str], wanted: AbstractSet[str]) -> list[str]:
    differences: list[str] = []
    if others := [number for number in found if number not in wanted]:
        contacts = f"{counted(len(others), 'contact')} that {'is' if len(others) == 1 else 'are'}"
        differences.append(f"it has {contacts} not among the recipients ({_masked(others)})")
    if repeated := [number for number, count in found.items() if count > 1]:
        differences.append(f"it has {counted(len(repeated), 'number')} more than once ({_masked(repeated)})")
    return differences


def _masked(numbers: Sequence[str]) -> str:
    return ", ".join(map(mask, numbers[:_SHOWN])) + ", …" * (len(numbers) > _SHOWN)


def advice_on_changes(sent: Send | None) -> str:
    """Return what to do if an earlier run of a job had other recipients or other fields.

    Args:
        sent: What the ledger has of the run of its campaign.
    """
    same = "Give the same recipients and fields as then"
    if sent is None:
        return (
            f"{same}, or a new `idempotency_key`, for a new campaign. Nobody was reached with this key; if it has a "
            "campaign, delete that."
        )
    id_ = target_id(sent, "…")
    return (
        f"{same}. The job with this key was run, or may have been, as campaign {id_}: a new key makes a new campaign, "
        "which calls and texts everybody again. To reach only the rows that you have corrected or added, read them "
        "with `besides=` the earlier list, and run a new job of them. If the campaign is still scheduled, change it "
        f"with campaigns.update({id_}, …), or stop it with campaigns.stop({id_})."
    )
