"""What a job checks before anything is created, apart from its rows: the guards, and the credits that are left."""

from collections.abc import Collection

from tingting_async.client.core import Core
from tingting_async.errors import GuardError, UsageError
from tingting_async.persistence import run_in_thread
from tingting_async.quantities import counted
from tingting_async.resources.models import NewContact, Services
from tingting_async.resources.reach import CALLS, TEXTS, parts_of
from tingting_async.v1.campaign_fields import OptionalFields
from tingting_async.v1.dashboard import Dashboards


async def read_suppressed(core: Core, *, must_be_known: bool) -> frozenset[str]:
    """Return the numbers that are never reached.

    Args:
        core: The session.
        must_be_known: Whether it is an error if they cannot be read.

    Raises:
        GuardError: They cannot be read.
    """
    try:
        return await core.suppressed_numbers("CampaignJob")
    except GuardError:
        if must_be_known:
            raise
        return frozenset()


async def check(core: Core, services: Services, fields: OptionalFields, people: Collection[NewContact]) -> None:
    """Refuse a job that its run would be refused for, before anything is created.

    Args:
        core: The session.
        services: How the campaign reaches people.
        fields: Its other fields.
        people: Whom it reaches.

    Raises:
        GuardError: A guard of the session does not allow it.
        UsageError: It is estimated to cost more credits than the account has left.
    """
    guards = core.guards
    if guards is None:
        return
    from tingting_async.client.guards import Admission, Reach  # noqa: PLC0415 - only with guards

    calls, parts = len(people) if services in CALLS else 0, 0
    text = fields.get("sms_message") if services in TEXTS else None
    if text and guards.prices is not None:
        parts = await run_in_thread(lambda: parts_of(text, (each.variables for each in people)))
    reach = Reach(
        recipients=len(people), numbers=(), calls=calls, sms_parts=parts, starts_at=fields.get("schedule") or None
    )
    admission = Admission(guards, "CampaignJob", reach)
    admission.judge_time()
    admission.judge_size()
    if guards.prices is None:
        return
    try:
        cost = guards.prices.estimate(sms_parts=parts, calls=calls)
    except UsageError:
        return  # The guards need no price for campaigns that nobody limits.
    left = (await Dashboards(core).get()).remaining_credits
    if left is not None and cost > left:
        raise UsageError(
            f"CampaignJob: nothing was sent. It is estimated to cost {counted(cost, 'credit')}, and the account "
            f"has {left:f} left."
        )
