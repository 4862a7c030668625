"""The contacts of a campaign."""

from collections.abc import Iterable, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any, Unpack

from tingting_async.errors import OutcomeUnknownError, TingTingError, UsageError
from tingting_async.http.messages import Request
from tingting_async.pagination.paginator import Paginator
from tingting_async.pagination.styles import LimitOffsetPagination
from tingting_async.resources import arguments
from tingting_async.resources.base import IN_CLASSIC, PageOptions, TimeoutLike
from tingting_async.resources.phone_numbers import phone_number
from tingting_async.v1.additions import AddProgress, batches, refuse_no_list
from tingting_async.v1.method_fallback import MethodFallback, other_method
from tingting_async.v1.models.common import Confirmation
from tingting_async.v1.models.contacts import Contact, ContactAdded, ContactsAdded, NewContact, Upload
from tingting_async.v1.pages import read_page
from tingting_async.v1.reconcile import clocks_at, reconcile_contact


class Contacts(MethodFallback):
    """The contacts of a campaign (v1 documents, Contacts)."""

    _elsewhere = dict.fromkeys(("get",), IN_CLASSIC)

    def list(self, campaign_id: int, **options: Unpack[PageOptions]) -> Paginator[Contact]:
        """List a campaign's contacts (`GET campaign-detail/<campaign_id>/`).

        A page's `extra` contains `total_credits_consumed` and `carrier_summary`. The service's list does not contain
        variables, so the contacts' `variables` are empty. Get them with `variables(contact.id)`.

        Args:
            campaign_id: The campaign's id.
            **options: See `Resource`.
        """
        return self._paginate(
            Request.read(
                f"/api/v1/campaign-detail/{arguments.identifier(campaign_id, 'campaign_id')}/",
                list[Contact],
                "contacts.list",
                payload=("results",),
            ),
            LimitOffsetPagination(10),
            read_page,
            options,
        )

    async def add(
        self,
        campaign_id: int,
        number: str | int,
        *,
        variables: Mapping[str, Any] | None = None,
        timeout: TimeoutLike = None,
    ) -> ContactAdded:
        """Add a contact (`POST campaign/<campaign_id>/add-contact/`).

        Args:
            campaign_id: The campaign's id.
            number: A phone number of Nepal in any usual spelling.
            variables: The values of the message's placeholders.
            timeout: See `Resource`.

        Raises:
            UsageError: The number is not valid.
            OutcomeUnknownError: The contact may have been added: look for it in `list()` before you add it again.
        """
        digits, called = phone_number(number), self._core.note_clocks()
        return await self._core.execute(
            Request.create(
                _addition_path(campaign_id),
                ContactAdded,
                "contacts.add",
                json={"number": digits, "other_variables": arguments.mapping(variables or {}, "variables")},
                timeout=timeout,
                recovery_hint=f"look for it in contacts.list({campaign_id})",
                reconciler=lambda send: reconcile_contact(
                    self._core.read_clocks, self.list(campaign_id, exact=True), digits, clocks_at(send, called)
                ),
            )
        )

    async def add_many(
        self,
        campaign_id: int,
        contacts: Iterable[NewContact | str | int],
        *,
        chunk: int = 100,
        progress: AddProgress | None = None,
        timeout: TimeoutLike = None,
    ) -> ContactsAdded:
        """Add many contacts in chunks, one request after the other (`POST campaign/<campaign_id>/add-contact/`).

        Args:
            campaign_id: The campaign's id.
            contacts: Contacts or phone numbers. All contacts of a list are checked before the first request. An
                iterator is read and checked chunk by chunk.
            chunk: The number of contacts in one request. The service's maximum is not documented.
            progress: A new `AddProgress`, which says at any time what was added.
            timeout: The limits of each call.

        Returns:
            The combined result of all requests. The service skips numbers that the campaign already has.

        Raises:
            UsageError: There are no contacts, or a number or a variable is not valid, or a number is given twice. Each
                is in `problems`, with its row. Nothing was sent.
            PartialFailureError: A request failed after others succeeded, or its outcome is unknown, or an iterator
                failed or produced a contact that is not valid; the requests after it were not sent. The error says
                which contacts were added, may have been added, and were not. If the first request is refused, its own
                error is raised instead, because nothing was added.
            asyncio.CancelledError: The call was cancelled. A `PartialFailureError` is its cause, and also behind the
                `TimeoutError` of `asyncio.timeout`: see `PartialFailureError.behind`.
        """
        if type(chunk) is not int or chunk < 1:
            raise UsageError(f"contacts.add_many: `chunk` is {chunk!r}; it must be an integer of 1 or more.")
        if not isinstance(progress, AddProgress | None) or progress not in (None, AddProgress()):
            raise UsageError("contacts.add_many: `progress` must be an `AddProgress()` that no other call has used.")
        refuse_no_list(contacts)
        path, progress = _addition_path(campaign_id), progress or AddProgress()
        try:
            async with aclosing(batches(contacts, chunk, progress)) as checked:
                async for rows in checked:
                    request = Request.create(
                        path,
                        ContactsAdded,
                        "contacts.add_many",
                        json={"contacts": rows},
                        timeout=timeout,
                        recovery_hint=f"look for them in contacts.list({campaign_id})",
                        before_send=partial(progress.leaves, len(rows)),
                        without_effect=progress.stayed,
                    )
                    progress.confirmed(len(rows), await self._core.execute(request))
        except BaseException as error:
            if isinstance(error, TingTingError) and not isinstance(error, OutcomeUnknownError):
                progress.stayed()
            if not isinstance(error, Exception):
                raise error from progress.failure("The call was cancelled.")  # A cancellation has to stay one.
            if not progress.has_begun:
                raise  # Nothing was added: the error itself says why.
            said = error if isinstance(error, TingTingError) else f"The iterator raised {type(error).__name__}."
            raise progress.failure(said) from error
        return progress.result

    async def upload(self, campaign_id: int, file: arguments.FileLike, *, timeout: TimeoutLike = None) -> Upload:
        """Add the contacts of a file (`PATCH campaign/create/<campaign_id>/detail/`).

        Args:
            campaign_id: The campaign's id.
            file: An .xlsx or .csv file. Its first column is `numbers`; the others become variables.
            timeout: See `Resource`.

        Raises:
            UsageError: The file cannot be read, or has another format.
            OutcomeUnknownError: The contacts may have been added: look at `list()` before you add them again.
        """
        sheet = await arguments.file(file, "file", suffixes=(".xlsx", ".csv"))
        return await self._execute(
            Request.create(
                f"/api/v1/campaign/create/{arguments.identifier(campaign_id, 'campaign_id')}/detail/",
                Upload,
                "contacts.upload",
                method="PATCH",
                timeout=timeout,
                recovery_hint=f"look at contacts.list({campaign_id})",
            ).with_form({}, {"bulk_file": sheet}),
            other_method("POST"),  # The older documents say POST.
        )

    async def edit(self, id: int, number: str | int, *, timeout: TimeoutLike = None) -> Contact:
        """Change a contact's number (`PATCH phone-number/update/<contact_id>/`)."""
        return await self._core.execute(
            Request.update(
                f"/api/v1/phone-number/update/{arguments.identifier(id)}/",
                Contact,
                "contacts.edit",
                json={"number": phone_number(number)},
                timeout=timeout,
            )
        )

    async def delete(self, id: int, *, timeout: TimeoutLike = None) -> Confirmation:
        """Delete a contact (`DELETE phone-number/delete/<contact_id>/`).

        Raises:
            NotFoundError: The account has no contact with this id.
        """
        return await self._core.execute(
            Request.delete(
                f"/api/v1/phone-number/delete/{arguments.identifier(id)}/",
                Confirmation,
                "contacts.delete",
                allows_empty_body=True,
                timeout=timeout,
            )
        )

    async def variables(self, id: int, *, timeout: TimeoutLike = None) -> Mapping[str, Any]:
        """Return a contact's variables by name (`GET campaign/<contact_id>/attributes/`)."""
        return await self._core.execute(
            Request.read(_variables_path(id), dict[str, Any], "contacts.variables", timeout=timeout)
        )

    async def set_variables(
        self, id: int, variables: Mapping[str, Any], *, timeout: TimeoutLike = None
    ) -> Mapping[str, Any]:
        """Change a contact's variables, and return them (`PATCH campaign/<contact_id>/attributes/`)."""
        if not variables:
            raise UsageError("contacts.set_variables: give at least one variable to change.")
        return await self._core.execute(
            Request.update(
                _variables_path(id),
                dict[str, Any],
                "contacts.set_variables",
                json=arguments.mapping(variables, "variables"),
                timeout=timeout,
            )
        )

    async def demo_call(
        self, id: int, *, idempotency_key: str | None = None, timeout: TimeoutLike = None
    ) -> Confirmation:
        """Call one contact, to try out a campaign (`POST demo-call/<contact_id>/`).

        Args:
            id: The contact's id.
            idempotency_key: See `Resource`.
            timeout: See `Resource`.

        Raises:
            OutcomeUnknownError: The phone may be ringing.
            DuplicateSendError: The ledger says that a send with this `idempotency_key` was made before, or may have
                been.
        """
        return await self._core.execute(
            Request.send(
                f"/api/v1/demo-call/{arguments.identifier(id)}/",
                Confirmation,
                "contacts.demo_call",
                allows_empty_body=True,
                timeout=timeout,
                recovery_hint="ask the person whether the phone rang",
                idempotency_key=idempotency_key,
            )
        )


def _addition_path(campaign_id: int) -> str:
    return f"/api/v1/campaign/{arguments.identifier(campaign_id, 'campaign_id')}/add-contact/"


def _variables_path(id: int) -> str:
    return f"/api/v1/campaign/{arguments.identifier(id)}/attributes/"  # It says campaign; the id is the contact's.
