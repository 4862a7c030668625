"""How campaigns run on the sandbox's clock: which numbers are reached, when, how often, and at what cost."""

import pytest
from support.sandboxes import make, run

from tingting_async.sandbox import Sandbox
from tingting_async.sandbox.running import reschedule, run_due, stop

FINAL = {"completed", "unanswered", "hungup", "failed"}


def keys_of(sandbox: Sandbox, *kinds: str) -> list[str]:
    """Return the keys of the side effects of these kinds, in order."""
    return [effect.key for effect in sandbox.side_effects if effect.kind in kinds]


def test_statuses_of_a_call() -> None:
    """A call is dialled, rings, is answered and ends; only an answered call has a duration."""
    sandbox = Sandbox(campaigns=0)
    campaign = make(sandbox, "PHONE", 40)
    run(sandbox, campaign)
    seen: dict[int, list[str]] = {contact.id: [] for contact in campaign.contacts}
    for _ in range(120):
        sandbox.clock.advance(1)
        run_due(sandbox.world)
        for contact in campaign.contacts:
            if [contact.status] != seen[contact.id][-1:]:
                seen[contact.id].append(contact.status)
    ways = {tuple(status for status in way if status != "not started") for way in seen.values()}
    assert ways == {
        ("dialing", "failed"),
        ("dialing", "ringing", "unanswered"),
        ("dialing", "ringing", "answered", "hungup"),
        ("dialing", "ringing", "answered", "completed"),
    }
    answered = [contact for contact in campaign.contacts if contact.status in ("completed", "hungup")]
    assert {(contact.status == "completed", contact.playback == 100) for contact in answered} == {
        (True,) * 2,
        (False,) * 2,
    }
    assert {contact.duration for contact in campaign.contacts if contact not in answered} == {None}
    assert (campaign.status, campaign.pending) == ("Completed", set())


def test_steps_of_the_clock() -> None:
    """One big step of the clock has the same side effects as many small ones, with the same times and order."""
    worlds = []
    for steps in (1, 500):
        sandbox = Sandbox(campaigns=0)
        start = sandbox.clock.now() + 1000
        campaigns = [make(sandbox, services, 9) for services in ("PHONE", "SMS", "PHONE")]
        for campaign in campaigns:
            run(sandbox, campaign, at=start)
        for _ in range(steps):
            sandbox.clock.advance(2000 / steps)
            run_due(sandbox.world)
        effects = [effect for effect in sandbox.side_effects if effect.kind in ("call", "sms")]
        assert [effect.at for effect in effects] == sorted(effect.at for effect in effects)
        assert all(start <= effect.at < start + 60 for effect in effects)
        worlds.append([(effect.kind, effect.key) for effect in effects])
    assert worlds[0] == worlds[1]
    assert len(worlds[0]) == 27


def test_credits() -> None:
    """Credits are on hold until the run ends, and each call costs one, also when a number is called again."""
    sandbox = Sandbox(campaigns=0)
    owner = sandbox.world.owner
    campaign = make(sandbox, "PHONE", 5)
    for round_ in (1, 2):
        run(sandbox, campaign)
        assert owner.on_hold == 5
        sandbox.clock.advance(600)
        assert len(keys_of(sandbox, "call")) == 5 * round_
        assert (owner.on_hold, owner.credits) == (0, 100_000 - 5 * round_)
        assert [contact.credit_consumed for contact in campaign.contacts] == [round_] * 5


def test_failover() -> None:
    """A text follows each call with a fail-over result, and its credit is on hold from the start."""
    sandbox = Sandbox(campaigns=0)
    campaign = make(sandbox, "SMS & PHONE", 40, failover_target=["unanswered", "failed"])
    run(sandbox, campaign)
    assert sandbox.world.owner.on_hold == 80
    sandbox.clock.advance(600)
    assert len(keys_of(sandbox, "call")) == 40
    missed = [contact for contact in campaign.contacts if contact.status in ("unanswered", "failed")]
    assert sorted(keys_of(sandbox, "sms")) == sorted(str(contact.id) for contact in missed)
    assert missed == [contact for contact in campaign.contacts if contact.failover_sms_sent]
    assert sandbox.world.owner.credits == 100_000 - 40 - len(missed)


def test_results_differ_between_runs() -> None:
    """Each run draws a new result, so a number that failed does not always fail."""
    sandbox = Sandbox(campaigns=0)
    campaign = make(sandbox, "PHONE", 60)
    run(sandbox, campaign)
    sandbox.clock.advance(600)
    run_due(sandbox.world)
    failed = [contact for contact in campaign.contacts if contact.status == "failed"]
    assert failed
    for _ in range(20):
        run(sandbox, campaign, failed)
        sandbox.clock.advance(600)
        run_due(sandbox.world)
        failed = [contact for contact in failed if contact.status == "failed"]
        if not failed:
            break
    assert failed == []


def test_schedule() -> None:
    """A scheduled campaign starts at its time. It can be postponed, brought forward, and stopped."""
    sandbox = Sandbox(campaigns=0)
    now = sandbox.clock.now()
    kept, later, earlier, stopped, never = (make(sandbox, "PHONE", 1) for _ in range(5))
    for campaign in (kept, later, earlier, stopped, never):
        run(sandbox, campaign, at=now + 1000)
    reschedule(sandbox.world, later, now + 3000)
    reschedule(sandbox.world, earlier, now + 500)
    reschedule(sandbox.world, never, None)
    stop(sandbox.world, stopped)
    assert (stopped.status, stopped.contacts[0].status) == ("Terminated", "not started")
    called = []
    for hop in (400, 400, 400, 2800):
        sandbox.clock.advance(hop)
        called.append(keys_of(sandbox, "call"))
    ids = [str(campaign.contacts[0].id) for campaign in (earlier, kept, later)]
    assert called == [[], ids[:1], ids[:2], ids]
    assert [campaign.status for campaign in (kept, never)] == ["Completed", "Scheduled"]


