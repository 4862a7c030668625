"""The rows of `contacts.add_many`: they are checked before they are sent, and accounted for however the call ends."""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any, cast

import attrs

from tingting_async.client.core import Core
from tingting_async.errors import OutcomeUnknownError, PartialFailureError, TingTingError, UsageError
from tingting_async.http.json import Encoded, dumps_flat, loads
from tingting_async.http.messages import Request
from tingting_async.recipients.number_set import NumberSet
from tingting_async.recipients.row_checker import ROWS_PER_TURN, RowChecker
from tingting_async.resources import arguments
from tingting_async.resources.base import TimeoutLike
from tingting_async.resources.concurrency import for_each
from tingting_async.rows import Rows
from tingting_async.tracebacks import cut_traceback
from tingting_async.v1.models.contacts import Contact, ContactsAdded, ContactsCounted, NewContact

GivenContact = NewContact | str | int
GivenContacts = Iterable[GivenContact] | AsyncIterable[GivenContact]


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
    _end: int = attrs.field(default=0, init=False)
    _confirmed: Rows = attrs.field(factory=Rows, init=False)
    _unknown: Rows = attrs.field(factory=Rows, init=False)
    _failures: list[tuple[Rows, TingTingError]] = attrs.field(
        factory=list[tuple[Rows, TingTingError]], init=False, repr=False
    )

    @property
    def result(self) -> ContactsAdded:
        """What the service has confirmed, as `add_many` would return it."""
        return ContactsAdded(
            created=self._created,
            skipped=self._skipped,
            contacts=tuple(self._contacts),
            errors=dict(sorted(self._errors.items())),
            other_errors=tuple(self._other_errors),
            extra=dict(self._extra),
        )

    @property
    def unknown(self) -> Rows:
        """The rows, from 0, whose request may have been carried out, and was not confirmed."""
        return self._unknown

    @property
    def not_done(self) -> Rows:
        """The rows, from 0, that were certainly not added. Of an iterator, only rows that it has produced count."""
        return Rows(range(self._end)).without(self._confirmed).without(self._unknown)

    def produced(self, count: int) -> None:
        """Note that there are so many more rows."""
        self._end += count

    @property
    def has_begun(self) -> bool:
        """Whether a request was confirmed, or may have been carried out."""
        return bool(self._confirmed or self._unknown)

    async def leaves(self, rows: Rows) -> None:
        """Note that the request with these rows is about to leave."""
        self._unknown = Rows(*self._unknown.ranges, *rows.ranges)

    def stayed(self, rows: Rows) -> None:
        """Note that the request did not leave, or was refused."""
        self._unknown = self._unknown.without(rows)

    def failed(self, rows: Rows, error: TingTingError) -> None:
        """Note that the request failed."""
        if not isinstance(error, OutcomeUnknownError):
            self.stayed(rows)
        self._failures.append((rows, error))

    def confirmed(self, rows: Rows, added: ContactsAdded) -> None:
        """Note the result of the request."""
        self.stayed(rows)
        self._confirmed = Rows(*self._confirmed.ranges, *rows.ranges)
        self._created += added.created
        self._skipped += added.skipped
        self._contacts += added.contacts
        for index, said in added.errors.items():
            if 0 <= index < len(rows):
                self._errors[rows[index]] = said
            else:  # It is the index of no row that was sent.
                self._other_errors.append({"row": index, "error": said})
        self._other_errors += added.other_errors
        self._extra |= added.extra

    def found(self, rows: Rows, *, is_new: bool) -> None:
        """Note that the campaign has contacts: since a request of this call, or since an earlier one."""
        self.stayed(rows)
        self._confirmed = Rows(*self._confirmed.ranges, *rows.ranges)
        self._created += len(rows) * is_new
        self._skipped += len(rows) * (not is_new)

    def done_before(self, created: int, skipped: int) -> None:
        """Note that an earlier call has added everything."""
        self._confirmed = Rows(range(self._end))
        self._created, self._skipped = created, skipped

    def failure(self, reason: object) -> PartialFailureError:
        """Return the error for a call that ended half-way."""
        unknown, not_done, failures = self.unknown, self.not_done, tuple(self._failures)
        for _, error in failures:
            cut_traceback(error, None)
        more = f" See `failures` for all {len(failures)} requests that failed." if len(failures) > 1 else ""
        return PartialFailureError(
            f"contacts.add_many: {self._created} contacts were added, {len(unknown)} may have been, and "
            f"{len(not_done)} were not. {reason}{more}",
            result=self.result,
            unknown=unknown,
            not_done=not_done,
            failures=failures,
        )


