"""The account's own lines, and those for sale."""

from tingting_async.classic.models import Confirmation, PhoneNumber
from tingting_async.classic.pages import read_list
from tingting_async.client.core import Core
from tingting_async.http.messages import Effect, Request
from tingting_async.outcomes import Reconciliation, from_presence
from tingting_async.pagination.paginator import Paginator
from tingting_async.pagination.styles import PageNumberPagination
from tingting_async.resources import arguments
from tingting_async.resources.base import Resource, TimeoutLike


class PhoneNumbers(Resource):
    """Lines (classic documents, Phone numbers)."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        # The documents print no pagination here; where the service paginates, it does so as for campaigns.
        self._convention = PageNumberPagination("page", "page_number")

    def owned(self, *, window: int | None = None, timeout: TimeoutLike = None) -> Paginator[PhoneNumber]:
        """List the lines that the account owns (`GET /api/system/owned/phone_numbers`)."""
        request = Request(
            "GET",
            "/api/system/owned/phone_numbers",
            Effect.READ,
            "phone_numbers.owned",
            list[PhoneNumber],
            payload=("data", "owned_numbers"),
            timeout=timeout,
        )
        return self._core.paginate(request, self._convention, read_list, window=window)

    def for_sale(self, *, window: int | None = None, timeout: TimeoutLike = None) -> Paginator[PhoneNumber]:
        """List the lines that can be bought (`GET /api/system/phone_numbers`)."""
        request = Request(
            "GET",
            "/api/system/phone_numbers",
            Effect.READ,
            "phone_numbers.for_sale",
            list[PhoneNumber],
            payload=("data", "number_lists"),
            timeout=timeout,
        )
        return self._core.paginate(request, self._convention, read_list, window=window)

    async def buy(self, sid: str, *, idempotency_key: str | None = None, timeout: TimeoutLike = None) -> PhoneNumber:
        """Buy a line, which costs credits (`POST /api/system/phone_numbers/`).

        Never sent twice by itself once it may have arrived.

        Args:
            sid: Which one (`PhoneNumber.sid`).
            idempotency_key: With a ledger, which lets a line be bought once: your name for another purchase of it.
            timeout: The limits of this call.

        Raises:
            OutcomeUnknownError: It may have been bought: look for it in `owned()` before buying again.
            DuplicateSendError: By the ledger it was bought before, or may have been.
        """
        return await self._core.execute(
            Request(
                "POST",
                "/api/system/phone_numbers/",
                Effect.SEND,
                "phone_numbers.buy",
                PhoneNumber,
                payload=("data", "number_details", 0),
                json={"phone_sid": arguments.non_empty_text(sid, "sid")},
                timeout=timeout,
                recovery_hint="look for it in phone_numbers.owned()",
                reconciler=lambda _: self._find(sid),
                send_target=f"line {sid}",
                idempotency_key=idempotency_key,
            )
        )

    async def _find(self, sid: str) -> Reconciliation:
        owned = [line async for line in self.owned() if line.sid == sid]
        return from_presence(owned[0] if owned else None, "The line")

    async def release(self, sid: str, *, timeout: TimeoutLike = None) -> Confirmation:
        """Give a line back (`DELETE /api/system/phone_numbers`).

        Args:
            sid: Which one (`PhoneNumber.sid`).
            timeout: The limits of this call.

        Raises:
            NotFoundError: The account has none of this sid.
        """
        return await self._core.execute(
            Request(
                "DELETE",
                "/api/system/phone_numbers",
                Effect.UPDATE,
                "phone_numbers.release",
                Confirmation,
                json={"phone_sid": arguments.non_empty_text(sid, "sid")},
                timeout=timeout,
                recovery_hint="look for it in phone_numbers.owned()",
            )
        )
