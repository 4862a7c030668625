"""What the page shows: the values of the templates, selected by the query."""

import itertools
import math
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import attrs

from tingting_async._version import __version__
from tingting_async.sandbox.control.masking import masked_query
from tingting_async.sandbox.inbox import Message
from tingting_async.sandbox.page.formats import address, took
from tingting_async.sandbox.page.outcomes import OUTCOMES, Outcome, outcome
from tingting_async.sandbox.received import ReceivedRequest
from tingting_async.sandbox.records import Campaign
from tingting_async.sandbox.service import Service

MESSAGES = 50
"""How many messages a page of the inbox has."""
CAMPAIGNS = 10
"""How many campaigns a page has."""
REQUESTS = 20
"""How many requests the page shows, unless `Filters.requests` is `"all"`."""
_STRUCK = 10
_CHART = 1000  # The width of a chart, in its own units.
_TONES = {"Running": "busy", "Completed": "good", "Scheduled": "fair", "Terminated": "idle"}


class Filters(NamedTuple):
    """The filters of the page, from the query of its address.

    Attributes:
        number: A part of a phone number.
        text: A part of a text.
        campaign: A part of a campaign's name, or its id, with or without a `#` before it.
        channel: `"call"`, `"sms"`, or empty for both.
        before: Show messages older than the one with this id.
        after: Show messages newer than the one with this id.
        campaigns: The page of campaigns, counted from 1.
        requests: `"all"` to show all requests that are kept.
    """

    number: str = ""
    text: str = ""
    campaign: str = ""
    channel: str = ""
    before: int | None = None
    after: int | None = None
    campaigns: int = 1
    requests: str = ""

    @property
    def is_set(self) -> bool:
        """Whether the inbox is searched."""
        return bool(self.number or self.text or self.campaign or self.channel)

    @property
    def is_page(self) -> bool:
        """Whether another page of the inbox than the newest is shown."""
        return self.before is not None or self.after is not None

    def campaign_id(self, known: Container[int]) -> int | None:
        """Return the id that `campaign` is, if it is one. A number alone may also be a part of a name."""
        id_ = _integer(self.campaign.removeprefix("#"))
        return id_ if self.campaign.startswith("#") or (id_ is not None and id_ in known) else None

    def turn(self, **changes: object) -> str:
        """Return the address of the page with other values."""
        values = {**self._asdict(), **changes}
        return address({name: value for name, value in values.items() if value != Filters._field_defaults[name]})


@attrs.frozen
class Bar:
    """An outcome in the chart of a campaign."""

    outcome: Outcome
    count: int
    percent: str
    start: float
    width: float


def read_filters(query: Mapping[str, str]) -> Filters:
    """Return the filters of a query. An invalid value, such as a typing error, is ignored."""
    texts = {name: query.get(name, "").strip() for name in ("number", "text", "campaign", "channel", "requests")}
    if texts["channel"] not in ("call", "sms"):
        texts["channel"] = ""
    before, after = (_integer(query.get(name, "")) for name in ("before", "after"))
    return Filters(**texts, before=before, after=after, campaigns=max(1, _integer(query.get("campaigns", "")) or 1))


