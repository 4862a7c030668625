"""The account's own lines, and those for sale."""

from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Unpack

from tingting_async.classic.models import Confirmation, PhoneNumber
from tingting_async.classic.pages import ListResource, read_list
from tingting_async.http.messages import Request
from tingting_async.outcomes import Reconciliation, Verdict, from_presence, target_id
from tingting_async.pagination.paginator import Paginator
from tingting_async.resources import arguments
from tingting_async.resources.base import IN_V1, PageOptions, TimeoutLike
from tingting_async.resources.evidence import Match, match_id, reconcile_rows

if TYPE_CHECKING:
    from tingting_async.client.guards import Guards, Reach


class PhoneNumbers(ListResource):
    """Lines (classic documents, Phone numbers)."""

    _elsewhere = dict.fromkeys(("active", "list"), IN_V1)

    def owned(self, **options: Unpack[PageOptions]) -> Paginator[PhoneNumber]:
        """List the lines that the account owns (`GET /api/system/owned/phone_numbers`).

        Args:
            **options: `window`, `exact`, `max_cost`, `resume` and `timeout`; see `Resource`.
        """
        return self._paginate(
            Request.read(
                "/api/system/owned/phone_numbers",
                list[PhoneNumber],
                "phone_numbers.owned",
                payload=("data", "owned_numbers"),
            ),
            self._style,
            read_list,
            options,
        )

    def for_sale(self, **options: Unpack[PageOptions]) -> Paginator[PhoneNumber]:
        """List the lines that can be bought (`GET /api/system/phone_numbers`).

        Args:
            **options: `window`, `exact`, `max_cost`, `resume` and `timeout`; see `Resource`.
        """
        return self._paginate(
            Request.read(
                "/api/system/phone_numbers",
                list[PhoneNumber],
                "phone_numbers.for_sale",
                payload=("data", "number_lists"),
            ),
            self._style,
            read_list,
            options,
        )

    async def buy(self, sid: str, *, idempotency_key: str | None = None, timeout: TimeoutLike = None) -> PhoneNumber:
        """Buy a line, which costs credits (`POST /api/system/phone_numbers/`).

        Args:
            sid: The line's id (`PhoneNumber.sid`).
            idempotency_key: With a ledger, your name for this purchase: a key buys no line twice. Without a key, the
                ledger buys each line once.
            timeout: The limits of this call.

        Raises:
            GuardError: The line costs more than the guard `max_credits` allows.
            OutcomeUnknownError: The line may have been bought: look for it in `owned()` before you buy it again.
            DuplicateSendError: According to the ledger, it was bought before, or may have been.
        """
        return await self._core.execute(
            Request.send(
                "/api/system/phone_numbers/",
                PhoneNumber,
                "phone_numbers.buy",
                payload=("data", "number_details", 0),
                json={"phone_sid": arguments.non_empty_text(sid, "sid")},
                timeout=timeout,
                recovery_hint="look for it in phone_numbers.owned()",
                reconciler=lambda send: self._find(target_id(send, sid)),
                send_target=f"line {sid}",
                idempotency_key=idempotency_key,
                reaches=partial(self._reach, sid, timeout),
            )
        )

    async def _reach(self, sid: str, timeout: TimeoutLike, guards: "Guards") -> "Reach":
        """Say that a purchase reaches nobody, and what it costs."""
        from tingting_async.client.guards import Reach  # noqa: PLC0415 - only with guards

        rate: Decimal | None = Decimal(0)
        if guards.max_credits is not None:
            lines = await self.for_sale(exact=True, timeout=timeout).collect()
            rate = next((line.rate for line in lines if line.sid == sid), None)
        return Reach(
            recipients=0, numbers=(), price=rate, unknown="The list of lines for sale does not show its price."
        )

    async def _find(self, sid: str) -> Reconciliation:
        def judge(line: PhoneNumber) -> Reconciliation | None:
            match = match_id(line.sid, sid)
            if match is Match.MAYBE:
                return Reconciliation(Verdict.UNKNOWN, "There is a line that may be this one in another form.", line)
            return from_presence(line, "The line") if match is Match.SAME else None

        return await reconcile_rows(self.owned(exact=True), judge, "The line")

    async def release(self, sid: str, *, timeout: TimeoutLike = None) -> Confirmation:
        """Release a line that the account owns (`DELETE /api/system/phone_numbers`).

        Args:
            sid: The line's id (`PhoneNumber.sid`).
            timeout: The limits of this call.

        Raises:
            NotFoundError: The account owns no line with this id.
        """
        return await self._core.execute(
            Request.delete(
                "/api/system/phone_numbers",
                Confirmation,
                "phone_numbers.release",
                json={"phone_sid": arguments.non_empty_text(sid, "sid")},
                timeout=timeout,
                recovery_hint="look for it in phone_numbers.owned()",
            )
        )
