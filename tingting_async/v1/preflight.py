"""The check of a campaign before it is run."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tingting_async.client.core import Core
from tingting_async.errors import UsageError
from tingting_async.quantities import counted
from tingting_async.recipients import texts
from tingting_async.recipients.texts import is_blank
from tingting_async.redaction import mask
from tingting_async.resources import arguments
from tingting_async.resources.base import TimeoutLike
from tingting_async.resources.models import Services
from tingting_async.resources.reach import CALLS, TEXTS, parts_of
from tingting_async.v1.contacts import Contacts
from tingting_async.v1.dashboard import Dashboards
from tingting_async.v1.models.campaigns import Campaign, CampaignStatus, PreflightReport
from tingting_async.v1.models.contacts import Contact
from tingting_async.v1.reach import iterate, national, read_values, variables_of

if TYPE_CHECKING:
    from tingting_async.client.guards import Prices

_MAX_PROBLEMS = 1000
"""The maximum number of recipients with problems that a report names."""
_LEGACY = (
    "that seems to be typed for a legacy Nepali font such as Preeti: nobody could read it. Convert it to Unicode; or "
    "give `allow_legacy_font=True` if it is right."
)


class _Values:
    """The values of all recipients: those that are missing, and the parts of the SMS that they make."""

    def __init__(self, placeholders: frozenset[str], text: str, *, allow_legacy_font: bool) -> None:
        self._placeholders = placeholders
        self._text = text
        self._allow_legacy_font = allow_legacy_font
        self._problems: dict[int, str] = {}
        self._found = 0
        self.count = 0
        self.sms_parts = 0

    def take(self, row: int, name: str, values: Mapping[str, Any]) -> None:
        """Check the values of a recipient, who has this name in a problem."""
        self.count += 1
        used = {each: values.get(each) for each in self._placeholders}
        missing = sorted(each for each, value in used.items() if is_blank(value))
        garbled = sorted(each for each, value in used.items() if not self._allow_legacy_font and _is_garbled(value))
        if missing or garbled:
            self._found += 1
            if len(self._problems) < _MAX_PROBLEMS:
                said = [f"{name} has no value for {arguments.names_of(missing)}."] if missing else []
                said += [f"{name} has a value for {arguments.names_of(garbled)} {_LEGACY}"] if garbled else []
                self._problems[row] = " ".join(said)
        if self._text:
            self.sms_parts += parts_of(self._text, [values])

    def problems(self) -> list[str]:
        """Return the problems in the order of the recipients."""
        found = [text for _, text in sorted(self._problems.items())]
        if (more := self._found - len(found)) > 0:
            found.append(f"And {more} more {'has a problem' if more == 1 else 'have problems'} like these.")
        return found


def _is_garbled(value: object) -> bool:
    from tingting_async.recipients.legacy_fonts import is_legacy_font  # noqa: PLC0415 - few programs need it

    return isinstance(value, str) and is_legacy_font(value)


async def preflight(
    core: Core,
    campaign: Campaign,
    timeout: TimeoutLike,
    recipients: Sequence[Any] | None,
    prices: "Prices | None",
    max_contacts: int,
    *,
    allow_legacy_font: bool,
) -> PreflightReport:
    """Find the problems that a run of a campaign would have, and estimate its cost."""
    contacts, problems = Contacts(core), list[str]()
    total = await contacts.list(campaign.id, timeout=timeout).count()
    placeholders = frozenset(texts.placeholders(f"{campaign.message or ''} {campaign.sms_message or ''}"))
    text = (campaign.sms_message or "") if campaign.services in TEXTS else ""
    values = _Values(placeholders, text, allow_legacy_font=allow_legacy_font)
    expected = total
    if not total:
        problems.append("It has no contacts.")
    if recipients is not None:
        suppressed, row = await core.suppressed_numbers("campaigns.preflight"), 0
        async for each in iterate(recipients):
            name = f"`recipients[{row}]`" if getattr(each, "row", None) is None else f"Row {each.row}"
            # Who is on the suppression list is never added.
            if not suppressed or national(getattr(each, "number", each)) not in suppressed:
                values.take(row, name, variables_of(each))
            row += 1
        expected = values.count
        if total and expected and total != expected:
            without = " without those on the suppression list" if expected < row else ""
            problems.append(
                f"It has {counted(total, 'contact')}, but `recipients` has {expected}{without}. A run reaches every "
                "contact, so give exactly the recipients that were added."
            )
        elif not expected:
            problems.append("`recipients` is empty." if not row else "All `recipients` are on the suppression list.")
    elif total and placeholders:
        rows = await contacts.list(campaign.id, exact=True, timeout=timeout).collect(max_contacts)

        def take(row: int, found: Mapping[str, Any]) -> None:
            values.take(row, f"Contact {rows[row].id}", found)

        await read_values(contacts, rows, take, timeout)
        problems += _same_numbers(rows)
        if values.count < total:
            problems.append(
                f"Only {values.count} of its {total} contacts {'was' if values.count == 1 else 'were'} checked "
                "(`max_contacts`). Call campaigns.preflight() with `recipients`, which needs no request for each."
            )
    else:
        values.count, values.sms_parts = total, parts_of(text, [{}]) * total
    problems = [*problems, *values.problems(), *_problems(campaign, allow_legacy_font=allow_legacy_font)]
    parts = values.sms_parts if values.count >= expected else None
    estimate = _estimate(core, campaign, prices, expected, parts)
    left = None if estimate is None else (await Dashboards(core).get(timeout=timeout)).remaining_credits
    if estimate is not None and left is not None and estimate > left:
        problems.append(f"It is estimated to cost {counted(estimate, 'credit')}, and the account has {left:f} left.")
    return PreflightReport(
        campaign=campaign,
        contacts=total,
        placeholders=placeholders,
        problems=tuple(problems),
        checked=values.count,
        sms_parts=parts,
        estimated_credits=estimate,
        credits_left=left,
    )


def _same_numbers(contacts: Iterable[Contact]) -> list[str]:
    """Return the numbers that several contacts have, as problems."""
    ids: dict[str, list[int]] = {}
    for contact in contacts:
        if (number := national(contact.number)) is not None:
            ids.setdefault(number, []).append(contact.id)
    return [
        f"The contacts {', '.join(map(str, found))} have the same number ({mask(number)}). A run reaches that person "
        f"{len(found)} times: delete all but one with contacts.delete()."
        for number, found in ids.items()
        if len(found) > 1
    ][:_MAX_PROBLEMS]


def _estimate(
    core: Core, campaign: Campaign, prices: "Prices | None", recipients: int, parts: int | None
) -> Decimal | None:
    """Return the estimated cost of the run; None if there are no prices for it."""
    given = prices if prices is not None or core.guards is None else core.guards.prices
    if given is None or parts is None or campaign.services not in CALLS | TEXTS:
        return None
    try:
        return given.estimate(sms_parts=parts, calls=recipients if campaign.services in CALLS else 0)
    except UsageError:
        if prices is not None:
            raise
        return None  # The guards need no price for campaigns that nobody runs.


def _problems(campaign: Campaign, *, allow_legacy_font: bool) -> list[str]:
    """Return the problems that the campaign's own fields show."""
    is_call = campaign.services is not Services.SMS
    has_message = campaign.services in (Services.PHONE, Services.SMS_AND_PHONE)
    has_sms = campaign.services in (Services.SMS, Services.SMS_AND_PHONE)
    is_judged = not allow_legacy_font
    found = {
        "It has no line to call from.": is_call and not campaign.lines,
        "It has no voice.": is_call and campaign.voice is None and not campaign.audio_file,
        "It has no message.": has_message and not campaign.message and not campaign.audio_file,
        "It has no SMS message.": has_sms and not campaign.sms_message,
        f"It has a message {_LEGACY}": has_message and is_judged and _is_garbled(campaign.message),
        f"It has an SMS message {_LEGACY}": has_sms and is_judged and _is_garbled(campaign.sms_message),
        "It is a draft.": campaign.draft,
        f"Its status is {str(campaign.status)!r}.": campaign.status not in (None, CampaignStatus.NOT_STARTED),
    }
    return [problem for problem, is_found in found.items() if is_found]
