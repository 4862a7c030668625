"""How campaigns run: as the clock moves forward, each contact is dialled, rings, and reaches its result."""

from heapq import heappop, heappush
from random import Random

from tingting_async.sandbox.records import Account, Campaign, Contact
from tingting_async.sandbox.world import World

_BETWEEN_CALLS = 0.5  # Seconds. The service makes many calls at the same time.
_RESULT_WEIGHTS = {"completed": 60, "unanswered": 20, "hungup": 12, "failed": 8}  # Per hundred calls.


def max_cost(campaign: Campaign, targets: list[Contact]) -> int:
    """Return the most credits that a run can use: one per call, one per text message."""
    return len(targets) * (2 if campaign.services == "SMS & PHONE" and campaign.failover_target else 1)


def begin(world: World, account: Account, campaign: Campaign, targets: list[Contact], at: float | None) -> int:
    """Start a campaign, or schedule it.

    Args:
        world: The state of the service.
        account: The account that pays.
        campaign: The campaign.
        targets: The contacts to reach.
        at: The start in Unix seconds; None for now.

    Returns:
        The credits that are on hold until the run ends.
    """
    with world.lock:
        campaign.targets = list(targets)  # Contacts that are added later wait for the next run.
        campaign.scheduled_at = at
        campaign.on_hold = max_cost(campaign, targets)
        account.on_hold += campaign.on_hold
        campaign.updated_at = world.clock.now()
        for contact in targets:
            contact.status = "not started"
            contact.duration = contact.playback = None
        world.record("run", campaign.id)
        if at is None:
            _start(world, campaign, campaign.updated_at)
        else:
            campaign.status = "Scheduled"
            _schedule(world, at, campaign)
        return campaign.on_hold


def reschedule(world: World, campaign: Campaign, at: float | None) -> None:
    """Change when a campaign starts, whether or not it is scheduled already; None for no scheduled start."""
    with world.lock:
        campaign.scheduled_at = at
        if campaign.status == "Scheduled" and at is not None:
            _schedule(world, at, campaign)


def run_due(world: World) -> None:
    """Run all due timers in order."""
    with world.lock:
        now = world.clock.now()
        while world.timers and world.timers[0][0] <= now:
            at, _, campaign, contact = heappop(world.timers)
            if world.campaigns.get(campaign.id) is not campaign:
                continue  # The campaign was deleted.
            if contact is None:
                if campaign.status == "Scheduled" and campaign.scheduled_at == at:
                    _start(world, campaign, at)
            elif campaign.status == "Running":
                _advance(world, campaign, contact, at)


def stop(world: World, campaign: Campaign) -> None:
    """Stop a campaign that runs or is scheduled."""
    with world.lock:
        for contact in campaign.targets:
            if contact.id in campaign.pending:
                contact.plan.clear()
                contact.status = "terminated"
        _finish(world, campaign, "Terminated", world.clock.now())


def _start(world: World, campaign: Campaign, start: float) -> None:
    campaign.status = "Running"
    campaign.pending = {contact.id for contact in campaign.targets}
    for index, contact in enumerate(campaign.targets):
        contact.runs += 1
        contact.plan = _plan(world, campaign, contact, start + index * _BETWEEN_CALLS)
        _schedule(world, contact.plan[0][0], campaign, contact)
    if not campaign.targets:  # All contacts were deleted after the run was scheduled.
        _finish(world, campaign, "Completed", start)


def _plan(world: World, campaign: Campaign, contact: Contact, at: float) -> list[tuple[float, str]]:
    if campaign.services == "SMS":
        return [(at + 1, "completed")]
    # A generator per contact and run: the result must not depend on when the timers are run.
    random = Random(f"{world.seed} {contact.id} {contact.runs}")
    (result,) = random.choices(list(_RESULT_WEIGHTS), list(_RESULT_WEIGHTS.values()))
    match result:
        case "failed":
            return [(at, "dialing"), (at + 3, result)]
        case "unanswered":
            return [(at, "dialing"), (at + 3, "ringing"), (at + 33, result)]
        case _:
            ends = at + 8 + (45 if result == "completed" else random.randint(5, 40))
            return [(at, "dialing"), (at + 3, "ringing"), (at + 8, "answered"), (ends, result)]


def _schedule(world: World, at: float, campaign: Campaign, contact: Contact | None = None) -> None:
    heappush(world.timers, (at, next(world.timer_order), campaign, contact))


def _advance(world: World, campaign: Campaign, contact: Contact, at: float) -> None:
    if contact.plan:
        if contact.plan[0][0] != at:
            return  # This timer is from a run that was stopped. The present plan has its own timer.
        _, status = contact.plan.pop(0)
        if status == "dialing":
            contact.credit_consumed += 1
            campaign.spent += 1
            world.record("call", contact.id, at, target=contact.number)
        if campaign.services == "SMS":
            _send_sms(world, campaign, contact, at)
        elif campaign.services == "SMS & PHONE" and status in campaign.failover_target and not contact.plan:
            contact.failover_sms_sent = True
            _send_sms(world, campaign, contact, at)
        if contact.status == "answered":
            contact.duration = round(at - contact.updated_at)
            contact.playback = contact.duration * 100 // 45
        contact.status, contact.updated_at = status, at
        if contact.plan:
            _schedule(world, contact.plan[0][0], campaign, contact)
            return
    campaign.pending.discard(contact.id)
    if not campaign.pending:
        _finish(world, campaign, "Completed", at)


def _send_sms(world: World, campaign: Campaign, contact: Contact, at: float) -> None:
    contact.credit_consumed_sms += 1
    campaign.spent += 1
    world.record("sms", contact.id, at, target=contact.number)


def _finish(world: World, campaign: Campaign, status: str, at: float) -> None:
    campaign.status = status
    campaign.updated_at = at
    campaign.pending.clear()
    world.bill(campaign)
