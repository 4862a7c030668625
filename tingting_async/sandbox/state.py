"""The state of a sandbox in a file, so that it outlives the process.

The file holds accounts, campaigns, messages, side effects, tokens and the clock. It does not hold faults and requests.
"""

import base64
import os
import tempfile
import time
from collections import deque
from collections.abc import Iterable
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar, cast

import attrs

from tingting_async.sandbox.inbox import Message
from tingting_async.sandbox.records import Account, Campaign, Contact, Line, OwnedCampaigns, SentOtp, SideEffect
from tingting_async.sandbox.service import Service
from tingting_async.sandbox.world import World

T = TypeVar("T")
_FORMAT, _VERSION = "tingting-sandbox", 1
_LINKS = {"contacts", "totals", "siblings", "targets", "pending", "waiting", "plan", "recording"}
"""Attributes that hold other objects, or what is derived from them."""


def dump(service: Service) -> bytes:
    """Return the state of a service as JSON."""
    import msgspec  # noqa: PLC0415 - not needed without a state file

    with service.world.lock:
        state = {
            "format": _FORMAT,
            "version": _VERSION,
            "ahead": service.clock.now() - time.time(),
            "tokens": service.tokens.dump(),
            **_dump_world(service.world),
        }
        return msgspec.json.encode(state, enc_hook=str)  # Within the lock: the state must not change meanwhile.


def load(service: Service, content: bytes, source: str) -> None:
    """Set the state of a service to one that was dumped.

    Args:
        service: The service. If the content is not valid, it stays as it is.
        content: What `dump` returned.
        source: What the content is called in an error.

    Raises:
        ValueError: The content is damaged, or of a newer version.
    """
    import msgspec  # noqa: PLC0415 - not needed without a state file

    advice = "The file was not changed. Move it away to start afresh, or name another one."
    try:
        state = msgspec.json.decode(content, type=dict[str, Any])
        _check_version(state)
        world = _load_world(service, state)
        tokens = service.make_tokens()
        tokens.load(state["tokens"], {account.id: account for account in world.accounts})
        ahead = float(state["ahead"])
    except _OtherVersionError as error:
        problem = f"has version {error}, and this sandbox reads version {_VERSION}"
        raise ValueError(f"The state file {source} {problem}. {advice}") from None
    except (msgspec.MsgspecError, LookupError, TypeError, ValueError, AttributeError) as error:
        problem = f"is damaged, or is not a state file ({type(error).__name__})"
        raise ValueError(f"The state file {source} {problem}. {advice}") from None
    service.world, service.tokens = world, tokens
    service.clock.reset(ahead)


def write(path: Path, content: bytes) -> None:
    """Replace a file at once, so that it is never half written. Only its owner can read it."""
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # Its mode is 0600.
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


class _OtherVersionError(Exception):
    """The version of a state file is another one."""


def _check_version(state: dict[str, Any]) -> None:
    if state["format"] == _FORMAT and state["version"] != _VERSION:
        raise _OtherVersionError(state["version"])


def _table(kind: type[Any], objects: Iterable[Any]) -> dict[str, Any]:
    names = [field.name for field in attrs.fields(kind) if field.name not in _LINKS]
    return {"columns": names, "rows": list(map(attrgetter(*names), objects))}


def _objects(kind: type[T], table: dict[str, Any]) -> list[T]:
    return [kind(**dict(zip(table["columns"], row, strict=True))) for row in table["rows"]]


