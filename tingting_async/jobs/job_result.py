"""What became of every row of a job's input."""

import os
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

import attrs

from tingting_async.jobs.row_files import write_rejects, write_rows
from tingting_async.recipients.recipient_list import RecipientList
from tingting_async.redaction import mask_repr, repr_items, repr_text
from tingting_async.resources.models import CallStatus
from tingting_async.v1.models.campaigns import Campaign


class JobOutcome(StrEnum):
    """What became of a row. Every row has exactly one.

    Attributes:
        REACHED: Somebody answered the call, or was sent the text message.
        NOT_REACHED: Nobody was reached, and nothing more is tried.
        OPEN: The service has not said yet what became of it, although the campaign has ended.
        LEFT_OUT: It has a problem, so it was not given to the service. `reason` says which.
        REFUSED: The service refused it. `reason` is the service's.
        UNKNOWN: The campaign does not have the contact. `reason` says more.
    """

    REACHED = "reached"
    NOT_REACHED = "not reached"
    OPEN = "open"
    LEFT_OUT = "left out"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@attrs.frozen(kw_only=True)
class JobRow:
    """A row of the input, and what became of it. Its `repr` masks the number.

    Attributes:
        row: The number of the row, as the spreadsheet shows it.
        number: The phone number's digits, without the country code; None if the row has no valid number.
        outcome: What became of it, in one word.
        status: The contact's status; None if the campaign does not have it.
        was_reached: Whether somebody answered the call, or was sent a text message, be it after a call that failed.
        is_final: Whether that no longer changes.
        duration: The length of the call.
        playback: How much of the message was heard, in percent.
        credits: What it cost, in credits, calls and text messages together; None if the service does not say it.
        attempts: How often the service tried; None if it does not say it.
        carrier: The phone company, such as "NTC".
        problem: The kind of the problem for which it was left out, such as `"duplicate"`; empty if there is none.
        reason: Why it was left out or refused, is unknown, or was not reached because the campaign was stopped; empty
            otherwise.
    """

    row: int
    number: str | None = attrs.field(default=None, repr=mask_repr)
    outcome: JobOutcome
    status: CallStatus | None = attrs.field(default=None, repr=repr_text)
    was_reached: bool = False
    is_final: bool = True
    duration: timedelta | None = None
    playback: Decimal | None = None
    credits: Decimal | None = None
    attempts: int | None = None
    carrier: str | None = attrs.field(default=None, repr=repr_text)
    problem: str = attrs.field(default="", repr=repr_text)
    reason: str = attrs.field(default="", repr=repr_text)


@attrs.frozen
class JobSummary:
    """How many rows had which outcome. `str()` of it is a text to show.

    Attributes:
        rows: The number of rows of the input. The numbers of `outcomes` add up to it.
        outcomes: The number of rows by their outcome.
        statuses: The number of contacts by their status.
        problems: The number of rows that were left out, by the kind of their problem.
        credits: What the job cost, in credits, as far as the service says it.
        notes: Other remarks.
    """

    rows: int
    outcomes: Mapping[JobOutcome, int]
    statuses: Mapping[CallStatus, int]
    problems: Mapping[str, int]
    credits: Decimal
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        reached = self.outcomes.get(JobOutcome.REACHED, 0)
        parts = [f"{reached} of {self.rows} rows {'was' if reached == 1 else 'were'} reached."]
        for outcome, count in self.outcomes.items():
            if outcome is not JobOutcome.REACHED:
                kinds = self.problems.items() if outcome is JobOutcome.LEFT_OUT else ()
                details = ", ".join(f"{number} {kind}" for kind, number in kinds)
                parts.append(f"{count} {outcome}{f' ({details})' * bool(details)}.")
        parts.append(f"Credits: {self.credits:f}.")
        return "\n".join((*parts, *self.notes))


@attrs.frozen
class JobResult:
    """The result of a `CampaignJob`: what became of every row of its input.

    Attributes:
        campaign: The campaign, as it was in the end.
        rows: One row for each row of the input, in its order.
        recipients: The input.
        notes: Other remarks, such as that the campaign has contacts that are not in the input.
    """

    campaign: Campaign
    rows: tuple[JobRow, ...] = attrs.field(repr=repr_items)
    recipients: RecipientList = attrs.field(repr=False)
    notes: tuple[str, ...] = attrs.field(default=(), repr=repr_items)

    def summary(self) -> JobSummary:
        """Return how many rows had which outcome, and what they cost."""
        outcomes = Counter(each.outcome for each in self.rows)
        return JobSummary(
            rows=len(self.rows),
            outcomes={outcome: outcomes[outcome] for outcome in JobOutcome if outcomes[outcome]},
            statuses=Counter(each.status for each in self.rows if each.status is not None),
            problems=Counter(each.problem for each in self.rows if each.problem),
            credits=sum((each.credits for each in self.rows if each.credits is not None), Decimal(0)),
            notes=self.notes,
        )

    async def write(self, path: str | os.PathLike[str]) -> int:
        """Write the rows into a .csv, .xlsx or .jsonl file, completely or not at all, and return their number.

        Each row has the columns of the input, with what was typed there, and then the fields of its `JobRow`. If a
        column has the name of a field, it is called e.g. `status (input)`. The file has the phone numbers in full. See
        `write_table` for how values are written.

        Args:
            path: The file; `~` is the user's home. An existing file is replaced.

        Raises:
            UsageError: The file cannot be written, or has another suffix.
        """
        return await write_rows(path, self.recipients, self.rows, JobRow)

    async def write_rejects(self, path: str | os.PathLike[str]) -> int:
        """Write the rows that were left out or refused to a file, to be corrected and read again.

        The file is like that of `RecipientList.write_rejects`. It also has the rows that only the job has left out,
        such as those without a value for a placeholder, and those that the service has refused. Return their number.

        Args:
            path: A file with the suffix .csv, or .xlsx, which needs the extra `sheets`. It is replaced.

        Raises:
            UsageError: The file cannot be written.
        """
        rejected = (JobOutcome.LEFT_OUT, JobOutcome.REFUSED)
        reasons = [row.reason if row.outcome in rejected else None for row in self.rows]
        return await write_rejects(path, self.recipients, reasons)
