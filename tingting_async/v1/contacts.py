"""The contacts of a campaign."""

from collections.abc import Iterable, Mapping
from typing import Any

from tingting_async.client.core import Core
from tingting_async.errors import OutcomeUnknownError, PartialFailureError, TingTingError, UsageError
from tingting_async.http.messages import Effect, Request
from tingting_async.outcomes import Reconciler
from tingting_async.pagination.paginator import Paginator
from tingting_async.pagination.styles import LimitOffsetPagination
from tingting_async.resources import arguments
from tingting_async.resources.arguments import FileLike
from tingting_async.resources.base import Resource, TimeoutLike
from tingting_async.resources.phone_numbers import phone_number, phone_numbers
from tingting_async.v1.method_fallback import MethodFallback
from tingting_async.v1.models.common import Confirmation
from tingting_async.v1.models.contacts import Contact, ContactAdded, ContactsAdded, NewContact, Upload
from tingting_async.v1.pages import read_page
from tingting_async.v1.reconcile import reconcile_contact, started_at, utc_now


class Contacts(Resource):
    """The contacts of a campaign (v1 documents, Contacts)."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self._methods = MethodFallback(core)

    def list(
        self,
        campaign_id: int,
        *,
        window: int | None = None,
        exact: bool = False,
        resume: str | None = None,
        timeout: TimeoutLike = None,
    ) -> Paginator[Contact]:
        """List a campaign's contacts (`GET campaign-detail/<campaign_id>/`).

        A page's `extra` holds `total_credits_consumed` and `carrier_summary`.

        Args:
            campaign_id: The campaign's.
            window: How many pages are in flight at once, from the start; None for the session's, with a slow start.
            exact: Whether to miss no row and repeat none while the list changes, at twice the requests or more.
            resume: The `token` of an earlier walk, to go on behind it.
            timeout: The limits of each page's call.
        """
        request = Request(
            "GET",
            f"/api/v1/campaign-detail/{arguments.identifier(campaign_id, 'campaign_id')}/",
            Effect.READ,
            "contacts.list",
            list[Contact],
            payload=("results",),
            timeout=timeout,
        )
        return self._core.paginate(
            request, LimitOffsetPagination(10), read_page, window=window, exact=exact, resume=resume
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
            campaign_id: The campaign's.
            number: A number of Nepal in any usual spelling.
            variables: What the message's placeholders stand for.
            timeout: The limits of this call.

        Raises:
            UsageError: The number is none.
            OutcomeUnknownError: It may have been added: look for it in `list()` before adding it again.
        """
        digits = phone_number(number)
        asked_at = utc_now()
        body = {"number": digits, "other_variables": arguments.mapping(variables or {}, "variables")}
        return await self._core.execute(
            self._adding(
                campaign_id,
                ContactAdded,
                body,
                "contacts.add",
                timeout,
                reconciler=lambda send: reconcile_contact(self.list(campaign_id), digits, started_at(send, asked_at)),
            )
        )

    async def add_many(
        self,
        campaign_id: int,
        contacts: Iterable[NewContact | str | int],
        *,
        chunk: int = 100,
        timeout: TimeoutLike = None,
    ) -> ContactsAdded:
        """Add many contacts, some at a time, one request after the other.

        Args:
            campaign_id: The campaign's.
            contacts: Contacts, or bare numbers.
            chunk: How many are sent in one request; how many the service takes is not documented.
            timeout: The limits of each call.

        Returns:
            What became of all of them together; the service skips numbers that it has already.

        Raises:
            UsageError: Numbers are none or come twice, each in `problems`, or there are none; nothing was sent.
            PartialFailureError: A request failed after others, or so that it may have been carried out; the following
                ones were not sent. It holds what was added, and which rows may have been, or were not. If the very
                first is refused, nothing was added, and its own error is raised.
        """
        if type(chunk) is not int or chunk < 1:
            raise UsageError(f"contacts.add_many: chunk={chunk!r}; at least one contact goes in a request.")
        if isinstance(contacts, str | bytes) or not isinstance(contacts, Iterable):
            raise UsageError(f"`contacts` has to be a list of contacts, not one {type(contacts).__name__}.")
        given = [each if isinstance(each, NewContact) else NewContact(each) for each in contacts]
        numbers = phone_numbers([each.number for each in given], "contacts")
        rows = [
            {"number": number, "other_variables": arguments.mapping(each.variables, f"contacts[{row}].variables")}
            for row, (number, each) in enumerate(zip(numbers, given, strict=True))
        ]
        done = ContactsAdded(created=0)
        for start in range(0, len(rows), chunk):
            body = {"contacts": rows[start : start + chunk]}
            request = self._adding(campaign_id, ContactsAdded, body, "contacts.add_many", timeout)
            try:
                added = await self._core.execute(request)
            except TingTingError as error:
                here, after = range(start, min(start + chunk, len(rows))), range(start, len(rows))
                is_unknown = isinstance(error, OutcomeUnknownError)
                if start == 0 and not is_unknown:
                    raise  # Nothing was added: it is the plain error that says why.
                unknown = here if is_unknown else range(0)
                not_done = range(here.stop, len(rows)) if is_unknown else after
                raise PartialFailureError(
                    f"contacts.add_many: {done.created} contacts were added, {len(unknown)} may have been, and "
                    f"{len(not_done)} were not. {error}",
                    result=done,
                    unknown=unknown,
                    not_done=not_done,
                ) from error
            done = ContactsAdded(
                created=done.created + added.created,
                skipped=done.skipped + added.skipped,
                contacts=done.contacts + added.contacts,
                errors={**done.errors, **{start + row: said for row, said in added.errors.items()}},
                other_errors=done.other_errors + added.other_errors,
                extra={**done.extra, **added.extra},
            )
        return done

    async def upload(self, campaign_id: int, file: FileLike, *, timeout: TimeoutLike = None) -> Upload:
        """Add a file of contacts (`PATCH campaign/create/<campaign_id>/detail/`).

        Args:
            campaign_id: The campaign's.
            file: An .xlsx or .csv file; its first column is `numbers`, the others become variables.
            timeout: The limits of this call.

        Raises:
            UsageError: The file cannot be read, or is of another kind.
            OutcomeUnknownError: It may have been added: look at `list()` before adding it again.
        """
        path = f"/api/v1/campaign/create/{arguments.identifier(campaign_id, 'campaign_id')}/detail/"
        content_type = "application/octet-stream"
        sheet = await arguments.file(file, "file", suffixes=(".xlsx", ".csv"), content_type=content_type)
        request = Request(
            "PATCH",
            path,
            Effect.CREATE,
            "contacts.upload",
            Upload,
            timeout=timeout,
            recovery_hint=f"look at contacts.list({campaign_id})",
        ).with_form({}, {"bulk_file": sheet})
        return await self._methods.call(request, "POST")  # PATCH by the newer documents, POST by the older.

    async def edit(self, id: int, number: str | int, *, timeout: TimeoutLike = None) -> Contact:
        """Change a contact's number (`PATCH phone-number/update/<contact_id>/`)."""
        path, body = f"/api/v1/phone-number/update/{arguments.identifier(id)}/", {"number": phone_number(number)}
        request = Request("PATCH", path, Effect.UPDATE, "contacts.edit", Contact, json=body, timeout=timeout)
        return await self._core.execute(request)

    async def delete(self, id: int, *, timeout: TimeoutLike = None) -> Confirmation:
        """Delete a contact (`DELETE phone-number/delete/<contact_id>/`).

        Raises:
            NotFoundError: There is none of this id in the account.
        """
        path = f"/api/v1/phone-number/delete/{arguments.identifier(id)}/"
        request = Request(
            "DELETE", path, Effect.UPDATE, "contacts.delete", Confirmation, allows_empty_body=True, timeout=timeout
        )
        return await self._core.execute(request)

    async def variables(self, id: int, *, timeout: TimeoutLike = None) -> Mapping[str, Any]:
        """Return a contact's variables, by name (`GET campaign/<contact_id>/attributes/`)."""
        path = f"/api/v1/campaign/{arguments.identifier(id)}/attributes/"  # It says campaign; the id is the contact's.
        request = Request("GET", path, Effect.READ, "contacts.variables", dict[str, Any], timeout=timeout)
        return await self._core.execute(request)

    async def set_variables(
        self, id: int, variables: Mapping[str, Any], *, timeout: TimeoutLike = None
    ) -> Mapping[str, Any]:
        """Change a contact's variables, and return them (`PATCH campaign/<contact_id>/attributes/`)."""
        if not variables:
            raise UsageError("contacts.set_variables: give the variables that are to be changed.")
        path, fields = (
            f"/api/v1/campaign/{arguments.identifier(id)}/attributes/",
            arguments.mapping(variables, "variables"),
        )
        operation = "contacts.set_variables"
        request = Request("PATCH", path, Effect.UPDATE, operation, dict[str, Any], json=fields, timeout=timeout)
        return await self._core.execute(request)

    async def demo_call(
        self, id: int, *, idempotency_key: str | None = None, timeout: TimeoutLike = None
    ) -> Confirmation:
        """Call one contact, to try a campaign out (`POST demo-call/<contact_id>/`).

        Never sent twice by itself once it may have arrived.

        Args:
            id: The contact's.
            idempotency_key: With a ledger: your name for this send, which is sent once; see docs/ledger.md.
            timeout: The limits of this call.

        Raises:
            OutcomeUnknownError: It may be ringing.
            DuplicateSendError: By the ledger `idempotency_key` was sent before, or may have been.
        """
        return await self._core.execute(
            Request(
                "POST",
                f"/api/v1/demo-call/{arguments.identifier(id)}/",
                Effect.SEND,
                "contacts.demo_call",
                Confirmation,
                allows_empty_body=True,
                timeout=timeout,
                recovery_hint="ask the person whether the telephone rang",
                idempotency_key=idempotency_key,
            )
        )

    def _adding(
        self,
        campaign_id: int,
        model: Any,
        body: dict[str, Any],
        operation: str,
        timeout: TimeoutLike,
        reconciler: Reconciler | None = None,
    ) -> Request[Any]:
        return Request(
            "POST",
            f"/api/v1/campaign/{arguments.identifier(campaign_id, 'campaign_id')}/add-contact/",
            Effect.CREATE,
            operation,
            model,
            json=body,
            timeout=timeout,
            recovery_hint=f"look for them in contacts.list({campaign_id})",
            reconciler=reconciler,
        )
