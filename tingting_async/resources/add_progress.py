"""How far adding many contacts or numbers has come: every row is accounted for, however the call ends."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import attrs

from tingting_async.errors import OutcomeUnknownError, PartialFailureError, TingTingError
from tingting_async.quantities import counted
from tingting_async.resources.add_results import CODES, UNCLEAR, AddResult, RowOutcomes, RowStatus, label, places_with
from tingting_async.rows import Rows
from tingting_async.tracebacks import cut_traceback

R = TypeVar("R", bound=AddResult[Any])

_NOT_SENT = (CODES[RowStatus.LEFT_OUT], CODES[RowStatus.NOT_ADDED])


@attrs.define
class BaseAddProgress(Generic[R]):
    """How far `add_many` has come. Each generation of the API has a class of its own."""

    result_class: ClassVar[type[Any]]

    _created: int = attrs.field(default=0, init=False)
    _skipped: int = attrs.field(default=0, init=False)
    _contacts: list[Any] = attrs.field(factory=list[Any], init=False, repr=False)
    _errors: dict[int, str] = attrs.field(factory=dict[int, str], init=False, repr=False)
    _other_errors: list[Any] = attrs.field(factory=list[Any], init=False, repr=False)
    _extra: dict[str, Any] = attrs.field(factory=dict[str, Any], init=False, repr=False)
    _codes: bytearray = attrs.field(factory=bytearray, init=False, repr=False)
    """What is known about each row, by `CODES`. The methods below that note something count rows from 0, too."""
    _labels: Sequence[int] | None = attrs.field(default=None, init=False, repr=False)
    """The row of each place, as its file shows it; None if rows count from 0."""
    _reasons: dict[int, str] = attrs.field(factory=dict[int, str], init=False, repr=False)
    _failures: list[tuple[Rows, TingTingError]] = attrs.field(
        factory=list[tuple[Rows, TingTingError]], init=False, repr=False
    )

    @property
    def result(self) -> R:
        """What is known by now, as `add_many` would return it."""
        result: R = self.result_class(
            created=self._created,
            skipped=self._skipped,
            contacts=tuple(self._contacts),
            errors=self._labelled_errors(),
            other_errors=tuple(self._other_errors),
            extra=dict(self._extra),
            outcomes=self.outcomes,
        )
        return result

    @property
    def created(self) -> int:
        """The number of contacts that were added."""
        return self._created

    @property
    def skipped(self) -> int:
        """The number of contacts that were there already."""
        return self._skipped

    @property
    def outcomes(self) -> RowOutcomes:
        """What is known about every row by now."""
        reasons = dict(self._reasons)
        for rows, error in self._failures:
            open_rows = (row for row in rows if self._codes[row] in (CODES[RowStatus.UNKNOWN], _NOT_SENT[-1]))
            reasons |= dict.fromkeys(open_rows, str(error))
        return RowOutcomes(bytes(self._codes), reasons, self._labels)

    @property
    def unknown(self) -> Rows:
        """The rows whose request may have been carried out, and was not confirmed."""
        return label(places_with(self._codes, CODES[RowStatus.UNKNOWN]), self._labels)

    @property
    def not_done(self) -> Rows:
        """The rows that were certainly not added, and are not left out. For an iterator, only those it has produced."""
        return label(self.remaining, self._labels)

    @property
    def remaining(self) -> Rows:
        """The rows of `not_done`, counted from 0."""
        return places_with(self._codes, CODES[RowStatus.NOT_ADDED])

    def _labelled_errors(self) -> dict[int, str]:
        """Return the errors by the row in the file, which may have several recipients."""
        errors: dict[int, str] = {}
        for place, said in sorted(self._errors.items()):
            row = place if self._labels is None else self._labels[place]
            errors[row] = f"{errors[row]}; {said}" if row in errors else said
        return errors

    @property
    def has_begun(self) -> bool:
        """Whether a request was confirmed, or may have been carried out."""
        return len(self._codes) > sum(self._codes.count(code) for code in _NOT_SENT)

    def reset(self) -> None:
        """Forget everything."""
        fresh = type(self)()
        for field in attrs.fields(type(self)):
            setattr(self, field.name, getattr(fresh, field.name))

    def produced(self, count: int) -> None:
        """Note that the input has this many more rows."""
        self._codes.extend(bytes((CODES[RowStatus.NOT_ADDED],)) * count)

    def label(self, rows: Sequence[int]) -> None:
        """Note the rows of the input as its file shows them, in ascending order."""
        self._labels = rows
        self.produced(len(rows))

    def mark(self, rows: Rows, status: RowStatus, reason: str = "") -> None:
        """Note what became of rows."""
        self._set(rows, CODES[status])
        if reason:
            self._reasons |= dict.fromkeys(rows, reason)

    def mark_unclear(self, rows: Rows, reason: str) -> None:
        """Note that a response does not say what became of rows, though it confirms their request."""
        self._set(rows, UNCLEAR)
        self._reasons |= dict.fromkeys(rows, reason)

    def _set(self, rows: Rows, code: int) -> None:
        for each in rows.ranges:
            self._codes[each.start : each.stop] = bytes((code,)) * len(each)

    async def leaves(self, rows: Rows) -> None:
        """Note that the request with these rows is about to leave."""
        self.mark(rows, RowStatus.UNKNOWN)

    def stayed(self, rows: Rows) -> None:
        """Note that the request did not leave, or was refused."""
        self.mark(rows, RowStatus.NOT_ADDED)

    def failed(self, rows: Rows, error: TingTingError) -> None:
        """Note that the request failed."""
        if not isinstance(error, OutcomeUnknownError):
            self.stayed(rows)
        self._failures.append((rows, error))

    def confirmed(self, rows: Rows, added: AddResult[Any]) -> Rows:
        """Note the result of a request, whose errors have the index in the request. Return the rows without an error.

        What became of those is still to be marked.
        """
        self._created += added.created
        self._skipped += added.skipped
        self._contacts += added.contacts
        refused: list[range] = []
        for index, said in added.errors.items():
            if 0 <= index < len(rows):
                row = rows[index]
                self._errors[row] = self._reasons[row] = said
                refused.append(range(row, row + 1))
            else:  # It is the index of no row that was sent.
                self._other_errors.append({"row": index, "error": said})
        self._other_errors += added.other_errors
        self._extra |= added.extra
        self.mark(Rows(*refused), RowStatus.REFUSED)
        return rows.without(Rows(*refused))

    def refused(self, rows: Rows, reason: str) -> None:
        """Note that the service has refused a request, and with it its rows."""
        self._errors |= dict.fromkeys(rows, reason)
        self.mark(rows, RowStatus.REFUSED, reason)

    def found(self, rows: Rows, *, is_new: bool) -> None:
        """Note that the campaign has contacts: since a request of this call, or since an earlier one."""
        self.mark(rows, RowStatus.ADDED if is_new else RowStatus.PRESENT)
        self._created += len(rows) * is_new
        self._skipped += len(rows) * (not is_new)

    def done_before(self, created: int, skipped: int) -> None:
        """Note the counts of an earlier call, which has added everything."""
        self._created, self._skipped = created, skipped

    def failure(self, operation: str, reason: object) -> PartialFailureError:
        """Return the error for a call that ended half-way."""
        unknown, not_done = self.unknown, self.not_done
        failures = tuple((label(rows, self._labels), error) for rows, error in self._failures)
        for _, error in failures:
            cut_traceback(error, None)
        more = f" See `failures` for all {len(failures)} requests that failed." if len(failures) > 1 else ""
        added = counted(self._created, operation.partition(".")[0].removesuffix("s"))
        were, were_not = ("was" if count == 1 else "were" for count in (self._created, len(self.remaining)))
        return PartialFailureError(
            f"{operation}: {added} {were} added, {self._codes.count(CODES[RowStatus.UNKNOWN])} may have been, and "
            f"{len(self.remaining)} {were_not} not. {reason}{more}",
            result=self.result,
            unknown=unknown,
            not_done=not_done,
            failures=failures,
        )


OnProgress = Callable[[Any], object]
"""Called with the progress after each request."""
