"""The result of adding many contacts or numbers: what became of every row."""

import enum
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Generic, TypeVar

import attrs

from tingting_async.decoding.fields import Model, as_model
from tingting_async.redaction import repr_items, repr_text
from tingting_async.rows import Rows

T = TypeVar("T")


class RowStatus(enum.StrEnum):
    """What became of a row.

    Attributes:
        ADDED: This call added it.
        PRESENT: It was in the campaign already, and was not added again.
        IN_CAMPAIGN: It is in the campaign. The service does not say whether this call added it.
        REFUSED: The service refused it. The reason is the service's.
        LEFT_OUT: It has a problem, so it was not sent (`on_problem="skip"`).
        UNKNOWN: It may have been added. Look for it before you add it again.
        NOT_ADDED: It was certainly not added: the call ended before.
    """

    ADDED = "added"
    PRESENT = "present"
    IN_CAMPAIGN = "in campaign"
    REFUSED = "refused"
    LEFT_OUT = "left out"
    UNKNOWN = "unknown"
    NOT_ADDED = "not added"


STATUSES = (None, *RowStatus, RowStatus.UNKNOWN)
"""The statuses by their codes. 0 stands for a row that the input does not have."""
CODES = {status: code for code, status in enumerate(RowStatus, 1)}
UNCLEAR = len(STATUSES) - 1
"""The code of an unknown row whose request was confirmed, though the response does not say what became of the row."""


def rows_with(codes: bytes | bytearray, *wanted: int) -> Rows:
    """Return the rows that have one of these codes."""
    pattern = re.compile(b"[%b]+" % b"".join(re.escape(bytes((code,))) for code in wanted))
    return Rows(*(range(*found.span()) for found in pattern.finditer(codes)))


@attrs.frozen
class RowOutcome:
    """What became of one row.

    Attributes:
        row: The row. Of a `RecipientList`, as its file shows it; of any other input, its index from 0.
        status: What became of it.
        reason: Why it was refused, left out or not added, or is unknown; empty otherwise.
    """

    row: int
    status: RowStatus
    reason: str = attrs.field(default="", repr=repr_text)


@attrs.frozen(repr=False)
class RowOutcomes(Collection[RowOutcome]):
    """What became of every row, in the order of the rows. It takes one byte for each row, and the reasons.

    `outcomes[row]` is the outcome of one row.
    """

    _codes: bytes = b""
    _reasons: Mapping[int, str] = attrs.field(factory=dict[int, str], hash=False)

    def __getitem__(self, row: int) -> RowOutcome:
        status = STATUSES[self._codes[row]] if 0 <= row < len(self._codes) else None
        if status is None:
            raise LookupError(f"the input has no row {row}")
        return RowOutcome(row, status, self._reasons.get(row, ""))

    def __iter__(self) -> Iterator[RowOutcome]:
        return (self[row] for row, code in enumerate(self._codes) if code)

    def __len__(self) -> int:
        return len(self._codes) - self._codes.count(0)

    def __contains__(self, outcome: object) -> bool:
        return isinstance(outcome, RowOutcome) and outcome in (self[row] for row in self.rows() if row == outcome.row)

    def rows(self, *statuses: RowStatus) -> Rows:
        """Return the rows with one of these statuses; all rows if none is given."""
        wanted = [code for code, status in enumerate(STATUSES) if status and (not statuses or status in statuses)]
        return rows_with(self._codes, *wanted)

    def counts(self) -> dict[RowStatus, int]:
        """Return how many rows have each status, without the statuses that no row has."""
        found = {status: len(self.rows(status)) for status in RowStatus}
        return {status: count for status, count in found.items() if count}

    def __repr__(self) -> str:
        return f"RowOutcomes({', '.join(f'{count} {status.value}' for status, count in self.counts().items())})"


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class AddResult(Model, Generic[T]):
    """The result of adding many contacts, or numbers.

    A row is given as its index from 0. Of a `RecipientList`, it is the row as the file shows it.

    Attributes:
        created: The number of contacts that were added.
        skipped: The number of contacts that were there already, or were given twice.
        contacts: The new contacts, in the order of the responses. Empty if they were not to be kept.
        errors: The service's messages about refused contacts, by their row.
        other_errors: The service's messages that name no contact that was given.
        extra: Fields of the responses that this class does not name.
        outcomes: What became of every row.
    """

    created: int
    skipped: int = 0
    contacts: tuple[T, ...] = attrs.field(default=(), repr=repr_items)
    errors: Mapping[int, str] = attrs.field(factory=dict[int, str], repr=False)
    other_errors: tuple[Any, ...] = attrs.field(default=(), repr=False)
    extra: Mapping[str, Any] = attrs.field(factory=dict[str, Any], repr=False)
    outcomes: RowOutcomes = attrs.field(factory=RowOutcomes)

    def outcome(self, row: int) -> RowOutcome:
        """Return what became of a row.

        Raises:
            LookupError: The input has no such row.
        """
        return self.outcomes[row]

    @property
    def left_out(self) -> Rows:
        """The rows that have a problem, and were not sent."""
        return self.outcomes.rows(RowStatus.LEFT_OUT)
