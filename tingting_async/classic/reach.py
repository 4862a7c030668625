"""Whom the run of a campaign reaches, for the guards; and the request for a campaign."""

from collections.abc import Callable, Sequence, Set as AbstractSet
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import attrs

from tingting_async.classic.models import Campaign, Number
from tingting_async.client.core import Core
from tingting_async.http.messages import Request
from tingting_async.pagination.paginator import Paginator
from tingting_async.persistence import run_in_thread
from tingting_async.resources import arguments
from tingting_async.resources.base import TimeoutLike
from tingting_async.resources.reach import CALLS, TEXTS, UNKNOWN_SERVICES, parts_of

if TYPE_CHECKING:
    from tingting_async.client.guards import Guards, Reach, Reaches


@attrs.frozen(eq=False, repr=False)
class Run:
    """A run of a campaign.

    Attributes:
        id: The campaign's id.
        message: What is read aloud or texted; None for audio.
        numbers: The ids of the numbers to reach; None for all.
        rerun: The statuses of the numbers to reach again; None for a first run.
        schedule: When it begins; None for now.
        timeout: The limits of each request.
    """

    id: int
    message: str | None
    numbers: AbstractSet[int] | None
    rerun: Sequence[str] | None
    schedule: datetime | None
    timeout: TimeoutLike

    def reaches(self, core: Core, listed: Callable[..., Paginator[Number]]) -> "Reaches":
        """Return the `Reaches` function of the run. `listed` lists the numbers of a campaign."""
        return partial(_reach, self, core, partial(listed, self.id, timeout=self.timeout))

    def includes(self, number: Number) -> bool:
        """Return whether the run may reach a number of the campaign once it begins.

        A rerun reaches the numbers that have one of its statuses then. A status that is not final may become one of
        them by then. Until a scheduled rerun begins, every status may change.
        """
        if self.numbers is not None and number.id not in self.numbers:
            return False
        status = number.status
        may_change = status is None or not status.is_final or self.schedule is not None
        return self.rerun is None or may_change or str(status) in self.rerun


async def _reach(run: Run, core: Core, listed: Callable[..., Paginator[Number]], guards: "Guards") -> "Reach":
    from tingting_async.client.guards import Reach  # noqa: PLC0415 - only with guards

    services = None if guards.max_credits is None else (await core.execute(details(run.id, run.timeout))).services
    text = run.message if services in TEXTS else None
    rows: list[Number] | None = None
    is_known = False  # The list may not have every number of `numbers`.
    count: int | None = None if run.numbers is None else len(run.numbers)
    if guards.suppressed is not None or (guards.counts and (run.rerun is not None or "{" in (text or ""))):
        found = await listed(exact=True).collect()
        rows = [number for number in found if run.includes(number)]
        is_known = {number.id for number in found}.issuperset(run.numbers or ())
        if is_known:
            count = len(rows)
    elif guards.counts and count is None:
        count = await listed().count()
    if guards.max_credits is not None and services not in CALLS | TEXTS:
        return Reach(recipients=count, sms_parts=None, starts_at=run.schedule, unknown=UNKNOWN_SERVICES)
    parts = 0
    if text is not None and rows is not None:
        values = [row.available_tags for row in rows]
        parts = await run_in_thread(lambda: parts_of(text, values))
    elif text is not None and count is not None:
        parts = parts_of(text, [{}]) * count
    return Reach(
        recipients=count,
        numbers=[row.number for row in rows] if rows is not None and is_known else None,
        calls=(count or 0) if services in CALLS else 0,
        sms_parts=parts if rows is None or is_known else None,
        starts_at=run.schedule,
        unknown="" if is_known else "The campaign's list does not have all of them.",
    )


def details(id: int, timeout: TimeoutLike) -> Request[Campaign]:
    """Return the request for one campaign, which other operations read as well."""
    return Request.read(
        f"/api/system/campaigns/{arguments.identifier(id)}/details",
        Campaign,
        "campaigns.get",
        payload=("data", "details", 0),
        timeout=timeout,
    )
