"""The rows of `contacts.add_many`: they are checked before they are sent, and accounted for however the call ends."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import attrs

from tingting_async.errors import PartialFailureError, UsageError
from tingting_async.resources import arguments
from tingting_async.resources.phone_numbers import ROWS_PER_TURN, RowChecker
from tingting_async.v1.models.contacts import Contact, ContactsAdded, NewContact

Row = dict[str, Any]
"""A contact as the service expects it."""


@attrs.define
class AddProgress:
    """How far `contacts.add_many` has come. Pass one in; it is always up to date, however the call ends.

    A cancellation or a deadline of your own ends the call without a result. This object has it:

        progress = AddProgress()
        with anyio.move_on_after(60):
            await tingting.contacts.add_many(campaign_id, contacts, progress=progress)
        print(progress.result.created, progress.unknown, progress.not_done)
    """

    _created: int = attrs.field(default=0, init=False)
    _skipped: int = attrs.field(default=0, init=False)
    _contacts: list[Contact] = attrs.field(factory=list[Contact], init=False, repr=False)
    _errors: dict[int, str] = attrs.field(factory=dict[int, str], init=False, repr=False)
    _other_errors: list[Any] = attrs.field(factory=list[Any], init=False, repr=False)
    _extra: dict[str, Any] = attrs.field(factory=dict[str, Any], init=False, repr=False)
    _first: int = attrs.field(default=0, init=False)
    _stop: int = attrs.field(default=0, init=False)
    _end: int = attrs.field(default=0, init=False)

    @property
    def result(self) -> ContactsAdded:
        """What the service has confirmed, as `add_many` would return it."""
        return ContactsAdded(
            created=self._created,
            skipped=self._skipped,
            contacts=tuple(self._contacts),
            errors=dict(self._errors),
            other_errors=tuple(self._other_errors),
            extra=dict(self._extra),
        )

    @property
    def unknown(self) -> range:
        """The rows, from 0, whose request may have been carried out, and was not confirmed."""
        return range(self._first, self._stop)

    @property
    def not_done(self) -> range:
        """The rows, from 0, that were certainly not sent. Of an iterator, only rows that it has produced count."""
        return range(max(self._first, self._stop), self._end)

    def started(self, end: int) -> None:
        """Note how many rows there are by now."""
        self._end = end

    @property
    def has_begun(self) -> bool:
        """Whether a request was confirmed, or may have been carried out."""
        return self._stop > 0

    async def leaves(self, count: int) -> None:
        """Note that a request with so many rows is about to leave."""
        self._stop = self._first + count

    def stayed(self) -> None:
        """Note that the request did not leave, or was refused."""
        self._stop = self._first

    def confirmed(self, count: int, added: ContactsAdded) -> None:
        """Note the result of the request."""
        self._created += added.created
        self._skipped += added.skipped
        self._contacts += added.contacts
        self._errors |= {self._first + row: said for row, said in added.errors.items()}
        self._other_errors += added.other_errors
        self._extra |= added.extra
        self._first = self._stop = self._first + count

    def failure(self, reason: object) -> PartialFailureError:
        """Return the error for a call that ended half-way."""
        unknown, not_done = self.unknown, self.not_done
        return PartialFailureError(
            f"contacts.add_many: {self._created} contacts were added, {len(unknown)} may have been, and "
            f"{len(not_done)} were not. {reason}",
            result=self.result,
            unknown=unknown,
            not_done=not_done,
        )


async def batches(
    contacts: Iterable[NewContact | str | int], chunk: int, progress: AddProgress
) -> AsyncGenerator[list[Row]]:
    """Yield rows that are valid, `chunk` at a time. All rows of a collection are checked before the first is yielded.

    An iterator is read and checked batch by batch, as it may have no end. Other tasks run while rows are checked.

    Raises:
        UsageError: A contact is not valid, or there are none. `problems` names the rows.
    """
    checker, end = RowChecker("contacts"), 0
    if isinstance(contacts, Collection):
        given = list(contacts)  # Other tasks may change the collection meanwhile.
        progress.started(end := len(given))
        rows = await _check(given, 0, checker)
        for start in range(0, end, chunk):
            yield rows[start : start + chunk]
    else:
        source = iter(contacts)
        while given := list(islice(source, chunk)):
            progress.started(end + len(given))
            yield await _check(given, end, checker)
            end += len(given)
    if not end:
        raise UsageError("`contacts` is empty.")


async def _check(contacts: Sequence[NewContact | str | int], first: int, checker: RowChecker) -> list[Row]:
    rows: list[Row] = []
    for row, given in enumerate(contacts, first):
        if row % ROWS_PER_TURN == ROWS_PER_TURN - 1:
            await asyncio.sleep(0)
        each = given if isinstance(given, NewContact) else NewContact(given)
        number = checker.check_number(each.number, row)
        try:
            variables = arguments.mapping(each.variables, f"contacts[{row}].variables")
        except UsageError as error:
            checker.refuse(*(error.problems or ((f"contacts[{row}].variables", str(error)),)))
        else:
            rows.append({"number": number, "other_variables": variables})
    checker.finish()
    return rows


def refuse_no_list(contacts: object) -> None:
    """Refuse what is no list of contacts.

    Raises:
        UsageError: A text, whose characters would be numbers; a mapping, whose values would be lost; no iterable.
    """
    name = type(contacts).__name__
    if isinstance(contacts, str | bytes | Mapping) or not isinstance(contacts, Iterable):
        raise UsageError(f"`contacts` must be a list of contacts, not {name}.")
