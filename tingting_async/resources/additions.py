"""Calls that add many contacts or numbers: several requests at the same time, and every row accounted for."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

import attrs

from tingting_async.client.core import Core
from tingting_async.errors import (
    DecodeError,
    NotSentError,
    OutcomeUnknownError,
    PaginationError,
    TingTingError,
    UsageError,
)
from tingting_async.http.messages import Request
from tingting_async.recipients.number_set import NumberSet
from tingting_async.recipients.numbers import phone_number
from tingting_async.resources.add_progress import BaseAddProgress, OnProgress
from tingting_async.resources.add_results import AddResult, RowStatus
from tingting_async.resources.base import TimeoutLike
from tingting_async.resources.concurrency import for_each
from tingting_async.resources.given_rows import Chunk, GivenContacts, GivenRows

SUPPRESSED = "The number is on the suppression list."

_log = logging.getLogger("tingting_async")


class Endpoint(Protocol):
    """The differences between the additions of the two generations of the API."""

    @property
    def operation(self) -> str:
        """The name of the operation."""
        ...

    @property
    def path(self) -> str:
        """The path of the request."""
        ...

    @property
    def hint(self) -> str:
        """How to find out what was added."""
        ...

    @property
    def target(self) -> str:
        """What the ledger calls the rows of the campaign."""
        ...

    @property
    def looks_first(self) -> bool:
        """Whether the service would add a number again that the campaign has, so that such numbers must be left out."""
        ...

    def encode(self, number: str, variables: Any, place: str) -> bytes:
        """Return a row as JSON text."""
        ...

    def request(self, chunk: Chunk) -> Request[Any]:
        """Return the request that adds the rows of a chunk."""
        ...

    def account(self, progress: BaseAddProgress[Any], chunk: Chunk, added: Any) -> None:
        """Account for the rows of a chunk, by the response.

        Raises:
            TingTingError: It does not confirm the request.
        """
        ...

    def refuses(self, error: TingTingError) -> bool:
        """Return whether an error refuses the rows of the request only, so that the others are still sent."""
        ...

    def list_added(self) -> AsyncIterator[Any]:
        """List the contacts or numbers of the campaign; the list must be exact."""
        ...


@attrs.define(eq=False, repr=False)
class Addition:
    """A call that adds many contacts or numbers.

    Attributes:
        endpoint: The parts that depend on the generation of the API.
        argument: The name of the argument with the rows.
        chunk: The number of rows in one request.
        concurrency: The number of requests in flight.
        skips: Whether rows with a problem are left out.
        progress: Accounts for the rows.
        on_progress: Called with it after each request.
        timeout: The limits of each request.
    """

    endpoint: Endpoint
    argument: str
    chunk: int
    concurrency: int
    skips: bool
    progress: BaseAddProgress[Any]
    on_progress: OnProgress | None
    timeout: TimeoutLike
    before: NumberSet | None = attrs.field(default=None, init=False)
    """The numbers that the campaign had before this call, if that is known."""
    suppressed: frozenset[str] = attrs.field(default=frozenset(), init=False)
    """The numbers that a guard of the session does not allow to add."""
    suppressed_rows: int = attrs.field(default=0, init=False)
    """How many rows had a number on the suppression list."""

    async def run(self, core: Core, given: GivenContacts) -> AddResult[Any]:
        """Check and add the rows.

        Raises:
            UsageError: A row is not valid, or there are none. Nothing was sent.
            PartialFailureError: The call ended half-way.
        """
        core.ensure_open()
        progress, operation = self.progress, self.endpoint.operation
        rows = GivenRows(given, self.argument, self.endpoint.encode, self.chunk, progress, skips=self.skips)
        try:
            try:
                self.suppressed = await core.suppressed_numbers(operation)
                await self.add_all(core, rows)
            except BaseException as error:
                if not isinstance(error, GeneratorExit):  # A coroutine that is being closed cannot wait for anything.
                    with suppress(Exception):
                        await rows.close()
                raise
            await rows.close()
        except BaseException as error:
            if not isinstance(error, Exception):
                # A cancellation has to stay one.
                raise error from progress.failure(operation, "The call was cancelled.")
            if not progress.has_begun:
                raise  # Nothing was added: the error itself says why.
            said = error if isinstance(error, TingTingError) else f"The iterator raised {type(error).__name__}."
            raise progress.failure(operation, said) from error
        result: AddResult[Any] = progress.result
        return result

    async def add_all(self, core: Core, rows: GivenRows) -> None:
        """Add all rows."""
        await rows.check()
        if self.endpoint.looks_first:
            self.before = await self.look(NotSentError)
        await self.send_chunks(core, lambda: self.next_missing(rows))

    async def read(self, rows: GivenRows) -> Chunk | None:
        """Return the next chunk, without numbers on the suppression list; None after the last one."""
        while (chunk := await rows.next()) is not None:
            await self.note(chunk)
            allowed = chunk.only(lambda _, number: number not in self.suppressed) if self.suppressed else chunk
            if left_out := chunk.rows.without(allowed.rows):
                self.progress.mark(left_out, RowStatus.LEFT_OUT, SUPPRESSED)
                self.suppressed_rows += len(left_out)
            if allowed.rows:
                return allowed
        return None

    async def note(self, chunk: Chunk) -> None:
        """Take notice of a chunk that was read."""

    async def next_missing(self, rows: GivenRows) -> Chunk | None:
        """Return the next chunk, without the rows that the campaign had before; None after the last one."""
        while (chunk := await self.read(rows)) is not None:
            missing = chunk if self.before is None else without(chunk, self.before)
            self.progress.found(chunk.rows.without(missing.rows), is_new=False)
            if missing.rows:
                return missing
        return None

    async def send_chunks(self, core: Core, produce: Callable[[], Awaitable[Chunk | None]]) -> None:
        """Send a request for each chunk, several at the same time."""
        await for_each(
            produce,
            lambda chunk: self.send(core, chunk),
            core.start_task,
            limit=min(self.concurrency, core.max_in_flight),
            operation=self.endpoint.operation,
        )

    async def send(self, core: Core, chunk: Chunk) -> None:
        """Send the request for a chunk, and account for its rows."""
        try:
            await self.add(core, chunk)
        except TingTingError as error:
            self.progress.failed(chunk.rows, error)
            raise
        finally:
            self.notify()

    async def add(self, core: Core, chunk: Chunk) -> None:
        """Send the request for a chunk, and account for its rows by the response."""
        try:
            added = await core.execute(self.request(chunk))
        except TingTingError as error:
            if not self.endpoint.refuses(error):
                raise
            self.progress.refused(chunk.rows, str(error))
        else:
            self.endpoint.account(self.progress, chunk, added)

    def request(self, chunk: Chunk) -> Request[Any]:
        """Return the request for a chunk."""
        return attrs.evolve(
            self.endpoint.request(chunk),
            timeout=self.timeout,
            before_send=partial(self.progress.leaves, chunk.rows),
            without_effect=partial(self.progress.stayed, chunk.rows),
        )

    def notify(self) -> None:
        """Call `on_progress`. If it fails, the call continues: rows must not be lost for that."""
        if self.on_progress is not None:
            try:
                self.on_progress(self.progress)
            except Exception as error:  # noqa: BLE001 - it may raise anything
                with suppress(Exception):
                    name = type(error).__name__
                    _log.error("%s: `on_progress` raised %s. The call continues.", self.endpoint.operation, name)

    async def look(
        self, error: type[OutcomeUnknownError | NotSentError], numbers: NumberSet | None = None
    ) -> NumberSet:
        """Return the numbers that the campaign has, and the numbers of an earlier check.

        Args:
            error: The type of the error that is raised if the list does not show all of them.
            numbers: The numbers of the earlier check.
        """
        numbers, doubt = numbers or NumberSet(), ""
        try:
            async for contact in self.endpoint.list_added():
                try:
                    numbers.add(phone_number(contact.number or ""))
                except UsageError:
                    doubt = "shows numbers in another form"
        except PaginationError:
            doubt = "is not proven to be complete"
        except DecodeError:
            doubt = "cannot be decoded"
        if doubt:
            operation = self.endpoint.operation
            raise error(
                f"{operation}: it is unknown what the campaign has, because the list of its "
                f"{operation.partition('.')[0]} {doubt}. To find out, {self.endpoint.hint}.",
                operation=operation,
                method="POST",
                path=self.endpoint.path,
                phase="response",
            )
        return numbers


def without(chunk: Chunk, numbers: NumberSet) -> Chunk:
    """Return the rows of a chunk whose numbers are not among these."""
    return chunk.only(lambda _, number: number not in numbers)
