"""The result of adding many contacts or numbers: what became of every row."""

import enum
import re
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import attrs

from tingting_async.decoding.fields import Model, as_model
from tingting_async.redaction import repr_items, repr_text
from tingting_async.rows import Rows

T = TypeVar("T")


class RowStatus(enum.StrEnum):
    """What became of a row.

    Attributes:
        ADDED: This call added it, or the earlier call with the key that has added everything.
        PRESENT: It was in the campaign already, and was not added again.
        IN_CAMPAIGN: It is in the campaign. The service does not say whether this call added it.
        REFUSED: The service refused it. The reason is the service's.
        LEFT_OUT: It was not sent, because it has a problem (`on_problem="skip"`), or is on the suppression list.
        UNKNOWN: It may have been added. Look for it before you add it again.
        NOT_ADDED: It was certainly not added: the call ended before, or an earlier call with the key did not add it.
    """

    ADDED = "added"
    PRESENT = "already there"
    IN_CAMPAIGN = "in campaign"
    REFUSED = "refused"
    LEFT_OUT = "left out"
    UNKNOWN = "unknown"
    NOT_ADDED = "not added"


STATUSES = (*RowStatus, RowStatus.UNKNOWN)
"""The statuses by their codes."""
CODES = {status: code for code, status in enumerate(RowStatus)}
UNCLEAR = len(STATUSES) - 1
"""The code of an unknown row whose request was confirmed, although the response does not say what became of it."""


def places_with(codes: bytes | bytearray, *wanted: int) -> Rows:
    """Return the places that have one of these codes."""
    pattern = re.compile(b"[%b]+" % b"".join(re.escape(bytes((code,))) for code in wanted))
    return Rows(*(range(*found.span()) for found in pattern.finditer(codes)))


def label(places: Rows, labels: Sequence[int] | None) -> Rows:
    """Return the rows at these places, as their file shows them."""
    if labels is None:
        return places
    return Rows(*(range(labels[place], labels[place] + 1) for place in places))


@attrs.frozen
class RowOutcome:
    """What became of one row.

    Attributes:
        row: The row. For a `RecipientList`, as its file shows it; for any other input, its index from 0.
        status: What became of it.
        reason: Why it was refused, left out or not added, or is unknown; empty otherwise.
    """

    row: int
    status: RowStatus
    reason: str = attrs.field(default="", repr=repr_text)


@attrs.frozen(repr=False)
class RowOutcomes(Collection[RowOutcome]):
    """What became of every row, in the order of the rows. It takes a few bytes for each row, and the reasons.

    `outcomes[row]` is the outcome of one row. If `split_numbers` made several recipients of a row, iteration yields an
    outcome for each of them, and `outcomes[row]` is the outcome of the first.
    """

    _codes: bytes = b""
    _reasons: Mapping[int, str] = attrs.field(factory=dict[int, str], hash=False)
    """By the place of the row."""
    _labels: Sequence[int] | None = attrs.field(default=None, hash=False)
    """The row of each place, as the file shows it, in ascending order; None if rows count from 0."""

    def __getitem__(self, row: int) -> RowOutcome:
        place = row
        if self._labels is not None:
            place = bisect_left(self._labels, row)
            place = place if place < len(self._labels) and self._labels[place] == row else -1
        if not 0 <= place < len(self._codes):
            raise LookupError(f"the input has no row {row}")
        return self._at(place)

    def _at(self, place: int) -> RowOutcome:
        row = place if self._labels is None else self._labels[place]
        return RowOutcome(row, STATUSES[self._codes[place]], self._reasons.get(place, ""))

    def __iter__(self) -> Iterator[RowOutcome]:
        return map(self._at, range(len(self._codes)))

    def __len__(self) -> int:
        return len(self._codes)

    def __contains__(self, outcome: object) -> bool:
        return any(outcome == each for each in self)

    def rows(self, *statuses: RowStatus) -> Rows:
        """Return the rows with one of these statuses; all rows if none is given."""
        wanted = [code for code, status in enumerate(STATUSES) if not statuses or status in statuses]
        return label(places_with(self._codes, *wanted), self._labels)

    def counts(self) -> dict[RowStatus, int]:
        """Return how many rows have each status, without the statuses that no row has."""
        found = dict.fromkeys(RowStatus, 0)
        for code, status in enumerate(STATUSES):
            found[status] += self._codes.count(code)
        return {status: count for status, count in found.items() if count}

    def __repr__(self) -> str:
        return f"RowOutcomes({', '.join(f'{count} {status.value}' for status, count in self.counts().items())})"


@attrs.frozen(kw_only=True, repr=False, field_transformer=as_model)
class AddResult(Model, Generic[T]):
    """The result of adding many contacts, or numbers.

    A row is given as its index from 0. For a `RecipientList`, it is the row as the file shows it.

    Attributes:
        created: The number of contacts that were added.
        skipped: The number of contacts that were there already, or were given twice.
        contacts: The new contacts, in the order of the responses. Empty if they were not to be kept.
        errors: The service's messages about refused contacts, by their row. If a row has several contacts, their
            messages are joined.
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
        """Return the outcome of a row.

        Raises:
            LookupError: The input has no such row.
        """
        return self.outcomes[row]

    @property
    def left_out(self) -> Rows:
        """The rows that have a problem, and were not sent."""
        return self.outcomes.rows(RowStatus.LEFT_OUT)
