"""The contacts of a campaign."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

import attrs

from tingting_async.decoding.decoder import Decoder
from tingting_async.errors import UsageError
from tingting_async.http.messages import File, Request, Response
from tingting_async.late_imports import loading
from tingting_async.pagination.page import Page
from tingting_async.pagination.paginator import Paginator
from tingting_async.pagination.styles import LimitOffsetPagination
from tingting_async.persistence import run_in_thread
from tingting_async.quantities import shown
from tingting_async.recipients.numbers import NepaliNumber, phone_number
from tingting_async.resources import arguments
from tingting_async.resources.add_many import OnProblem, add_many, new_progress, skips_problems
from tingting_async.resources.base import IN_CLASSIC, PageOptions, TimeoutLike
from tingting_async.resources.given_rows import GivenContacts, ReadyList
from tingting_async.resources.reach import reaches_contact, reaches_number
from tingting_async.v1.additions import AddProgress, ContactAddition
from tingting_async.v1.contact_files import contact_file, require_commas
from tingting_async.v1.method_fallback import MethodFallback, other_method
from tingting_async.v1.models.common import Confirmation
from tingting_async.v1.models.contacts import Contact, ContactAdded, ContactsAdded, Upload
from tingting_async.v1.pages import read_page
from tingting_async.v1.reconcile import clocks_at, reconcile_contact

if TYPE_CHECKING:
    from tingting_async.client.guards import Guards, Reach


class Contacts(MethodFallback):
    """The contacts of a campaign (v1 documents, Contacts)."""

    _elsewhere = dict.fromkeys(("get",), IN_CLASSIC)

    def list(self, campaign_id: int, **options: Unpack[PageOptions]) -> Paginator[Contact]:
        """List a campaign's contacts (`GET campaign-detail/<campaign_id>/`).

        A page's `extra` contains `total_credits_consumed` and `carrier_summary`. The service's list does not contain
        variables, so the contacts' `variables` are None. Get them with `variables(contact.id)`.

        Args:
            campaign_id: The campaign's id.
            **options: See `Resource`.
        """
        campaign_id = arguments.identifier(campaign_id, "campaign_id")

        def make_page(
            decoder: Decoder,
            request: Request[list[Contact]],
            response: Response,
            number: int,
            rows: list[Contact],
            beside: dict[str, Any],
        ) -> Page[Contact]:
            for contact in rows:
                if contact.campaign_id is None:
                    _set_campaign(contact, campaign_id)
            return read_page(decoder, request, response, number, rows, beside)

        return self._paginate(
            Request.read(
                f"/api/v1/campaign-detail/{campaign_id}/", list[Contact], "contacts.list", payload=("results",)
            ),
            LimitOffsetPagination(10),
            make_page,
            options,
        )

    async def add(
        self,
        campaign_id: int,
        number: str | int | NepaliNumber,
        *,
        variables: Mapping[str, Any] | None = None,
        timeout: TimeoutLike = None,
    ) -> ContactAdded:
        """Add a contact (`POST campaign/<campaign_id>/add-contact/`).

        The campaign may reach a person twice if the number is added twice. The service does not say that it compares
        numbers here, as it does for `add_many`.

        Args:
            campaign_id: The campaign's id.
            number: A phone number of Nepal in any usual spelling.
            variables: The values of the message's placeholders.
            timeout: See `Resource`.

        Raises:
            UsageError: The number is not valid.
            GuardError: The number is on the session's suppression list.
            OutcomeUnknownError: The contact may have been added: look for it in `list()` before you add it again.
        """
        digits, called = phone_number(number), self._core.note_clocks()
        added = await self._core.execute(
            Request.create(
                _addition_path(campaign_id),
                ContactAdded,
                "contacts.add",
                json={
                    "number": digits,
                    "other_variables": arguments.mapping({} if variables is None else variables, "variables"),
                },
                timeout=timeout,
                recovery_hint=f"look for it in contacts.list({campaign_id})",
                reconciler=lambda send: reconcile_contact(
                    self._core.read_clocks, self.list(campaign_id, exact=True), digits, clocks_at(send, called)
                ),
                reaches=reaches_number(digits),
            )
        )
        if added.contact is not None and added.contact.campaign_id is None:
            _set_campaign(added.contact, campaign_id)
        return added

    async def add_many(
        self,
        campaign_id: int,
        contacts: GivenContacts,
        *,
        on_problem: OnProblem = "raise",
        chunk: int = 100,
        concurrency: int = 8,
        keep_contacts: bool | None = None,
        progress: AddProgress | None = None,
        on_progress: Callable[[AddProgress], object] | None = None,
        idempotency_key: str | None = None,
        timeout: TimeoutLike = None,
    ) -> ContactsAdded:
        """Add many contacts, in several requests at the same time (`POST campaign/<campaign_id>/add-contact/`).

        The campaign may have the contacts in another order than they were given. The service's documents do not say how
        it processes additions to one campaign that arrive at the same time. `concurrency=1` sends one request after the
        other. For a file of more than some ten thousand rows, see `upload`.

        Args:
            campaign_id: The campaign's id.
            contacts: A `RecipientList`, or contacts (`NewContact`) or phone numbers. All contacts of a list are checked
                before the first request. An iterator, sync or async, is read and checked chunk by chunk, and closed at
                the end.
            on_problem: What happens to rows that cannot be sent: those with a number that is not valid or was given
                before, and those with a value that JSON does not have. With "raise", the call is refused. With "skip",
                they are left out, and the result says why. Numbers on the suppression list are always left out.
            chunk: The number of contacts in one request. The service's maximum is not documented.
            concurrency: The maximum number of requests in flight; the session's `max_in_flight` limits it, too.
            keep_contacts: Whether the result has the new contacts, which take about 1 kB of memory each. By default, it
                has them if you give a list, and not if you give an iterator or a `RecipientList`.
            progress: A new `AddProgress`, which says at any time what was added.
            on_progress: A function that is called with the progress after each request. If it raises an error, that is
                logged, and the call continues.
            idempotency_key: With a ledger, your name for this list of contacts. Another call with the same key,
                whenever and wherever it is made, adds what is missing. If nothing is missing, an iterator is read to
                its end, to compare its contacts. Give each call a new iterator over all contacts: what an earlier call
                has read of one is lost. See docs/ledger.md.
            timeout: The limits of each request.

        Returns:
            The combined result of all requests; `outcomes` says what became of each row. The service skips numbers that
            the campaign already has. With a key, contacts that earlier calls have added count as skipped. If an earlier
            call has added all of them, the result has its counts.

        Raises:
            UsageError: There are no contacts, or a number or a variable is not valid, or a number is given twice. Each
                is in `problems`, with its row. Or other contacts were given with the same `idempotency_key`, or an
                iterator that an earlier call with a key has begun to read. Nothing was sent.
            PartialFailureError: A request failed after others succeeded, or its outcome is unknown, or an iterator
                failed or produced a contact that is not valid. The requests in flight were completed, and no others
                were sent. The error says which contacts were added, may have been added, and were not. If nothing can
                have been added, the first request's own error is raised instead.
            DuplicateSendError: Another call with the key was still adding contacts when the time of this call was up.
            asyncio.CancelledError: The call was cancelled, and so were the requests in flight. A `PartialFailureError`
                is its cause, and also behind the `TimeoutError` of `asyncio.timeout`: see `PartialFailureError.behind`.
        """
        if type(keep_contacts) not in (bool, type(None)):
            raise UsageError(
                f"contacts.add_many: `keep_contacts` must be True, False or None, not {shown(keep_contacts)}."
            )
        is_list = isinstance(contacts, Collection) and not isinstance(contacts, ReadyList)
        endpoint = ContactAddition(
            _addition_path(campaign_id),
            f"contacts of campaign {campaign_id}",
            f"look for them in contacts.list({campaign_id})",
            is_list if keep_contacts is None else keep_contacts,
            lambda: aiter(self.list(campaign_id, exact=True, timeout=timeout)),
        )
        added: ContactsAdded = await add_many(
            self._core,
            endpoint,
            "contacts",
            contacts,
            on_problem=on_problem,
            chunk=chunk,
            concurrency=concurrency,
            progress=new_progress(endpoint.operation, AddProgress, progress),
            on_progress=on_progress,
            idempotency_key=idempotency_key,
            timeout=timeout,
        )
        return added

    async def upload(
        self,
        campaign_id: int,
        file: arguments.FileLike | ReadyList,
        *,
        on_problem: OnProblem = "raise",
        idempotency_key: str | None = None,
        timeout: TimeoutLike = None,
    ) -> Upload:
        """Add the contacts of a file (`PATCH campaign/create/<campaign_id>/detail/`).

        One request adds any number of contacts. Prefer `add_many` up to some ten thousand contacts: it says what became
        of each, skips those that the campaign has, and sends each value as it is. The service's documents do not say
        whether an upload skips contacts, how large a file may be, or how the cells of a .csv file are read: "007" may
        become 7.

        Args:
            campaign_id: The campaign's id.
            file: An .xlsx or .csv file, or a `RecipientList`, which is sent as a .csv file. The first column of a file
                is `numbers`; the others become variables. A .csv file has commas between its columns. The file is held
                in memory, and must be sent within the time limit.
            on_problem: What happens to the rows of a `RecipientList` that have a problem. With "raise", the call is
                refused. With "skip", they are left out; `problems` of the list says which. Numbers on the suppression
                list are always left out of a `RecipientList`.
            idempotency_key: With a ledger, your name for this upload. The file is uploaded once for the key: another
                call with the same key and file returns the number of rows. See docs/ledger.md.
            timeout: See `Resource`.

        Raises:
            UsageError: The file cannot be read, or has another format, such as columns separated by semicolons; rows
                have problems; or another file was given with the same key.
            GuardError: The file has numbers on the session's suppression list.
            OutcomeUnknownError: The contacts may have been added: look at `list()` before you add them again.
            DuplicateSendError: Another process was still uploading the file when the time of this call was up.
        """
        skips = skips_problems("contacts.upload", on_problem)
        if isinstance(file, ReadyList):
            suppressed = await self._core.suppressed_numbers("contacts.upload")
            file = await contact_file(file, "file", suppressed, skips=skips)
        sheet = await arguments.file(file, "file", suffixes=(".xlsx", ".csv"))
        if sheet.name.lower().endswith(".csv"):
            require_commas(sheet.content, "file")
        request = Request.create(
            f"/api/v1/campaign/create/{arguments.identifier(campaign_id, 'campaign_id')}/detail/",
            Upload,
            "contacts.upload",
            method="PATCH",
            timeout=timeout,
            recovery_hint=f"look at contacts.list({campaign_id})",
            reaches=partial(_reach_of_file, sheet),
        ).with_form({}, {"bulk_file": sheet})
        form = other_method("POST")  # The older documents say POST.
        if idempotency_key is None:
            return await self._execute(request, form)
        with loading("contacts.upload"):
            from tingting_async.v1.uploads import ContactUpload  # noqa: PLC0415 - few programs need it

        recognition = ContactUpload(partial(self.list, campaign_id, timeout=timeout), sheet)
        request = attrs.evolve(
            request,
            send_target=f"file of campaign {campaign_id}",
            idempotency_key=idempotency_key,
            creation=recognition.creation(),
        )
        return await self._core.create(request, lambda request: self._execute(request, form))

    async def edit(self, id: int, number: str | int | NepaliNumber, *, timeout: TimeoutLike = None) -> Contact:
        """Change a contact's number (`PATCH phone-number/update/<contact_id>/`).

        Raises:
            UsageError: The number is not valid.
            GuardError: The number is on the session's suppression list.
        """
        digits = phone_number(number)
        return await self._core.execute(
            Request.update(
                f"/api/v1/phone-number/update/{arguments.identifier(id)}/",
                Contact,
                "contacts.edit",
                json={"number": digits},
                timeout=timeout,
                reaches=reaches_number(digits),
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
        given = arguments.mapping(variables, "variables")
        if not given:
            raise UsageError("contacts.set_variables: give at least one variable to change.")
        return await self._core.execute(
            Request.update(
                _variables_path(id),
                dict[str, Any],
                "contacts.set_variables",
                json=given,
                timeout=timeout,
            )
        )

    async def demo_call(
        self,
        id: int,
        *,
        campaign_id: int | None = None,
        idempotency_key: str | None = None,
        timeout: TimeoutLike = None,
    ) -> Confirmation:
        """Call one contact, to try out a campaign (`POST demo-call/<contact_id>/`).

        Args:
            id: The contact's id.
            campaign_id: The campaign of the contact. The guard `suppressed` needs it, to read the contact's number.
            idempotency_key: See `Resource`.
            timeout: See `Resource`.

        Raises:
            GuardError: A guard of the session does not allow it. Nobody was called.
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
                recipient=f"contact {arguments.identifier(id)}",
                idempotency_key=idempotency_key,
                reaches=reaches_contact(self.list, id, campaign_id, timeout),
            )
        )


# For contacts whose campaign the response does not name. Nobody else has the contact yet, and a copy of it would take
# longer than decoding it.
_set_campaign: Callable[[Contact, int], None] = vars(Contact)["campaign_id"].__set__


async def _reach_of_file(file: File, guards: "Guards") -> "Reach":
    """Return the numbers of a file. A file that cannot be read here is judged when its campaign is run."""
    from tingting_async.client.guards import Reach  # noqa: PLC0415 - only with guards

    with loading("contacts.upload"):
        from tingting_async.v1.uploads import numbers_of  # noqa: PLC0415 - few programs need it

    numbers = None if guards.suppressed is None else await run_in_thread(lambda: numbers_of(file))
    return Reach(recipients=None, numbers=numbers or ())


def _addition_path(campaign_id: int) -> str:
    return f"/api/v1/campaign/{arguments.identifier(campaign_id, 'campaign_id')}/add-contact/"


def _variables_path(id: int) -> str:
    return f"/api/v1/campaign/{arguments.identifier(id)}/attributes/"  # It says campaign; the id is the contact's.
