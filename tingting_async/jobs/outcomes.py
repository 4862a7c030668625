"""What became of the rows of a job: they are matched to the contacts of its campaign by their numbers."""

from collections.abc import Iterable, Mapping, Set as AbstractSet
from contextlib import suppress
from decimal import Decimal

from tingting_async.errors import ApiError, DecodeError, UsageError
from tingting_async.jobs.job_result import JobOutcome, JobResult, JobRow
from tingting_async.jobs.selection import SUPPRESSED, SelectedRow, Selection
from tingting_async.quantities import counted
from tingting_async.redaction import mask
from tingting_async.resources.models import CallStatus
from tingting_async.v1.models.campaigns import Campaign, CampaignStatus
from tingting_async.v1.models.contacts import Contact
from tingting_async.v1.reach import national
from tingting_async.v1.session import TingTing

_ATTEMPTS = ("attempts", "attempt", "call attempts", "attempt count", "no of attempts", "number of attempts", "tries")
"""The names of columns and fields that say how often the service tried, in lower case and with spaces."""
_GONE = (
    "The campaign has no contact with this number: it was left out, the service refused it, or it was deleted since."
)
_STOPPED = "The campaign was stopped before anything was tried."
_HIDDEN = "The service does not show the numbers of all contacts, so it is unknown what became of this one."


def suppressed_reason(row: int, number: str) -> str:
    """Return why a row is left out whose number is never reached."""
    return f"Row {row}: the number ({mask(number)}) is on the suppression list."


async def read_outcomes(
    tingting: TingTing,
    campaign: Campaign,
    selection: Selection,
    refused: Mapping[str, str],
    suppressed: AbstractSet[str],
    not_added: int | None = None,
) -> JobResult:
    """Return the outcome of every row of the input.

    Args:
        tingting: The session.
        campaign: The campaign, which has ended.
        selection: The rows.
        refused: Why the service refused contacts, by their number.
        suppressed: The numbers that are never reached.
        not_added: How many contacts the job did not add, if it was sent before; None if this run has sent it.
    """
    found: dict[str, Contact] = {}
    unreadable = 0
    async for contact in tingting.contacts.list(campaign.id, exact=True):
        if (number := national(contact.number)) is None:
            unreadable += 1
        else:
            found.setdefault(number, contact)
    # The list may have got numbers since a job was sent: it explains who is missing only if nobody was deleted.
    absent = {str(contact.number) for contact in selection.contacts} - found.keys()
    if not_added is not None and (unreadable or len(absent) != not_added):
        suppressed = frozenset()
    attempts, notes = await _read_attempts(tingting, campaign)
    missing = _HIDDEN if unreadable else _GONE
    was_stopped = campaign.status == CampaignStatus.TERMINATED
    rows = tuple(
        _row(each, found, refused, suppressed, attempts, missing, was_stopped=was_stopped) for each in selection.rows
    )
    others = len(found.keys() - {contact.number for contact in selection.contacts})
    if others:
        contacts = f"{counted(others, 'contact')} that {'is' if others == 1 else 'are'}"
        notes.append(f"The campaign has {contacts} not among the recipients.")
    if unreadable:
        notes.append(f"The service shows {counted(unreadable, 'contact')} of the campaign without a readable number.")
    return JobResult(campaign, rows, selection.recipients, tuple(notes))


def _row(
    selected: SelectedRow,
    found: Mapping[str, Contact],
    refused: Mapping[str, str],
    suppressed: AbstractSet[str],
    attempts: Mapping[str, int],
    missing: str,
    *,
    was_stopped: bool,
) -> JobRow:
    row, number = selected.row, selected.number
    if selected.problem or number is None:
        return JobRow(
            row=row, number=number, outcome=JobOutcome.LEFT_OUT, problem=selected.problem, reason=selected.reason
        )
    contact = found.get(number)
    if contact is None:
        if number in refused:
            return JobRow(row=row, number=number, outcome=JobOutcome.REFUSED, reason=refused[number])
        if number in suppressed:
            reason = suppressed_reason(row, number)
            return JobRow(row=row, number=number, outcome=JobOutcome.LEFT_OUT, problem=SUPPRESSED, reason=reason)
        return JobRow(row=row, number=number, outcome=JobOutcome.UNKNOWN, is_final=False, reason=missing)
    status = contact.status
    was_reached = bool(contact.failover_sms_sent) or (status is not None and status.was_reached)
    is_left = was_stopped and status == CallStatus.NOT_STARTED
    is_final = is_left or (status is not None and status.is_final)
    return JobRow(
        row=row,
        number=number,
        outcome=JobOutcome.REACHED if was_reached else JobOutcome.NOT_REACHED if is_final else JobOutcome.OPEN,
        status=status,
        was_reached=was_reached,
        is_final=is_final,
        duration=contact.duration,
        playback=contact.playback,
        credits=_sum(contact.credit_consumed, contact.credit_consumed_sms),
        attempts=_attempts(contact.extra) or attempts.get(number),
        carrier=contact.carrier,
        reason=_STOPPED if is_left and not was_reached else "",
    )


async def _read_attempts(tingting: TingTing, campaign: Campaign) -> tuple[dict[str, int], list[str]]:
    """Return how often the service tried each number, by the report, and the notes about the report."""
    attempts: dict[str, int] = {}
    try:
        async for row in tingting.reports.rows(campaign.id):
            number, count = national(row.number), _attempts(row.values)
            if number is not None and count is not None:
                attempts[number] = count
    except (DecodeError, ApiError, UsageError) as error:  # The contacts themselves say what became of them.
        return attempts, [f"The report could not be read: {error}"]
    return attempts, []


def _attempts(values: Mapping[str, object]) -> int | None:
    for name, value in values.items():
        if " ".join(name.replace("_", " ").lower().split()) in _ATTEMPTS:
            with suppress(ValueError, TypeError):
                return int(str(value))
    return None


def _sum(*amounts: Decimal | None) -> Decimal | None:
    known: Iterable[Decimal] = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known else None
