"""Guards: a user's own limits, which a request must respect before it calls, texts or spends."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Collection, Iterable
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from time import monotonic
from typing import Any, cast

import attrs

from tingting_async.client.suppression import ROWS_PER_TURN, Suppressed, SuppressedSource
from tingting_async.decoding.scalars import KATHMANDU
from tingting_async.errors import GuardError, UsageError
from tingting_async.http.messages import Effect, Request
from tingting_async.quantities import MOST, counted, is_count, is_number, shown
from tingting_async.recipients.numbers import phone_number
from tingting_async.redaction import mask
from tingting_async.tracebacks import short_traceback

_FRESH = 1.0
"""Seconds in which the suppression list is not read again: a request is checked before and after it connects."""
_SHOWN = 3
"""The maximum number of phone numbers that an error shows."""


def _decimal(value: Decimal | float | None) -> Decimal | None:
    """Return a number as a decimal; anything else as it is, for the validator to refuse."""
    return Decimal(str(value)) if is_number(value) else cast("Decimal | None", value)


def _number(value: Decimal | float) -> Decimal:
    return cast("Decimal", _decimal(value))


def _amount(_: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Refuse a value that is not an amount of credits."""
    is_amount = isinstance(value, Decimal) and value.is_finite() and 0 <= value <= MOST
    if not is_amount and not (value is None and attribute.default is None):
        raise UsageError(f"`{attribute.name}` is {shown(value)}; it must be a number from 0 to {MOST:,}.")


@attrs.frozen(kw_only=True)
class Prices:
    """What you pay, in credits. The service does not publish its prices, so costs are estimates.

    Attributes:
        per_sms_part: The price of one part of an SMS. A long text has several parts.
        per_call: The price of a call, however long it is. Give either this or `per_call_minute`.
        per_call_minute: The price of a minute of a call.
        minutes_per_call: How many charged minutes you expect a call to take.

    Raises:
        UsageError: No price is given, both prices of a call are given, or one is not a number of 0 or more.
    """

    per_sms_part: Decimal | float | None = attrs.field(default=None, converter=_decimal, validator=_amount)
    per_call: Decimal | float | None = attrs.field(default=None, converter=_decimal, validator=_amount)
    per_call_minute: Decimal | float | None = attrs.field(default=None, converter=_decimal, validator=_amount)
    minutes_per_call: Decimal | float = attrs.field(default=1, converter=_number, validator=_amount)

    def __attrs_post_init__(self) -> None:
        """Refuse prices that contradict each other."""
        if self.per_call is not None and self.per_call_minute is not None:
            raise UsageError("Prices: give `per_call` or `per_call_minute`, not both.")
        if all(price is None for price in (self.per_sms_part, self.per_call, self.per_call_minute)):
            raise UsageError("Prices: give at least one price, such as `per_sms_part`.")

    def estimate(self, *, sms_parts: int = 0, calls: int = 0) -> Decimal:
        """Return the estimated cost of this, in credits.

        Args:
            sms_parts: The number of parts of all SMS together.
            calls: The number of calls.

        Raises:
            UsageError: A price that this needs was not given.
        """
        per_call = self.per_call
        if per_call is None and self.per_call_minute is not None:
            per_call = cast("Decimal", self.per_call_minute) * cast("Decimal", self.minutes_per_call)
        total = Decimal(0)
        for count, price, name in (
            (sms_parts, self.per_sms_part, "per_sms_part"),
            (calls, per_call, "per_call` or `per_call_minute"),
        ):
            if count and price is None:
                raise UsageError(f"The cost is not known: `prices` has no `{name}`.")
            total += count * cast("Decimal", price or Decimal(0))
        return total


def require_prices(prices: object) -> None:
    """Refuse an argument that is not `Prices`.

    Raises:
        UsageError: It is something else.
    """
    if not isinstance(prices, Prices):
        raise UsageError("`prices` must be `Prices(per_sms_part=…, per_call=…)`.")


@attrs.frozen(kw_only=True, repr=False, eq=False)
class Reach:
    """Whom a request calls or texts, and when. If it is not a send: whom a later send will reach because of it.

    Attributes:
        recipients: The maximum number of people it reaches; None if that is not known.
        numbers: Their numbers, as the service has them; None if they are not known or not needed.
        calls: The maximum number of calls it makes.
        sms_parts: How many parts all SMS together have; None if that is not known.
        price: Any other cost, in credits, as the service states it; None if that is not known.
        starts_at: When it begins to reach them; None if that is at once.
        unknown: Why something is not known, as a sentence.
    """

    recipients: int | None = 1
    numbers: Collection[Any] | None = None
    calls: int = 0
    sms_parts: int | None = 0
    price: Decimal | None = Decimal(0)
    starts_at: datetime | None = None
    unknown: str = ""


