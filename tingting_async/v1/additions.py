"""The requests of `contacts.add_many`, and what their responses say about each row."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import attrs

from tingting_async.errors import TingTingError, UsageError
from tingting_async.http.json import Encoded, dumps_flat
from tingting_async.http.messages import Request
from tingting_async.recipients.number_set import NumberSet
from tingting_async.recipients.numbers import phone_number
from tingting_async.resources import arguments
from tingting_async.resources.add_progress import BaseAddProgress
from tingting_async.resources.add_results import AddResult, RowStatus
from tingting_async.resources.given_rows import Chunk, rows_of
from tingting_async.rows import Rows
from tingting_async.v1.models.contacts import Contact, ContactsAdded, ContactsCounted

_UNCLEAR = "The service does not say whether it has this contact, or refused it."


class AddProgress(BaseAddProgress[ContactsAdded]):
    """How far `contacts.add_many` has come. Pass one in; it is always up to date, however the call ends.

    A cancellation or a deadline of your own ends the call without a result. This object has it:

        progress = AddProgress()
        with anyio.move_on_after(60):
            await tingting.contacts.add_many(campaign_id, contacts, progress=progress)
        print(progress.result.created, progress.unknown, progress.not_done)
    """

    __slots__ = ()

    result_class = ContactsAdded


@attrs.frozen(eq=False)
class ContactAddition:
    """The requests that add many contacts at a time.

    Attributes:
        path: Their path.
        target: What the ledger calls the contacts of the campaign.
        hint: How to find out what was added.
        keeps: Whether the result has the new contacts.
        list_added: Returns the contacts of the campaign.
    """

    path: str
    target: str
    hint: str
    keeps: bool
    list_added: Callable[[], AsyncIterator[Contact]]
    operation: str = "contacts.add_many"
    looks_first: bool = False

    def encode(self, number: str, variables: Any, place: str) -> bytes:
        """Return a contact as JSON text."""
        text = dumps_flat(variables)
        if text is None:
            text = arguments.encoded_mapping(variables, f"{place}.variables")
        return b'{"number":"%b","other_variables":%b}' % (number.encode(), text)

    def request(self, chunk: Chunk) -> Request[ContactsAdded]:
        """Return the request that adds the contacts of a chunk."""
        return Request.create(
            self.path,
            ContactsAdded if self.keeps else ContactsCounted,
            self.operation,
            json=Encoded(b'{"contacts":[%b]}' % chunk.body),
            recovery_hint=self.hint,
        )

    def refuses(self, error: TingTingError) -> bool:  # noqa: ARG002 - the classic API has a request for each row
        """Return whether an error refuses some rows only. None does: the response names the rows that are refused."""
        return False

    def account(self, progress: BaseAddProgress[Any], chunk: Chunk, added: ContactsAdded) -> None:
        """Account for the contacts of a chunk. The service counts those it skips, and does not name them."""
        rest = progress.confirmed(chunk.rows, added)
        others = (*added.other_errors, *(said for row, said in added.errors.items() if not 0 <= row < len(chunk.rows)))
        if not others and not added.skipped and added.created >= len(rest):
            progress.mark(rest, RowStatus.ADDED)
        elif not others and not added.created and added.skipped >= len(rest):
            progress.mark(rest, RowStatus.PRESENT)
        else:
            self._account_one_by_one(progress, chunk, added, rest, others)

    def _account_one_by_one(
        self, progress: BaseAddProgress[Any], chunk: Chunk, added: ContactsAdded, rest: Rows, others: tuple[Any, ...]
    ) -> None:
        """Account for the contacts of a chunk if only some were added: the response has the added ones."""
        new = _numbers(added)
        rows = [row for row, number in zip(chunk.rows, chunk.numbers(), strict=True) if number in new and row in rest]
        if len(rows) != added.created:  # The response hides its contacts.
            if not others and added.created + added.skipped == len(rest):
                progress.mark(rest, RowStatus.IN_CAMPAIGN)
            else:
                progress.mark_unclear(rest, _UNCLEAR)
            return
        left = rest.without(rows_of(rows))
        progress.mark(rows_of(rows), RowStatus.ADDED)
        if not others and added.skipped >= len(left):
            progress.mark(left, RowStatus.PRESENT)
        elif others and not added.skipped:
            progress.mark(left, RowStatus.REFUSED, "; ".join(map(str, others)))
        else:
            progress.mark_unclear(left, _UNCLEAR)


def _numbers(added: AddResult[Contact]) -> NumberSet:
    """Return the numbers of the contacts that a request has added."""
    numbers = NumberSet()
    shown = added.numbers if isinstance(added, ContactsCounted) else [each.number for each in added.contacts]
    for number in shown:
        try:
            numbers.add(phone_number(number or ""))
        except UsageError:  # It is in another form.
            continue
    return numbers
