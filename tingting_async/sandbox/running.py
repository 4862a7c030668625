"""How campaigns run: as the clock moves forward, each contact is dialled, rings, and reaches its result."""

from collections import deque
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
            if contact.status != "not started":
                contact.status = "not started"
                contact.duration = contact.playback = None
        world.record("run", campaign.id)
        if at is None:
            _start(world, campaign, campaign.updated_at)
        else:
            campaign.status = "Scheduled"
            _schedule(world, at, campaign)
        world.clock.wake.set()
        return campaign.on_hold


def reschedule(world: World, campaign: Campaign, at: float | None) -> None:
    """Change when a campaign starts, whether or not it is scheduled already; None for no scheduled start."""
    with world.lock:
        campaign.scheduled_at = at
        if campaign.status == "Scheduled" and at is not None:
            _schedule(world, at, campaign)
            world.clock.wake.set()


def run_due(world: World, *, ahead: bool = False, most: int | None = None) -> bool:
    """Run timers in order: those that are due.

    Args:
        world: The state of the service.
        ahead: Whether to run those of the future, too, and to move the clock to them, as far as it can be moved.
        most: How many to run at most; None for no limit.

    Returns:
        Whether there are more of them to run.
    """
    with world.lock:
        until = world.clock.end if ahead else world.clock.now()
        last: float | None = None
        left = most
        while (at := next_timer(world)) is not None and at <= until and left != 0:
            _run_timer(world, *heappop(world.timers))
            last = at
            left = None if left is None else left - 1
        if ahead and last is not None:
            world.clock.advance_to(last)
        return at is not None and at <= until


def next_timer(world: World) -> float | None:
    """Return when the next timer is due, in Unix seconds; None if there is none."""
    with world.lock:
        while world.timers and not _is_live(world, *world.timers[0]):
            heappop(world.timers)
        return world.timers[0][0] if world.timers else None


def _is_live(world: World, at: float, _: int, campaign: Campaign, contact: Contact | None) -> bool:
    """Return whether a timer has a purpose: its campaign was not deleted, stopped or postponed since."""
    if world.campaigns.get(campaign.id) is not campaign:
        return False
    if campaign.status == "Scheduled":
        return contact is None and campaign.scheduled_at == at
    if campaign.status != "Running":
        return False
    if contact is None:
        return campaign.next_contact_at == at
    if world.contacts.get(contact.id) is not contact:
        return True  # It was deleted: the run has to continue without it.
    return bool(contact.plan) and contact.plan[0][0] == at  # Otherwise, it is from a run that was stopped.


def _run_timer(world: World, at: float, _: int, campaign: Campaign, contact: Contact | None) -> None:
    if contact is not None:
        _advance(world, campaign, contact, at)
    elif campaign.status == "Scheduled":
        _start(world, campaign, at)
    else:
        _begin_next(world, campaign, at)


def stop(world: World, campaign: Campaign) -> None:
    """Stop a campaign that runs or is scheduled."""
    with world.lock:
        for contact in campaign.targets:
            if contact.id in campaign.pending:
                contact.plan.clear()
                contact.status = "terminated"
                world.inbox.terminate(contact.id)
        _finish(world, campaign, "Terminated", world.clock.now())


def _start(world: World, campaign: Campaign, start: float) -> None:
    campaign.status = "Running"
    campaign.pending = {contact.id for contact in campaign.targets}
    campaign.waiting = deque(campaign.targets)
    for contact in campaign.targets:
        contact.runs += 1
        contact.plan.clear()
    if campaign.targets:
        _wait_for_next(world, campaign, start)
    else:  # All contacts were deleted after the run was scheduled.
        _finish(world, campaign, "Completed", start)


def _wait_for_next(world: World, campaign: Campaign, at: float) -> None:
    campaign.next_contact_at = at if campaign.waiting else None
    if campaign.waiting:
        _schedule(world, at, campaign)


def _begin_next(world: World, campaign: Campaign, at: float) -> None:
    """Begin with the next contact. One at a time, as planning for 50,000 at once would take a second."""
    contact = campaign.waiting.popleft()
    _wait_for_next(world, campaign, at + _BETWEEN_CALLS)
    if world.contacts.get(contact.id) is contact:  # Otherwise, it was deleted.
        contact.plan = _plan(world, campaign, contact, at)
    _advance(world, campaign, contact, at)


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
    """Set a contact's status to the next of its plan if that is due. A contact without a plan was deleted."""
    if contact.plan and contact.plan[0][0] <= at:
        _, status = contact.plan.pop(0)
        _reach(world, campaign, contact, status, at)
    if contact.plan:
        _schedule(world, contact.plan[0][0], campaign, contact)
        return
    campaign.pending.discard(contact.id)
    if not campaign.pending:
        _finish(world, campaign, "Completed", at)


def _reach(world: World, campaign: Campaign, contact: Contact, status: str, at: float) -> None:
    if status == "dialing":
        contact.credit_consumed += 1
        campaign.spent += 1
        world.call(campaign, contact, at)
    if contact.status == "answered" and contact.answered_at is not None:
        contact.duration = round(at - contact.answered_at)
        contact.playback = contact.duration * 100 // 45
    contact.status, contact.updated_at = status, at
    if status == "answered":
        contact.answered_at = at
    if campaign.services == "SMS":
        _send_sms(world, campaign, contact, at)
        return
    is_over = not contact.plan
    if status != "dialing":
        world.inbox.update(contact.id, status, contact.duration, contact.playback, ends=is_over)
    if is_over and campaign.services == "SMS & PHONE" and status in campaign.failover_target:
        contact.failover_sms_sent = True
        _send_sms(world, campaign, contact, at)


def _send_sms(world: World, campaign: Campaign, contact: Contact, at: float) -> None:
    contact.credit_consumed_sms += 1
    campaign.spent += 1
    world.text(campaign, contact, at)


def _finish(world: World, campaign: Campaign, status: str, at: float) -> None:
    campaign.status = status
    campaign.updated_at = at
    campaign.pending.clear()
    campaign.waiting.clear()
    campaign.next_contact_at = None
    world.bill(campaign)
