"""How campaigns run: contacts go through dialling, ringing and what comes of it, as the sandbox's clock moves on."""

from heapq import heappop, heappush
from random import Random

from tingting_async.sandbox.world import Account, Campaign, Contact, World

_BETWEEN_CALLS = 0.5  # Seconds; the service calls many at a time.
_OUTCOMES = {"completed": 60, "unanswered": 20, "hungup": 12, "failed": 8}  # In a hundred calls.


def max_cost(campaign: Campaign, targets: list[Contact]) -> int:
    """Return the most credits that a run can use: one for each call, one for each text message."""
    return len(targets) * (2 if campaign.services == "SMS & PHONE" and campaign.failover_target else 1)


def begin(world: World, account: Account, campaign: Campaign, targets: list[Contact], at: float | None) -> int:
    """Start a campaign, or schedule it.

    Args:
        world: Where.
        account: Who pays.
        campaign: Which.
        targets: Whom to reach.
        at: When, in Unix seconds; None for now.

    Returns:
        The credits that are held back until it ends.
    """
    with world.lock:
        campaign.targets = list(targets)  # Whoever is added from now on waits for the next run.
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
    """Change when a campaign starts, be it scheduled already or not; None for not by itself."""
    with world.lock:
        campaign.scheduled_at = at
        if campaign.status == "Scheduled" and at is not None:
            _schedule(world, at, campaign)


def run_due(world: World) -> None:
    """Let everything happen that is due by now, in its order."""
    with world.lock:
        now = world.clock.now()
        while world.timers and world.timers[0][0] <= now:
            at, _, campaign, contact = heappop(world.timers)
            if world.campaigns.get(campaign.id) is not campaign:
                continue  # It was deleted.
            if contact is None:
                if campaign.status == "Scheduled" and campaign.scheduled_at == at:
                    _start(world, campaign, at)
            elif campaign.status == "Running":
                _advance(world, campaign, contact, at)


def stop(world: World, campaign: Campaign) -> None:
    """End a campaign before its time."""
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
    if not campaign.targets:  # All were deleted since it was scheduled.
        _finish(world, campaign, "Completed", start)


def _plan(world: World, campaign: Campaign, contact: Contact, at: float) -> list[tuple[float, str]]:
    if campaign.services == "SMS":
        return [(at + 1, "completed")]
    # Not the world's chance: when it is asked must not change what comes of it.
    random = Random(f"{world.seed} {contact.id} {contact.runs}")
    (outcome,) = random.choices(list(_OUTCOMES), list(_OUTCOMES.values()))
    match outcome:
        case "failed":
            return [(at, "dialing"), (at + 3, outcome)]
        case "unanswered":
            return [(at, "dialing"), (at + 3, "ringing"), (at + 33, outcome)]
        case _:
            ends = at + 8 + (45 if outcome == "completed" else random.randint(5, 40))
            return [(at, "dialing"), (at + 3, "ringing"), (at + 8, "answered"), (ends, outcome)]


def _schedule(world: World, at: float, campaign: Campaign, contact: Contact | None = None) -> None:
    heappush(world.timers, (at, next(world.timer_order), campaign, contact))


def _advance(world: World, campaign: Campaign, contact: Contact, at: float) -> None:
    if contact.plan:
        if contact.plan[0][0] != at:
            return  # That was of a run that was stopped; what is planned now is noted as well.
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