def _limit(_: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Refuse a value that is not a number of recipients."""
    if value is not None and not is_count(value, least=0):
        raise UsageError(f"`{attribute.name}` is {shown(value)}; it must be an integer from 0 to 2**63 - 1.")


def _hours(value: tuple[time, time] | None) -> tuple[time, time] | None:
    if value is None:
        return None
    pair: tuple[Any, ...] = tuple(cast("Iterable[Any]", value)) if isinstance(value, tuple | list) else ()
    if len(pair) != 2 or not all(isinstance(each, time) for each in pair):
        raise UsageError("`quiet_hours` must be two times, such as `(time(20), time(8))`.")
    start, end = pair
    if start.tzinfo is not None or end.tzinfo is not None:
        raise UsageError("`quiet_hours` are in Nepal's time: give times without `tzinfo`.")
    if start == end:
        raise UsageError(f"`quiet_hours` begin and end at {start:%H:%M}; give two different times.")
    return start, end


@attrs.frozen(kw_only=True, eq=False)
class Guards:
    """Your own limits for everything that calls, texts or spends: `TingTing(guards=Guards(max_recipients=500))`.

    Each is off by default. If a guard refuses a request, nothing is sent, the ledger keeps no trace of it, and the call
    raises a `GuardError`. Before a campaign is run, its contacts are read from the service; see docs/recipients.md for
    what that costs.

    Attributes:
        max_recipients: How many people a send may reach. It counts for each send by itself.
        max_credits: How many credits a send may cost, as estimated by `prices`.
        quiet_hours: When nobody is reached: a start and an end in Nepal's time (UTC+05:45), such as
            `(time(20), time(8))`. They may cross midnight. The end is exclusive. A send is checked when it
            is about to leave, and a scheduled run by the time of its schedule. A campaign that was run before may still
            be calling then.
        suppressed: The numbers that are never reached: numbers in any usual spelling, a `RecipientList`, or a function,
            sync or async, that returns such numbers. A list is read once, here, which blocks the event loop: for 50,000
            numbers up to a second. A function is called for each send, just before that leaves, and what it returns is
            read while other tasks run. If one row cannot be read, nothing is sent.
        prices: What you pay; `max_credits` needs them.

    Raises:
        UsageError: A limit is not valid, `prices` are missing, or a row of `suppressed` cannot be read.
    """

    max_recipients: int | None = attrs.field(default=None, validator=_limit)
    max_credits: Decimal | float | None = attrs.field(default=None, converter=_decimal, validator=_amount)
    quiet_hours: tuple[time, time] | None = attrs.field(default=None, converter=_hours)
    suppressed: SuppressedSource | None = attrs.field(default=None, repr=False)
    prices: Prices | None = None
    _list: Suppressed | None = attrs.field(default=None, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Refuse guards that cannot work, and read a suppression list."""
        if self.prices is not None:
            require_prices(self.prices)
        if self.max_credits is not None and self.prices is None:
            raise UsageError(
                "Guards: `max_credits` needs `prices`, such as `Prices(per_sms_part=1, per_call_minute=2)`."
            )
        if self.suppressed is not None:
            listed = Suppressed(self.suppressed)
            object.__setattr__(self, "_list", listed)
            object.__setattr__(self, "suppressed", listed.given)

    @property
    def counts(self) -> bool:
        """Whether a guard needs the number of recipients."""
        return self.max_recipients is not None or self.max_credits is not None

    async def suppressed_numbers(self, operation: str) -> frozenset[str]:
        """Return the national digits of the numbers that are never reached.

        Args:
            operation: The operation that needs them, for the error.

        Raises:
            GuardError: The list cannot be read.
        """
        return frozenset() if self._list is None else await self._list.numbers(operation)


# A traceback must not show the suppression list; attrs has written the function.
Guards.__init__ = short_traceback(Guards.__init__)  # type: ignore[method-assign]


@attrs.define(eq=False, repr=False)
class Admission:
    """A request that the guards have checked. They check it again when it is about to leave.

    Attributes:
        guards: The guards.
        operation: The request's operation.
        reach: Whom it reaches.
    """

    guards: Guards
    operation: str
    reach: Reach
    _listed: float = -math.inf
    """When the suppression list was read, by the monotonic clock."""

    def judge_size(self) -> None:
        """Refuse too many recipients, or too high a cost.

        Raises:
            GuardError: A limit is exceeded, or it is not known whether it is.
        """
        limit, reach = self.guards.max_recipients, self.reach
        if limit is not None and reach.recipients is None:
            raise self._error(
                "max_recipients", limit, None, f"it is not known how many people it reaches. {reach.unknown}"
            )
        if limit is not None and reach.recipients is not None and reach.recipients > limit:
            over = reach.recipients - limit
            said = f"`max_recipients` is {limit}, and it would reach {reach.recipients}: {over} too many."
            raise self._error("max_recipients", limit, reach.recipients, said)
        if self.guards.max_credits is None:
            return
        assert self.guards.prices is not None
        most = cast("Decimal", self.guards.max_credits)
        if reach.sms_parts is None or reach.recipients is None or reach.price is None:
            raise self._error("max_credits", most, None, f"it is not known what it costs. {reach.unknown}")
        try:
            cost = self.guards.prices.estimate(sms_parts=reach.sms_parts, calls=reach.calls)
        except UsageError as error:
            raise self._error("max_credits", most, None, str(error)) from None
        cost += reach.price
        if cost > most:
            said = f"`max_credits` is {most:f}, and it is estimated to cost {cost:f}: {cost - most:f} too many."
            raise self._error("max_credits", most, cost, said)

    def judge_time(self) -> None:
        """Refuse what would reach people in the quiet hours.

        Raises:
            GuardError: It is the time of the quiet hours.
        """
        hours, reach = self.guards.quiet_hours, self.reach
        if hours is None or reach.recipients == 0:
            return
        now = datetime.now(UTC)
        is_later = reach.starts_at is not None and reach.starts_at > now
        when = (reach.starts_at if is_later and reach.starts_at is not None else now).astimezone(KATHMANDU)
        if (ends := _quiet_until(hours, when)) is not None:
            left = timedelta(minutes=math.ceil((ends - when) / timedelta(minutes=1)))
            said = (
                f"`quiet_hours` are from {hours[0]:%H:%M} to {hours[1]:%H:%M} in Nepal, and it "
                f"{'would begin at' if is_later else 'is'} {when:%H:%M} there, {left // timedelta(minutes=1)} minutes "
                "before they end."
            )
            raise self._error("quiet_hours", hours, when, said)

    async def judge_numbers(self) -> None:
        """Refuse numbers on the suppression list, which may have changed since the last check.

        Raises:
            GuardError: One of the numbers is on the list, or may be.
        """
        numbers = self.reach.numbers
        is_empty = numbers is not None and not numbers
        if self.guards.suppressed is None or is_empty or monotonic() - self._listed < _FRESH:
            return
        listed = await self.guards.suppressed_numbers(self.operation)
        self._listed = monotonic()
        if numbers is None:
            raise self._error("suppressed", 0, None, f"it is not known which numbers it reaches. {self.reach.unknown}")
        found: list[str] = []
        for row, value in enumerate(numbers):
            try:
                national = phone_number(value)
            except UsageError:
                said = (
                    f"the number of a recipient ({mask(value)}) cannot be read, so it may be on the suppression list."
                )
                raise self._error("suppressed", 0, None, said) from None
            if national in listed:
                found.append(national)
            if row % ROWS_PER_TURN == ROWS_PER_TURN - 1:
                await asyncio.sleep(0)
        if found:
            which = ", ".join(mask(number) for number in found[:_SHOWN]) + ", …" * (len(found) > _SHOWN)
            is_or_are = "is" if len(found) == 1 else "are"
            recipients = counted(len(numbers), "recipient")
            said = f"{len(found)} of {recipients} {is_or_are} on the suppression list ({which})."
            raise self._error("suppressed", 0, len(found), said)

    def protect(self, request: Request[Any]) -> Request[Any]:
        """Return the request such that the guards check it again when it is about to leave.

        They check it before the ledger claims it, and once more immediately before its first byte is written.
        """
        before_send, before_first_byte = request.before_send, request.before_first_byte

        async def judge() -> None:
            self.judge_time()
            await self.judge_numbers()
            if before_send is not None:
                await before_send()

        def judge_again() -> None:
            self.judge_time()
            if before_first_byte is not None:
                before_first_byte()

        return attrs.evolve(request, before_send=judge, before_first_byte=judge_again)

    def _error(self, guard: str, limit: object, actual: object, said: str) -> GuardError:
        what = f"{self.operation}: nothing was sent, because of a guard: {said.strip()}"
        return GuardError(what, guard=guard, limit=limit, actual=actual, operation=self.operation)


def _quiet_until(hours: tuple[time, time], when: datetime) -> datetime | None:
    """Return the end of the quiet hours that a time is in; None if it is in none."""
    start, end = hours
    of_day = when.time()
    is_quiet = start <= of_day < end if start < end else of_day >= start or of_day < end
    if not is_quiet:
        return None
    ends = datetime.combine(when.date(), end, when.tzinfo)
    return ends if of_day < end else ends + timedelta(days=1)


async def admit(guards: Guards, request: Request[Any]) -> Admission:
    """Let the guards check a request, before anything else is done for it.

    Raises:
        GuardError: A guard refuses it.
    """
    reaches = request.reaches
    assert reaches is not None, f"{request.operation} does not say whom it reaches"
    reach: Reach = await reaches(guards)
    admission = Admission(guards, request.operation, reach)
    if request.effect is Effect.SEND:
        admission.judge_time()
        admission.judge_size()
    elif reach.starts_at is not None and reach.starts_at > datetime.now(UTC):
        admission.judge_time()  # The later send is not checked again.
    if request.effect is not Effect.SEND:
        await admission.judge_numbers()  # A send's numbers are judged when it is about to leave.
    return admission


Reaches = Callable[[Guards], Awaitable[Reach]]
"""Finds out whom a request reaches, as far as the guards need it."""
