"""The account's own lines, and those for sale."""

from tingting_async.classic.models import Confirmation, PhoneNumber
from tingting_async.classic.pages import read_list
from tingting_async.client.session import Session
from tingting_async.http.messages import Effect, Request
from tingting_async.outcomes import Finding, by_presence
from tingting_async.pagination.paginator import Paginator
from tingting_async.pagination.styles import PageNumbers
from tingting_async.resources import arguments
from tingting_async.resources.base import Limit, Resource


class PhoneNumbers(Resource):
    """Lines (classic documents, Phone numbers)."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        # The documents print no pagination here; where the service paginates, it does so as for campaigns.
        self._convention = PageNumbers("page", "page_number")

    def owned(self, *, window: int | None = None, timeout: Limit = None) -> Paginator[PhoneNumber]:
        """List the lines that the account owns (`GET /api/system/owned/phone_numbers`)."""
        request = Request(
            "GET",
            "/api/system/owned/phone_numbers",
            Effect.READS,
            "phone_numbers.owned",
            list[PhoneNumber],
            payload=("data", "owned_numbers"),
            timeout=timeout,
        )
        return self._session.paginate(request, self._convention, read_list, window=window)

    def for_sale(self, *, window: int | None = None, timeout: Limit = None) -> Paginator[PhoneNumber]:
        """List the lines that can be bought (`GET /api/system/phone_numbers`)."""
        request = Request(
            "GET",
            "/api/system/phone_numbers",
            Effect.READS,
            "phone_numbers.for_sale",
            list[PhoneNumber],
            payload=("data", "number_lists"),
            timeout=timeout,
        )
        return self._session.paginate(request, self._convention, read_list, window=window)

    async def buy(self, sid: str, *, once: str | None = None, timeout: Limit = None) -> PhoneNumber:
        """Buy a line, which costs credits (`POST /api/system/phone_numbers/`).

        Never sent twice by itself once it may have arrived.

        Args:
            sid: Which one (`PhoneNumber.sid`).
            once: With a ledger, which lets a line be bought once: your name for another purchase of it.
            timeout: The limits of this call.

        Raises:
            OutcomeUnknownError: It may have been bought: look for it in `owned()` before buying again.
            DuplicateSendError: By the ledger it was bought before, or may have been.
        """
        return await self._session.call(
            Request(
                "POST",
                "/api/system/phone_numbers/",
                Effect.RINGS,
                "phone_numbers.buy",
                PhoneNumber,
                payload=("data", "number_details", 0),
                json={"phone_sid": arguments.text(sid, "sid")},
                timeout=timeout,
                find_out="look for it in phone_numbers.owned()",
                find=lambda _: self._find(sid),
                target=f"line {sid}",
                once=once,
            )
        )

    async def _find(self, sid: str) -> Finding:
        owned = [line async for line in self.owned() if line.sid == sid]
        return by_presence(owned[0] if owned else None, "The line")

    async def release(self, sid: str, *, timeout: Limit = None) -> Confirmation:
        """Give a line back (`DELETE /api/system/phone_numbers`).

        Args:
            sid: Which one (`PhoneNumber.sid`).
            timeout: The limits of this call.

        Raises:
            NotFoundError: The account has none of this sid.
        """
        return await self._session.call(
            Request(
                "DELETE",
                "/api/system/phone_numbers",
                Effect.SETS,
                "phone_numbers.release",
                Confirmation,
                json={"phone_sid": arguments.text(sid, "sid")},
                timeout=timeout,
                find_out="look for it in phone_numbers.owned()",
            )
        )
