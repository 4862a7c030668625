"""How campaigns run: contacts go through dialling, ringing and what comes of it, as the sandbox's clock moves on."""

from random import Random

from tingting_async.sandbox.world import Account, Campaign, Contact, World

_BETWEEN_CALLS = 0.5  # Seconds; the service calls many at a time.


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
    campaign.targets = targets
    campaign.scheduled_at = at
    campaign.on_hold = len(targets)
    account.on_hold += len(targets)
    campaign.status = "Running" if at is None else "Scheduled"
    campaign.updated_at = world.clock.now()
    for contact in targets:
        contact.status = "not started"
    world.happened("run", campaign.id)
    if at is None:
        _plan(campaign, world.clock.now())
    return len(targets)


def _plan(campaign: Campaign, start: float) -> None:
    random = Random(campaign.id)  # Not the world's: when it is asked must not change what comes of it.
    for index, contact in enumerate(campaign.targets):
        at = start + index * _BETWEEN_CALLS
        if campaign.services == "SMS":
            contact.plan = [(at + 1, "completed")]
            continue
        outcome = random.choices(("completed", "unanswered", "hungup", "failed"), (60, 20, 12, 8))[0]
        if outcome == "failed":
            contact.plan = [(at, "dialing"), (at + 3, "failed")]
        elif outcome == "unanswered":
            contact.plan = [(at, "dialing"), (at + 3, "ringing"), (at + 33, "unanswered")]
        else:
            length = random.randint(5, 45)
            contact.plan = [(at, "dialing"), (at + 3, "ringing"), (at + 8, "answered"), (at + 8 + length, outcome)]


def settle(world: World) -> None:
    """Let everything happen that is due by now."""
    now = world.clock.now()
    for campaign in list(world.running()):
        if campaign.status == "Scheduled":
            if campaign.scheduled_at is None or campaign.scheduled_at > now:
                continue
            campaign.status = "Running"
            _plan(campaign, campaign.scheduled_at)
        for contact in campaign.targets:
            while contact.plan and contact.plan[0][0] <= now:
                _move(world, campaign, contact, *contact.plan.pop(0))
        if not any(contact.plan for contact in campaign.targets):
            _end(world, campaign, "Completed")


def stop(world: World, campaign: Campaign) -> None:
    """End a campaign before its time."""
    for contact in campaign.targets:
        if contact.plan:
            contact.plan.clear()
            contact.status = "terminated"
    _end(world, campaign, "Terminated")


def _end(world: World, campaign: Campaign, status: str) -> None:
    campaign.status = status
    campaign.updated_at = world.clock.now()
    account = next(each for each in world.accounts if each.id == campaign.owner)
    account.on_hold -= campaign.on_hold
    account.credits -= sum(contact.credit_consumed + contact.credit_consumed_sms for contact in campaign.targets)
    campaign.on_hold = 0


def _move(world: World, campaign: Campaign, contact: Contact, at: float, status: str) -> None:
    previous, contact.status, contact.updated_at = contact.status, status, at
    if campaign.services == "SMS":
        _text(world, contact)
    elif status == "dialing":
        contact.credit_consumed = 1
        world.happened("call", contact.id)
    elif previous == "answered":
        contact.playback = 100 if status == "completed" else Random(contact.id).randint(5, 90)
        contact.seconds = max(1, contact.playback * 30 // 100)
    if campaign.services == "SMS & PHONE" and status in campaign.failover_target and not contact.plan:
        contact.failover_sms_sent = True
        _text(world, contact)


def _text(world: World, contact: Contact) -> None:
    contact.credit_consumed_sms = 1
    world.happened("sms", contact.id)