def _dump_world(world: World) -> dict[str, Any]:
    recordings = {id(each.recording): each.recording for each in world.inbox.messages if each.recording is not None}
    places = {key: place for place, key in enumerate(recordings)}
    return {
        "seed": world.seed,
        "random": world.random.getstate(),
        "last_id": world.last_id,
        "accounts": _table(Account, world.accounts),
        "campaigns": _table(Campaign, world.campaigns.values()),
        "runs": [
            [
                campaign.id,
                [contact.id for contact in campaign.targets],
                list(campaign.pending),
                [contact.id for contact in campaign.waiting],
            ]
            for campaign in world.campaigns.values()
            if campaign.targets
        ],
        "contacts": _table(Contact, world.contacts.values()),
        "plans": [[contact.id, contact.plan] for contact in world.contacts.values() if contact.plan],
        "timers": [
            [at, campaign.id, None if contact is None else contact.id]
            for at, _, campaign, contact in sorted(world.timers, key=lambda timer: timer[:2])
            if world.campaigns.get(campaign.id) is campaign
        ],
        "lines": _table(Line, world.lines.values()),
        "otps": _table(SentOtp, world.otps),
        "templates": list(world.templates.values()),
        "uploads": {name: _text(sound) for name, sound in world.uploads.items()},
        "side_effects": _table(SideEffect, world.side_effects),
        "messages": _table(Message, world.inbox.messages),
        "recordings": [_text(sound) for sound in recordings.values()],
        "recorded": [
            [each.id, places[id(each.recording)]] for each in world.inbox.messages if each.recording is not None
        ],
        "calls": [[contact, message.id] for contact, message in world.inbox.calls.items()],
    }


def _load_world(service: Service, state: dict[str, Any]) -> World:
    world = World(service.clock, campaigns=0, numbers=0, seed=state["seed"], changes=service.changes)
    version, numbers, gauss = state["random"]
    world.random.setstate((version, tuple(numbers), gauss))
    world.last_id = state["last_id"]
    world.accounts = _objects(Account, state["accounts"])
    world.owner = world.accounts[0]
    for campaign in _objects(Campaign, state["campaigns"]):
        world.campaigns[campaign.id] = campaign
        world.owned.setdefault(campaign.owner, OwnedCampaigns()).add(campaign)
    for contact in _objects(Contact, state["contacts"]):
        world.contacts[contact.id] = contact
        campaign = world.campaigns[contact.campaign_id]
        campaign.contacts.append(contact)
        campaign.totals.add(contact)
    _load_runs(world, state)
    world.lines = {line.sid: line for line in _objects(Line, state["lines"])}
    for sent in _objects(SentOtp, state["otps"]):
        world.add_otp(sent)
    world.templates = {template["id"]: template for template in state["templates"]}
    world.uploads = {name: base64.b64decode(sound) for name, sound in state["uploads"].items()}
    world.side_effects = _objects(SideEffect, state["side_effects"])
    _load_inbox(world, state)
    return world


def _load_runs(world: World, state: dict[str, Any]) -> None:
    def contact(id_: int, campaign: Campaign) -> Contact:
        # A run may wait for a contact that was deleted.
        return world.contacts.get(id_) or Contact(id_, campaign.id, "", {}, 0.0, 0.0, "")

    for key, targets, pending, waiting in state["runs"]:
        campaign = world.campaigns[key]
        campaign.targets = [world.contacts[id_] for id_ in targets]
        campaign.pending = set(pending)
        campaign.waiting = deque(contact(id_, campaign) for id_ in waiting)
    for key, plan in state["plans"]:
        world.contacts[key].plan = [(at, status) for at, status in plan]
    for at, key, id_ in state["timers"]:  # They are sorted, and so a heap.
        campaign = world.campaigns[key]
        which = None if id_ is None else contact(id_, campaign)
        world.timers.append((at, next(world.timer_order), campaign, which))


def _load_inbox(world: World, state: dict[str, Any]) -> None:
    recordings: list[bytes] = [base64.b64decode(sound) for sound in state["recordings"]]
    recorded: dict[int, bytes] = {key: recordings[place] for key, place in state["recorded"]}
    table = state["messages"]
    columns = [*table["columns"], "recording"]
    rows: list[Any] = [[*row, recorded.get(row[table["columns"].index("id")])] for row in table["rows"]]
    world.inbox.messages = _objects(Message, {"columns": columns, "rows": rows})
    world.inbox.calls = {contact: cast("Message", world.inbox.get(key)) for contact, key in state["calls"]}


def _text(sound: bytes) -> str:
    return base64.b64encode(sound).decode()
