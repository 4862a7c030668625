"""What a test suite reads through the control interface: what the sandbox did, and what it received."""

import json
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

import attrs
import msgspec
from aiohttp import web
from msgspec import Meta

from tingting_async.sandbox.control.inputs import ROOT, ControlError, Input, read_query
from tingting_async.sandbox.control.masking import masked, masked_headers, masked_query
from tingting_async.sandbox.http import ValidationError, decode, json_response, origin, with_query
from tingting_async.sandbox.inbox import Message
from tingting_async.sandbox.received import ReceivedRequest
from tingting_async.sandbox.records import Campaign
from tingting_async.sandbox.running import run_due
from tingting_async.sandbox.service import SERVICE
from tingting_async.sandbox.speech import media_type

routes: web.RouteTableDef = web.RouteTableDef()


class WhichEffects(Input, frozen=True):
    """Which side effects to return."""

    kind: Annotated[str | None, Meta(description='a kind of effect, such as "call"')] = None
    target: Annotated[str | None, Meta(description="a phone number, a name or an id")] = None


class WhichMessages(Input, frozen=True):
    """Which calls and texts to return: the conditions of `Inbox.search`."""

    number: Annotated[str, Meta(description="a phone number, or a part of one")] = ""
    campaign_id: Annotated[int | None, Meta(description="the id of a campaign")] = None
    campaign: Annotated[str, Meta(description="a part of a campaign's name")] = ""
    channel: Annotated[Literal["", "call", "sms"], Meta(description='"call" or "sms"')] = ""
    text: Annotated[str, Meta(description="a part of the text")] = ""
    limit: Annotated[int, Meta(ge=1, le=1000, description="a whole number from 1 to 1000")] = 50
    before: Annotated[int | None, Meta(description="the id of a message")] = None


class WhichRequests(Input, frozen=True):
    """Which requests to return."""

    method: Annotated[str, Meta(description="a pattern for the method, such as POST or *")] = "*"
    path: Annotated[str, Meta(description="a pattern for the path, such as */send/otp/")] = "*"


class WhichCampaigns(Input, frozen=True):
    """Which campaigns to return."""

    status: Annotated[str | None, Meta(description='a status, such as "Running"')] = None


@routes.get(f"{ROOT}effects")
async def list_effects(request: web.Request) -> web.Response:
    """Return the side effects, oldest first."""
    which = read_query(request.query, WhichEffects)
    effects = [
        {"kind": effect.kind, "key": effect.key, "at": effect.at, "target": effect.target}
        for effect in request.app[SERVICE].side_effects
        if which.kind in (None, effect.kind) and which.target in (None, effect.target)
    ]
    return json_response({"count": len(effects), "effects": effects})


@routes.get(f"{ROOT}messages")
async def list_messages(request: web.Request) -> web.Response:
    """Return calls and texts, newest first, with a link to older ones."""
    which = read_query(request.query, WhichMessages)
    conditions: dict[str, Any] = msgspec.structs.asdict(which)
    conditions["limit"] += 1  # One more shows whether there are older ones.
    found = request.app[SERVICE].inbox.search(**conditions)
    shown = found[: which.limit]
    older = with_query(f"{origin(request)}{request.path}", {**request.query, "before": shown[-1].id}) if shown else None
    return json_response(
        {
            "messages": [_message(request, each) for each in shown],
            "next": str(older) if len(found) > len(shown) else None,
        }
    )


@routes.get(f"{ROOT}messages/{{id:\\d{{1,18}}}}/audio")
async def play_message(request: web.Request) -> web.Response:
    """Return what the person who got a call heard."""
    id_ = request.match_info["id"]
    message = request.app[SERVICE].inbox.get(int(id_))
    if message is None or message.audio is None:
        raise ControlError(f"There is no call {id_}. {ROOT}messages?channel=call lists the calls.", status=404)
    sound = message.sound()
    # Uploaded bytes must not become a page of this origin.
    headers = {"Content-Security-Policy": "sandbox"}
    return web.Response(body=sound, content_type=media_type(sound), headers=headers)


@routes.get(f"{ROOT}requests")
async def list_requests(request: web.Request) -> web.Response:
    """Return the last requests, newest first, with their secrets masked."""
    which = read_query(request.query, WhichRequests)
    found = [
        _request(each)
        for each in reversed(request.app[SERVICE].recent_requests)
        if fnmatchcase(each.method, which.method) and fnmatchcase(each.path, which.path)
    ]
    return json_response({"count": len(found), "requests": found})


@routes.get(f"{ROOT}campaigns")
async def list_campaigns(request: web.Request) -> web.Response:
    """Return the campaigns of all accounts, newest first."""
    which, world = read_query(request.query, WhichCampaigns), request.app[SERVICE].world
    run_due(world)
    campaigns = [
        _campaign(each) for each in reversed(list(world.campaigns.values())) if which.status in (None, each.status)
    ]
    return json_response({"count": len(campaigns), "campaigns": campaigns})


@routes.get(f"{ROOT}campaigns/{{id:\\d{{1,18}}}}")
async def show_campaign(request: web.Request) -> web.Response:
    """Return a campaign."""
    id_, world = request.match_info["id"], request.app[SERVICE].world
    run_due(world)
    campaign = world.campaigns.get(int(id_))
    if campaign is None:
        raise ControlError(f"There is no campaign {id_}. {ROOT}campaigns lists the campaigns.", status=404)
    return json_response(_campaign(campaign))


def _message(request: web.Request, message: Message) -> dict[str, Any]:
    parts, audio = message.parts, message.audio
    return {
        "id": message.id,
        "at": message.at,
        "number": message.number,
        "channel": message.channel,
        "kind": message.kind,
        "campaign_id": message.campaign_id,
        "campaign": message.campaign,
        "text": message.text,
        "status": message.status,
        "duration": message.duration,
        "playback": message.playback,
        "credits": message.credits,
        "parts": None if parts is None else attrs.asdict(parts),
        "audio": None if audio is None else f"{origin(request)}{audio}",
    }


def _request(received: ReceivedRequest) -> dict[str, Any]:
    return {
        "at": received.at,
        "method": received.method,
        "path": received.path,
        "query": masked_query(received.query),
        "headers": masked_headers(received.headers),
        "body": _body(received),
        "status": received.status,
        "duration": received.duration,
        "fault": received.fault,
    }


def _body(received: ReceivedRequest) -> Any:
    """Return the decoded body with its secrets masked; None if there is none, or if it cannot be decoded."""
    content_type, raw = received.headers.get("Content-Type", ""), received.body
    try:
        return masked(
            decode(content_type, raw) if "form" in content_type.lower() else json.loads(raw, parse_constant=str)
        )
    except (ValidationError, ValueError, RecursionError):
        return None


def _campaign(campaign: Campaign) -> dict[str, Any]:
    totals = campaign.totals
    return {
        "id": campaign.id,
        "name": campaign.name,
        "services": campaign.services,
        "status": campaign.status,
        "scheduled_at": campaign.scheduled_at,
        "contacts": totals.statuses.total(),
        "finished": totals.finished,
        "outcomes": dict(totals.statuses),
        "credits": totals.credits,
    }
