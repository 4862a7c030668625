"""What a job would do, without sending or creating anything."""

import os
from collections import Counter
from collections.abc import Collection, Generator, Set as AbstractSet
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import TYPE_CHECKING

import attrs

from tingting_async.client.core import Core
from tingting_async.errors import UsageError
from tingting_async.jobs.checks import check, read_suppressed
from tingting_async.jobs.comparison import refuse_late
from tingting_async.jobs.outcomes import suppressed_reason
from tingting_async.jobs.row_files import write_rejects, write_rows
from tingting_async.jobs.selection import SUPPRESSED, Selection
from tingting_async.persistence import run_in_thread
from tingting_async.quantities import counted
from tingting_async.recipients.recipient_list import RecipientList
from tingting_async.recipients.texts import fill
from tingting_async.redaction import mask_repr, repr_items, repr_text
from tingting_async.resources.models import NewContact, Services
from tingting_async.resources.reach import CALLS, TEXTS, parts_of
from tingting_async.v1.campaign_fields import OptionalFields
from tingting_async.v1.dashboard import Dashboards

if TYPE_CHECKING:
    from tingting_async.client.guards import Prices


@attrs.frozen(kw_only=True)
class PreviewRow:
    """A row of the input, and what the person would get. Its `repr` masks the number, and does not show the texts.

    Attributes:
        row: The number of the row, as the spreadsheet shows it.
        number: The phone number's digits, without the country code; None if the row has no valid number.
        message: What the person would hear; empty without a call.
        sms_message: What the person would read; empty without a text message.
        sms_parts: How many parts that has.
        problem: The kind of the problem for which the row would be left out; empty if it would be reached.
        reason: The same as a sentence.
    """

    row: int
    number: str | None = attrs.field(default=None, repr=mask_repr)
    message: str = attrs.field(default="", repr=False)
    sms_message: str = attrs.field(default="", repr=False)
    sms_parts: int = 0
    problem: str = attrs.field(default="", repr=repr_text)
    reason: str = attrs.field(default="", repr=repr_text)


@attrs.frozen
class JobPreview:
    """What a `CampaignJob` would do. `str()` of it is a text to show.

    Attributes:
        rows: One row for each row of the input, in its order.
        recipients: The input.
        problems: What would keep the job from reaching anybody now, as sentences.
        calls: How many people would be called.
        sms_parts: How many parts all text messages together would have.
        estimated_credits: What the job would cost, as estimated by the prices; None without prices.
        credits_left: How many credits the account has left; None without prices.
        was_sent: Whether a job with this key was sent before, so that it reaches nobody now.
        is_refused: Whether `run` would raise an error now, for one of the problems.
    """

    rows: tuple[PreviewRow, ...] = attrs.field(repr=repr_items)
    recipients: RecipientList = attrs.field(repr=False)
    problems: tuple[str, ...] = attrs.field(default=(), repr=repr_items)
    calls: int = 0
    sms_parts: int = 0
    estimated_credits: Decimal | None = None
    credits_left: Decimal | None = None
    was_sent: bool = False
    is_refused: bool = False

    @property
    def reached(self) -> tuple[PreviewRow, ...]:
        """The rows that would be called or texted. None would be if the job was sent before."""
        return () if self.was_sent else tuple(row for row in self.rows if not row.problem)

    @property
    def left_out(self) -> tuple[PreviewRow, ...]:
        """The rows that would be left out."""
        return tuple(row for row in self.rows if row.problem)

    def __str__(self) -> str:
        kinds = Counter(row.problem for row in self.left_out)
        count = f"{len(self.reached)} of {len(self.rows)} rows would be reached."
        parts = [f"`run` would be refused now. Otherwise, {count}" if self.is_refused else count]
        parts += [f"{count} left out: {kind}." for kind, count in kinds.items()]
        if self.sms_parts:
            parts.append(f"SMS parts: {self.sms_parts}.")
        if self.estimated_credits is not None:
            left = "" if self.credits_left is None else f", and the account has {self.credits_left:f} left"
            parts.append(f"Credits: {self.estimated_credits:f} are estimated{left}.")
        return "\n".join((*parts, *self.problems))

    async def write(self, path: str | os.PathLike[str]) -> int:
        """Write the rows into a .csv, .xlsx or .jsonl file, as `JobResult.write` does, and return their number.

        Args:
            path: The file; `~` is the user's home. An existing file is replaced.

        Raises:
            UsageError: The file cannot be written, or has another suffix.
        """
        return await write_rows(path, self.recipients, self.rows, PreviewRow)

    async def write_rejects(self, path: str | os.PathLike[str]) -> int:
        """Write the rows that would be left out to a file, to be corrected and read again. Return their number.

        Args:
            path: A file with the suffix .csv, or .xlsx, which needs the extra `sheets`. It is replaced.

        Raises:
            UsageError: The file cannot be written.
        """
        return await write_rejects(path, self.recipients, [row.reason if row.problem else None for row in self.rows])


