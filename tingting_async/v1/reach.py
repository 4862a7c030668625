"""Whom a send reaches, for the guards: what they need is read from the service, and nothing else."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from tingting_async.client.core import Core
from tingting_async.errors import UsageError
from tingting_async.recipients.numbers import phone_number
from tingting_async.recipients.texts import placeholders
from tingting_async.resources.add_many import refuse_no_list
from tingting_async.resources.base import TimeoutLike
from tingting_async.resources.reach import CALLS, TEXTS, UNKNOWN_SERVICES, parts_of
from tingting_async.v1.contacts import Contacts
from tingting_async.v1.models.contacts import Contact
from tingting_async.v1.reconcile import details

if TYPE_CHECKING:
    from tingting_async.client.guards import Guards, Reach, Reaches

T = TypeVar("T")

ROWS_PER_TURN = 100
"""The number of rows that are processed before other tasks run."""
AT_ONCE = 8
"""The number of contacts whose variables are requested at the same time."""

Values = Mapping[str, Any]
Recipients = Iterable[Any] | AsyncIterable[Any]
"""A `RecipientList`, contacts, or other objects that have a number and variables."""


def reaches_campaign(core: Core, id: int, recipients: Sequence[Any] | None, timeout: TimeoutLike) -> "Reaches":
    """Return the `Reaches` function of a request that runs a campaign."""
    return partial(_campaign, core, id, recipients, timeout)


async def _campaign(
    core: Core, id: int, recipients: Sequence[Any] | None, timeout: TimeoutLike, guards: "Guards"
) -> "Reach":
    from tingting_async.client.guards import Reach  # noqa: PLC0415 - only with guards

    contacts, count, rows = Contacts(core), None, None
    campaign = await core.execute(details(id, timeout))
    calls, texts = campaign.services in CALLS, campaign.services in TEXTS
    text = (campaign.sms_message or "") if guards.max_credits is not None and texts else ""
    has_names = bool(placeholders(text))
    if guards.counts:
        count = await contacts.list(id, timeout=timeout).count()
    if guards.suppressed is not None or has_names:
        rows = await contacts.list(id, exact=True, timeout=timeout).collect()
        count = max(count or 0, len(rows))
    parts: int | None = parts_of(text, [{}]) * (count or 0)
    if guards.max_credits is not None and not calls and not texts:
        parts = None
    elif rows is not None and has_names:
        parts = 0

        def add(_: int, values: Values) -> None:
            nonlocal parts
            parts = (parts or 0) + parts_of(text, [values])

        await read_values(contacts, rows, add, timeout, known=await values_by_number(recipients))
    return Reach(
        recipients=count,
        numbers=None if rows is None else [contact.number for contact in rows],
        calls=(count or 0) if calls else 0,
        sms_parts=parts,
        starts_at=campaign.schedule,
        unknown=UNKNOWN_SERVICES if parts is None else "",
    )


async def read_values(
    contacts: Contacts,
    rows: Iterable[Contact],
    take: Callable[[int, Values], None],
    timeout: TimeoutLike,
    *,
    known: Mapping[str, Values] | None = None,
) -> None:
    """Read the variables of contacts, a request for each, several at the same time.

    Args:
        contacts: The resource.
        rows: The contacts.
        take: Is called with the index of each contact and its variables, in any order.
        timeout: The limits of each request.
        known: Variables by national number, which need not be read.
    """
    unknown: list[tuple[int, Contact]] = []
    for index, contact in enumerate(rows):
        values = None if known is None else known.get(national(contact.number) or "")
        if values is None:
            unknown.append((index, contact))
        else:
            take(index, values)
        if index % ROWS_PER_TURN == ROWS_PER_TURN - 1:
            await asyncio.sleep(0)
    rest = iter(unknown)

    async def read_variables() -> None:
        # It returns nothing: asyncio logs the results of tasks in its debug mode.
        for index, contact in rest:
            take(index, await contacts.variables(contact.id, timeout=timeout))

    await gather_or_cancel(read_variables() for _ in range(AT_ONCE))


def national(number: object) -> str | None:
    """Return the national digits of a number; None if it cannot be read."""
    with suppress(UsageError):
        return phone_number(number)
    return None


async def values_by_number(recipients: Sequence[Any] | None) -> dict[str, Values]:
    """Return the variables of recipients by national number."""
    found: dict[str, Values] = {}
    if recipients is not None:
        async for recipient in iterate(recipients):
            found[national(getattr(recipient, "number", recipient)) or ""] = variables_of(recipient)
    return found


async def read_recipients(recipients: Recipients) -> list[Any]:
    """Return recipients of an iterable of either kind, which is read once. Other tasks run meanwhile.

    Raises:
        UsageError: It is not a list of recipients, or one of them is none.
    """
    refuse_no_list(recipients, "recipients")
    found: list[Any] = []
    async for each in iterate(recipients):
        _require_recipient(each, f"recipients[{len(found)}]")
        found.append(each)
    return found


def _require_recipient(each: Any, name: str) -> None:
    if isinstance(each, Mapping):
        raise UsageError(
            f"`{name}` must be an object with a number and variables, not a {type(cast('object', each)).__name__}, "
            "whose variables would be lost: give `NewContact(number, variables)`, or a `RecipientList`."
        )
    if not hasattr(each, "number"):
        phone_number(each, name)
    elif not isinstance(variables := variables_of(each), Mapping):
        raise UsageError(
            f"`{name}.variables` must be a mapping of names to values, not {type(cast('object', variables)).__name__}."
        )


def variables_of(recipient: Any) -> Mapping[str, Any]:
    """Return the variables of a recipient; none for a contact of `contacts.list()`, which does not have them."""
    variables = getattr(recipient, "variables", None)
    return {} if variables is None else variables


async def iterate(recipients: Recipients) -> AsyncIterator[Any]:
    """Yield recipients of an iterable of either kind. Other tasks run meanwhile."""
    row = 0
    if isinstance(recipients, AsyncIterable):
        async for each in recipients:
            yield each
            if (row := row + 1) % ROWS_PER_TURN == 0:  # An async iterator may never wait.
                await asyncio.sleep(0)
        return
    for each in recipients:
        yield each
        if (row := row + 1) % ROWS_PER_TURN == 0:
            await asyncio.sleep(0)


async def gather_or_cancel(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Return the results of calls; if one of them fails, cancel the others and wait for them."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