@attrs.frozen(eq=False, repr=False)
class Chunk:
    """The contacts of one request."""

    rows: Rows
    body: Encoded = attrs.field(repr=False)

    def contacts(self) -> list[dict[str, Any]]:
        """Return the contacts as the service gets them, in the order of the rows."""
        return cast("list[dict[str, Any]]", loads(self.body)["contacts"])


@attrs.define(eq=False, repr=False)
class Addition:
    """A call of `contacts.add_many`.

    Attributes:
        path: The path of the request.
        hint: How to find out which contacts were added.
        chunk: The number of contacts in one request.
        concurrency: The number of requests in flight.
        keep_contacts: Whether the result has the new contacts.
        progress: Accounts for the rows.
        timeout: The limits of each request.
    """

    path: str
    hint: str
    chunk: int
    concurrency: int
    keep_contacts: bool
    progress: AddProgress
    timeout: TimeoutLike

    async def run(self, core: Core, contacts: GivenContacts) -> ContactsAdded:
        """Check and add the contacts.

        Raises:
            UsageError: A contact is not valid, or there are none. Nothing was sent.
            PartialFailureError: The call ended half-way.
        """
        core.ensure_open()
        progress, chunks = self.progress, Chunks(contacts, self.chunk, self.progress)
        try:
            try:
                await self.add_all(core, chunks)
            except BaseException as error:
                if not isinstance(error, GeneratorExit):  # A coroutine that is being closed cannot wait for anything.
                    with suppress(Exception):
                        await chunks.close()
                raise
            await chunks.close()
        except BaseException as error:
            if not isinstance(error, Exception):
                raise error from progress.failure("The call was cancelled.")  # A cancellation has to stay one.
            if not progress.has_begun:
                raise  # Nothing was added: the error itself says why.
            said = error if isinstance(error, TingTingError) else f"The iterator raised {type(error).__name__}."
            raise progress.failure(said) from error
        return progress.result

    async def add_all(self, core: Core, chunks: "Chunks") -> None:
        """Add all contacts."""
        await self.send_chunks(core, chunks.next)

    async def send_chunks(self, core: Core, produce: Callable[[], Awaitable[Chunk | None]]) -> None:
        """Send a request for each chunk, several at the same time."""
        await for_each(
            produce,
            lambda chunk: self.send(core, chunk),
            core.start_task,
            limit=min(self.concurrency, core.max_in_flight),
            operation="contacts.add_many",
        )

    async def send(self, core: Core, chunk: Chunk) -> None:
        """Send the request for a chunk, and account for its rows."""
        try:
            added = await core.execute(self.request(chunk))
        except TingTingError as error:
            self.progress.failed(chunk.rows, error)
            raise
        self.progress.confirmed(chunk.rows, added)

    def request(self, chunk: Chunk) -> Request[ContactsAdded]:
        """Return the request for a chunk."""
        return Request.create(
            self.path,
            ContactsAdded if self.keep_contacts else ContactsCounted,
            "contacts.add_many",
            json=chunk.body,
            timeout=self.timeout,
            recovery_hint=self.hint,
            before_send=partial(self.progress.leaves, chunk.rows),
            without_effect=partial(self.progress.stayed, chunk.rows),
        )