async def preview(
    core: Core,
    services: Services,
    fields: OptionalFields,
    selection: Selection,
    prices: "Prices | None",
    *,
    was_sent: bool,
) -> JobPreview:
    """Return the preview of a job.

    Args:
        core: The session.
        services: How its campaign reaches people.
        fields: Its other fields.
        selection: The rows.
        prices: What the user pays; None for the prices of the guards.
        was_sent: Whether it was sent before. Then nobody is reached, and nothing is checked.
    """
    problems: list[str] = []
    suppressed: AbstractSet[str] = frozenset()
    people: list[NewContact] = []
    if not was_sent:
        with _noted(problems):
            refuse_late(core, fields.get("schedule"))
        with _noted(problems):
            suppressed = await read_suppressed(core, must_be_known=True)
        people = selection.people(suppressed)
        with _noted(problems):
            selection.refuse_nobody(people)
            await check(core, services, fields, people)
    call = (fields.get("message") or "") if services in CALLS and not was_sent else ""
    text = (fields.get("sms_message") or "") if services in TEXTS and not was_sent else ""
    rows = await run_in_thread(lambda: _rows(selection, suppressed, call, text))
    calls, parts = len(people) if services in CALLS else 0, sum(row.sms_parts for row in rows)
    cost = left = None
    if prices is not None:
        cost = prices.estimate(calls=calls, sms_parts=parts)
    elif core.guards is not None and core.guards.prices is not None:
        with suppress(UsageError):  # The guards may lack the price of campaigns that nobody limits.
            cost = core.guards.prices.estimate(calls=calls, sms_parts=parts)
    is_refused = bool(problems)
    if cost is not None:
        left = (await Dashboards(core).get()).remaining_credits
        if prices is not None and left is not None and cost > left:  # The guards' prices are checked above.
            problems.append(f"It is estimated to cost {counted(cost, 'credit')}, and the account has {left:f} left.")
    return JobPreview(rows, selection.recipients, tuple(problems), calls, parts, cost, left, was_sent, is_refused)


@contextmanager
def _noted(problems: list[str]) -> Generator[None]:
    """Note why the job would be refused."""
    try:
        yield
    except UsageError as error:
        problems.append(str(error))


def _rows(selection: Selection, suppressed: Collection[str], call: str, text: str) -> tuple[PreviewRow, ...]:
    contacts = iter(selection.contacts)
    return tuple(
        PreviewRow(row=each.row, number=each.number, problem=each.problem, reason=each.reason)
        if each.problem
        else _row(each.row, next(contacts), suppressed, call, text)
        for each in selection.rows
    )


def _row(row: int, contact: NewContact, suppressed: Collection[str], call: str, text: str) -> PreviewRow:
    number, values = str(contact.number), contact.variables
    if number in suppressed:
        return PreviewRow(row=row, number=number, problem=SUPPRESSED, reason=suppressed_reason(row, number))
    return PreviewRow(
        row=row,
        number=number,
        message=fill(call, values),
        sms_message=fill(text, values),
        sms_parts=parts_of(text, [values]) if text else 0,
    )