def _integer(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def context(service: Service, filters: Filters, url: str) -> dict[str, Any]:
    """Return the values of the templates.

    Args:
        service: What the page shows.
        filters: Which part of it.
        url: The sandbox's address, as the browser knows it.
    """
    clock, inbox = service.clock, service.inbox
    with service.world.lock:  # Another thread may run timers.
        parts = {
            **_messages(service, filters),
            **_campaigns(service, filters),
            **_faults(service),
            **_requests(service, filters),
        }
    return {
        "version": __version__,
        "url": url,
        "email": service.email,
        "password": service.password,
        "api_token": service.api_token,
        "now": clock.now(),
        "speed": clock.speed,
        "rate": 1 if clock.speed == math.inf else clock.speed,
        "inf": math.inf,
        "filters": filters,
        "query": filters.turn().removeprefix("/").removeprefix("?"),
        "total": len(inbox),
        **parts,
    }


def _messages(service: Service, filters: Filters) -> dict[str, Any]:
    id_ = filters.campaign_id(service.world.campaigns)

    def search(**cursor: int | None) -> list[Message]:
        return service.inbox.search(
            number=filters.number,
            text=filters.text,
            campaign=filters.campaign if id_ is None else "",
            campaign_id=id_,
            channel=filters.channel,
            limit=MESSAGES + 1,
            **cursor,
        )

    found = search(after=filters.after) if filters.after is not None else []
    if len(found) > MESSAGES:  # There are newer ones still. Otherwise it is the newest page.
        shown, has_newer, has_older = found[1:], True, True
    else:
        found = search(before=filters.before)
        shown, has_newer, has_older = found[:MESSAGES], filters.before is not None, len(found) > MESSAGES
    newest = shown[0].id if shown else None
    return {
        "messages": shown,
        "newer": filters.turn(before=None, after=newest) if has_newer else None,
        "older": filters.turn(before=shown[-1].id, after=None) if has_older else None,
    }


def _campaigns(service: Service, filters: Filters) -> dict[str, Any]:
    found: Iterable[Campaign] = reversed(service.world.campaigns_by_update(service.world.owner))
    id_ = filters.campaign_id(service.world.campaigns)
    if id_ is not None:
        found = (campaign for campaign in found if campaign.id == id_)
    elif filters.campaign:
        name = filters.campaign.casefold()
        found = (campaign for campaign in found if name in campaign.name.casefold())
    start = CAMPAIGNS * (filters.campaigns - 1)
    page = list(itertools.islice(found, start, start + CAMPAIGNS + 1))
    return {
        "campaign_total": len(service.world.campaigns),
        "campaigns": [_campaign(campaign) for campaign in page[:CAMPAIGNS]],
        "campaigns_newer": filters.turn(campaigns=filters.campaigns - 1) + "#campaigns" if start else None,
        "campaigns_older": filters.turn(campaigns=filters.campaigns + 1) + "#campaigns"
        if len(page) > CAMPAIGNS
        else None,
    }


def _campaign(campaign: Campaign) -> dict[str, Any]:
    totals = campaign.totals
    return {
        "id": campaign.id,
        "name": campaign.name,
        "services": campaign.services,
        "status": campaign.status,
        "tone": _TONES.get(campaign.status, "idle"),
        "starts": campaign.scheduled_at if campaign.status == "Scheduled" else None,
        "finished": totals.finished,
        "total": totals.statuses.total(),
        "credits": totals.credits,
        "bars": list(_bars(campaign)),
    }


def _bars(campaign: Campaign) -> Iterator[Bar]:
    statuses, start = campaign.totals.statuses, 0.0
    total = statuses.total()
    if total == statuses["not started"]:
        return  # Nothing has come of it yet.
    order = {status: index for index, status in enumerate(OUTCOMES)}
    for status in sorted(statuses, key=lambda status: order.get(status, len(order))):
        count = statuses[status]
        width = _CHART * count / total
        shown = outcome("sent" if campaign.services == "SMS" and status == "completed" else status)
        yield Bar(shown, count, f"{100 * count / total:.0f} %", round(start, 1), round(width, 1))
        start += width


def _faults(service: Service) -> dict[str, Any]:
    struck = itertools.islice(reversed(service.faults.struck), _STRUCK)
    return {"waiting": [fault for fault in service.faults if fault.is_waiting], "struck": list(struck)}


def _requests(service: Service, filters: Filters) -> dict[str, Any]:
    kept, is_all = service.recent_requests, filters.requests == "all"
    shown = itertools.islice(reversed(kept), None if is_all else REQUESTS)
    has_more = len(kept) > REQUESTS and not is_all
    return {
        "requests": [_request(request) for request in shown],
        "request_total": len(kept),
        "more_requests": filters.turn(requests="all") + "#requests" if has_more else None,
    }


def _request(request: ReceivedRequest) -> dict[str, Any]:
    status = "pending" if request.duration is None else "dropped" if request.status is None else str(request.status)
    tone = "busy" if request.duration is None else "good" if status.startswith(("2", "3")) else "bad"
    return {
        "key": id(request),
        "at": request.at,
        "method": request.method,
        "target": request.path + (f"?{masked_query(request.query)}" if request.query else ""),
        "fault": request.fault,
        "status": status,
        "tone": tone,
        "took": took(request.duration),
    }