class Chunks:
    """The contacts that a call was given, as chunks of valid rows: a collection, or an iterator, read by one task.

    All rows of a collection are checked before the first chunk is returned. An iterator is read and checked chunk by
    chunk, as it may have no end. Other tasks run while rows are checked.

    Not an async generator: Python 3.11 cannot close one while a coroutine that waits for its next item is closed.
    """

    def __init__(self, contacts: GivenContacts, size: int, progress: AddProgress) -> None:
        # Other tasks may change the collection meanwhile.
        self._unchecked: list[GivenContact] = list(contacts) if isinstance(contacts, Collection) else []
        self._checked = deque[Chunk]()
        self._size = size
        self._progress = progress
        self._checker = RowChecker("contacts", NumberSet())
        self._is_async = isinstance(contacts, AsyncIterable)
        self._iterator: Any = None
        if not isinstance(contacts, Collection):
            self._iterator = aiter(contacts) if isinstance(contacts, AsyncIterable) else iter(contacts)
        self._end = 0
        self._is_last = self._iterator is None

    async def check(self) -> deque[Chunk] | None:
        """Check all rows of a collection, and return the chunks that `next` has still to return; None for an iterator.

        Raises:
            UsageError: A contact is not valid, or there are none. `problems` names the rows.
        """
        if self._unchecked:
            self._progress.produced(len(self._unchecked))
            self._end = len(self._unchecked)
            self._checked, self._unchecked = await _check_all(self._unchecked, self._size), []
        if self._is_last and not self._end:
            raise UsageError("`contacts` is empty.")
        return self._checked if self._iterator is None else None

    async def next(self) -> Chunk | None:
        """Return the next chunk; None after the last one.

        Raises:
            UsageError: A contact is not valid, or there are none. `problems` names the rows.
        """
        await self.check()
        if not self._is_last:
            given = await self._read()
            self._is_last = len(given) < self._size
            if given:
                chunk = await _check(given, self._end, self._checker)
                self._checker.finish()
                self._end += len(given)
                return chunk
            await self.check()
        return self._checked.popleft() if self._checked else None

    async def _read(self) -> list[GivenContact]:
        """Return the next rows of the iterator, fewer at its end."""
        rows: list[GivenContact] = []
        if self._is_async:
            while len(rows) < self._size:
                try:
                    rows.append(await anext(self._iterator))
                except StopAsyncIteration:
                    break
                self._progress.produced(1)
        else:
            for row in islice(self._iterator, self._size):
                rows.append(row)
                self._progress.produced(1)
        return rows

    async def close(self) -> None:
        """Close an iterator that can be closed."""
        if self._is_async and hasattr(self._iterator, "aclose"):
            await self._iterator.aclose()
        elif hasattr(self._iterator, "close"):
            self._iterator.close()


async def _check_all(contacts: Sequence[GivenContact], size: int) -> deque[Chunk]:
    checker = RowChecker("contacts")
    starts = range(0, len(contacts), size)
    chunks = deque([await _check(contacts[first : first + size], first, checker) for first in starts])
    checker.finish()
    return chunks


async def _check(contacts: Sequence[GivenContact], first: int, checker: RowChecker) -> Chunk:
    texts: list[bytes] = []
    for row, given in enumerate(contacts, first):
        if row % ROWS_PER_TURN == ROWS_PER_TURN - 1:
            await asyncio.sleep(0)
        each = given if isinstance(given, NewContact) else NewContact(given)
        number = checker.check_number(each.number, row)
        variables = dumps_flat(each.variables)
        if variables is None:
            try:
                variables = arguments.encoded_mapping(each.variables, f"contacts[{row}].variables")
            except UsageError as error:
                checker.refuse(*(error.problems or ((f"contacts[{row}].variables", str(error)),)))
                continue
        texts.append(b'{"number":"%b","other_variables":%b}' % ((number or "").encode(), variables))
    return Chunk(Rows(range(first, first + len(contacts))), Encoded(b'{"contacts":[%b]}' % b",".join(texts)))


def refuse_no_list(contacts: object) -> None:
    """Refuse what is no list of contacts.

    Raises:
        UsageError: A text, whose characters would be numbers; a mapping, whose values would be lost; no iterable.
    """
    name = type(contacts).__name__
    if isinstance(contacts, str | bytes | Mapping) or not isinstance(contacts, Iterable | AsyncIterable):
        raise UsageError(f"`contacts` must be a list of contacts, not {name}.")