def test_stop() -> None:
    """A stopped campaign calls no further number, and charges only the calls that were placed."""
    sandbox = Sandbox(campaigns=0)
    campaign = make(sandbox, "PHONE", 20)
    run(sandbox, campaign)
    sandbox.clock.advance(4.9)
    called = len(keys_of(sandbox, "call"))
    assert 10 <= called < 20
    stop(sandbox.world, campaign)
    sandbox.clock.advance(600)
    assert len(keys_of(sandbox, "call")) == called
    owner = sandbox.world.owner
    assert (campaign.status, owner.on_hold, owner.credits) == ("Terminated", 0, 100_000 - called)
    assert {contact.status for contact in campaign.contacts} <= {"terminated", "failed"}


def test_run_after_stop() -> None:
    """A stopped campaign can be run again, and the timers of the stopped run do not disturb the new one."""
    sandbox = Sandbox(campaigns=0)
    campaign = make(sandbox, "PHONE", 20)
    run(sandbox, campaign)
    sandbox.clock.advance(4.7)
    called = len(keys_of(sandbox, "call"))
    stop(sandbox.world, campaign)
    start = sandbox.clock.now()
    run(sandbox, campaign)  # The timers of the stopped run come due during this one.
    sandbox.clock.advance(600)
    again = [effect.at - start for effect in sandbox.side_effects if effect.kind == "call"][called:]
    assert again == pytest.approx([index / 2 for index in range(20)], abs=0.1)
    assert {contact.status for contact in campaign.contacts} <= FINAL


def test_deletion_during_a_run() -> None:
    """A deleted number or campaign is not called and holds no credits; the rest of the run completes."""
    sandbox = Sandbox(campaigns=0)
    gone, left, emptied = (make(sandbox, "PHONE", 4) for _ in range(3))
    run(sandbox, gone)
    run(sandbox, left)
    run(sandbox, emptied, at=sandbox.clock.now() + 60)
    first, *rest = left.contacts
    sandbox.world.remove_campaign(gone)
    sandbox.world.remove_contact(first)
    for contact in list(emptied.contacts):
        sandbox.world.remove_contact(contact)
    sandbox.clock.advance(600)
    assert sorted(keys_of(sandbox, "call")) == sorted(str(contact.id) for contact in rest)
    assert (left.status, emptied.status) == ("Completed", "Completed")
    assert (sandbox.world.owner.on_hold, sandbox.world.owner.credits) == (0, 100_000 - 3)


def test_addition_during_a_run() -> None:
    """A number that is added while a campaign runs waits for the next run."""
    sandbox = Sandbox(campaigns=0)
    campaign = make(sandbox, "SMS", 2)
    run(sandbox, campaign, at=sandbox.clock.now() + 60)
    late = sandbox.world.add_contact(campaign, "9811111111", {})
    sandbox.clock.advance(600)
    assert len(keys_of(sandbox, "sms")) == 2
    assert (late.status, campaign.status) == ("not started", "Completed")


def test_ids_do_not_depend_on_runs() -> None:
    """A run does not use up ids."""
    ids = []
    for runs in (False, True):
        sandbox = Sandbox(campaigns=1)
        if runs:
            run(sandbox, next(iter(sandbox.world.campaigns.values())))
            sandbox.clock.advance(600)
            run_due(sandbox.world)
        ids.append(make(sandbox, "SMS", 0).id)
    assert ids[0] == ids[1]


def test_a_timer_of_a_stopped_run() -> None:
    """A timer of a stopped run does not end a call of the next run, nor the run itself, before its time."""
    sandbox = Sandbox(campaigns=0)
    campaign = make(sandbox, "PHONE", 8)
    run(sandbox, campaign)
    sandbox.clock.advance(2.2)
    assert 5 == len(keys_of(sandbox, "call"))
    stop(sandbox.world, campaign)
    run(sandbox, campaign, campaign.contacts[::-1])  # Those that were called before come last.
    for _ in range(400):
        sandbox.clock.advance(0.25)
        run_due(sandbox.world)
        if campaign.status == "Completed":
            break
        assert campaign.pending == {each.id for each in campaign.contacts if each.status not in FINAL}
    assert {"Completed"} == {campaign.status}
    assert 5 + 8 == len(keys_of(sandbox, "call"))


def test_an_edit_during_a_call() -> None:
    """The duration of a call counts from when it was answered, even if its contact is edited meanwhile."""
    sandbox, edited = Sandbox(campaigns=0), Sandbox(campaigns=0)
    for each in (sandbox, edited):
        campaign = make(each, "PHONE", 20)
        run(each, campaign)
        for _ in range(60):
            each.clock.advance(1)
            run_due(each.world)
            if each is edited:
                for contact in campaign.contacts:  # As a PATCH does.
                    contact.updated_at = each.clock.now()
        each.run_to_end()
    expected, found = ([(m.status, m.duration, m.playback) for m in each.inbox] for each in (sandbox, edited))
    assert expected == found
    assert ("completed", 45, 100) in found
