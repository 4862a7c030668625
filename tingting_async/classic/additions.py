"""The requests of `numbers.add_many`: one for each number."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs

from tingting_async.classic.models import Number, NumberAdded
from tingting_async.errors import BadRequestError, ConflictError, OutcomeUnknownError, TingTingError
from tingting_async.http.json import Encoded
from tingting_async.http.messages import Request
from tingting_async.resources import arguments
from tingting_async.resources.add_progress import BaseAddProgress
from tingting_async.resources.add_results import AddResult, RowStatus
from tingting_async.resources.given_rows import Chunk
from tingting_async.rows import Rows


class NumbersAdded(AddResult[Number]):
    """The result of adding several numbers. Its `contacts` are the new numbers, if the responses contain them.

    Attributes:
        created, skipped, contacts, errors, other_errors, extra, outcomes: As in `AddResult`.
    """

    __slots__ = ()


class AddProgress(BaseAddProgress[NumbersAdded]):
    """How far `numbers.add_many` has come. Pass one in; it is always up to date, however the call ends.

    A cancellation or a deadline of your own ends the call without a result. This object has it:

        progress = AddProgress()
        with anyio.move_on_after(60):
            await tingting.numbers.add_many(campaign_id, numbers, progress=progress)
        print(progress.result.created, progress.unknown, progress.not_done)
    """

    __slots__ = ()

    result_class = NumbersAdded


@attrs.frozen(eq=False)
class NumberAddition:
    """The requests that add a number each.

    Attributes:
        path: Their path.
        target: What the ledger calls the numbers of the campaign.
        hint: How to find out what was added.
        list_added: Returns the numbers of the campaign.
    """

    path: str
    target: str
    hint: str
    list_added: Callable[[], AsyncIterator[Number]]
    operation: str = "numbers.add_many"
    looks_first: bool = True
    """The service would add a number again that the campaign already has."""

    def encode(self, number: str, variables: Any, place: str) -> bytes:
        """Return a number with its tags as JSON text."""
        tags = arguments.encoded_mapping(variables, f"{place}.variables")
        given = b',"available_tags":%b' % tags if variables else b""
        return b'{"number":%b%b}' % (number.encode() or b"0", given)

    def request(self, chunk: Chunk) -> Request[NumberAdded]:
        """Return the request that adds the number of a chunk."""
        return Request.create(self.path, NumberAdded, self.operation, json=Encoded(chunk.body), recovery_hint=self.hint)

    def refuses(self, error: TingTingError) -> bool:
        """Return whether an error refuses a number only, so that the others are still sent."""
        return isinstance(error, BadRequestError | ConflictError)

    def account(self, progress: BaseAddProgress[Any], chunk: Chunk, added: NumberAdded) -> None:
        """Account for the number of a chunk.

        Raises:
            OutcomeUnknownError: The response does not say that it was added.
        """
        if not added.is_confirmed:
            raise OutcomeUnknownError(
                f"{self.operation}: the response does not say that the number was added. To find out, {self.hint}.",
                operation=self.operation,
                method="POST",
                path=self.path,
                phase="response",
            )
        numbers = () if added.number is None else (added.number,)
        rest = progress.confirmed(chunk.rows, NumbersAdded(created=1, contacts=numbers))
        progress.mark(rest, RowStatus.ADDED)


@asynccontextmanager
async def accounting(progress: AddProgress, rows: Rows) -> AsyncGenerator[None]:
    """Account for rows that are sent in one request, which is sent in the block."""
    progress.mark(rows, RowStatus.UNKNOWN)
    try:
        yield
    except TingTingError as error:
        progress.failed(rows, error)
        raise
    progress.confirmed(rows, NumbersAdded(created=len(rows)))
    progress.mark(rows, RowStatus.ADDED)
