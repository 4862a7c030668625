"""The other side of the benchmark: pages serialised beforehand, over a bare asyncio protocol.

It runs in a process of its own, on another core than the client, and costs a fraction of any client: what is measured
is the client. `/control/…` sets the latency and tells what was asked.
"""

import asyncio
import json
import sys
import time

import jwt

CAMPAIGN_PAGES = 1_000
NUMBER_PAGES = 100_000
PER_PAGE = 10

_NAME = "दशैंको शुभकामना अभियान"
_DESCRIPTION = "यो अभियान प्रयोगकर्ताहरूलाई नयाँ सेवाको जानकारी दिन सञ्चालन गरिएको हो, कृपया ध्यान दिनुहोला। " * 2


def _campaign(row: int) -> dict[str, object]:
    return {
        "id": row,
        "name": f"{_NAME} {row}",
        "user_phone": [],
        "services": ("PHONE", "SMS", "SMS & PHONE")[row % 3],
        "description": _DESCRIPTION if row % 4 else None,
        "usable_tags": ["tags_name", "tags_age"] if row % 2 else [],
    }


def _number(row: int) -> dict[str, object]:
    return {
        "id": row,
        "number": str(9_800_000_000 + row),
        "campaing": _NAME,
        "available_tags": {"tags_name": "सीता"},
        "status": ("completed", "answered", "unanswered")[row % 3],
        "duration": f"{row % 60}s",
        "playback": f"{row % 100}.00",
        "credit_consumed": "1.50",
    }


def _envelope(number: int, pages: int) -> dict[str, object]:
    return {
        "total_items": pages * PER_PAGE,
        "total_pages": pages,
        "page_number": number,
        "has_next": number < pages,
        "has_previous": number > 1,
        "links": [],
    }


def answer(body: bytes) -> bytes:
    """Return a whole HTTP answer."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def page(rows: list[dict[str, object]], key: str, number: int, pages: int) -> bytes:
    """Return the body of a page, as the service spells it."""
    value = {"pagination": _envelope(number, pages), "result": {"messages": "Successfully Retrieved", key: rows}}
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def campaign_page(number: int, pages: int = CAMPAIGN_PAGES) -> bytes:
    """Return the body of a page of campaigns."""
    rows = [_campaign(row) for row in range((number - 1) * PER_PAGE, number * PER_PAGE)]
    return page(rows, "campaign-lists", number, pages)


def number_page(number: int, pages: int = NUMBER_PAGES) -> bytes:
    """Return the body of a page of numbers."""
    rows = [_number(row) for row in range((number - 1) * PER_PAGE, number * PER_PAGE)]
    return page(rows, "number-lists", number, pages)


def _number_template() -> bytes:
    """Return a page of numbers in which only what makes it a page of its own is open: a million rows fit no memory."""
    body = number_page(50_000).decode().replace("%", "%%")
    body = body.replace('"page_number":50000', '"page_number":%6d')
    body = body.replace('"has_next":true', '"has_next":%s')
    for row in range(49_999 * PER_PAGE, 50_000 * PER_PAGE):
        body = body.replace(f'"id":{row},', '"id":%7d,')
    return body.encode()


class Service:
    """What is served, and what was asked."""

    def __init__(self) -> None:
        self.latency = 0.0
        self.asked = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self.campaigns: list[bytes] = []
        self.set_pages(CAMPAIGN_PAGES)
        self.short: dict[int, list[bytes]] = {}
        self.template = _number_template()
        expiry = {"exp": time.time() + 86_400, "iat": time.time()}
        token = {"access": jwt.encode(expiry, "x" * 32), "refresh": jwt.encode({**expiry, "r": 1}, "x" * 32)}
        user = {"first_name": "Sita", "last_name": "Rai", "email": "sita@example.com"}
        data = {"token": token, "user_data": user}
        envelope = {"status": 200, "success": True, "message": None, "errors": [], "data": data}
        self.login = answer(json.dumps(envelope).encode())

    def set_pages(self, pages: int) -> None:
        """Set how many pages of campaigns there are."""
        if len(self.campaigns) != pages:
            self.campaigns = [answer(campaign_page(number, pages)) for number in range(1, pages + 1)]

    def respond(self, target: bytes) -> bytes:
        """Return the answer to a target."""
        path, _, query = target.partition(b"?")
        number = int(query[5:]) if query.startswith(b"page=") else 1
        if path == b"/api/system/campaigns":
            return self.campaigns[number - 1]
        if path.startswith(b"/api/system/campaigns/number/"):
            # Its id tells how long the list is; the longest one is a template.
            pages = int(path.rpartition(b"/")[2])
            if pages != NUMBER_PAGES:
                if pages not in self.short:
                    self.short[pages] = [answer(number_page(each, pages)) for each in range(1, pages + 1)]
                return self.short[pages][number - 1]
            more = b"true" if number < pages else b"false"
            ids = range((number - 1) * PER_PAGE, number * PER_PAGE)
            return answer(self.template % (number, more, *ids))
        if path == b"/api/accounts/login/":
            return self.login
        return self.control(path)

    def control(self, path: bytes) -> bytes:
        """Set the latency (`/control/latency/50`, in milliseconds) or the campaigns' pages (`/control/pages/100`).

        Tells what was asked since the last time.
        """
        what, _, value = path.removeprefix(b"/control/").partition(b"/")
        if what == b"latency":
            self.latency = float(value) / 1000
        if what == b"pages":
            self.set_pages(int(value))
        told = {"asked": self.asked, "most_in_flight": self.most_in_flight}
        self.asked = self.most_in_flight = 0
        return answer(json.dumps(told).encode())


class Protocol(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, as little of it as the contenders need."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, end, body = self.buffer.partition(b"\r\n\r\n")
        if not end:
            return
        _, _, length = head.lower().partition(b"content-length: ")
        if length and len(body) < int(length.partition(b"\r\n")[0]):
            return
        self.buffer = b""
        service, target = self.service, head.split(b" ", 2)[1]
        if target.startswith(b"/control/"):
            self.transport.write(service.respond(target))
            return
        service.asked += 1
        service.in_flight += 1
        service.most_in_flight = max(service.most_in_flight, service.in_flight)
        if service.latency:
            asyncio.get_running_loop().call_later(service.latency, self.write, target)
        else:
            self.write(target)

    def write(self, target: bytes) -> None:
        self.service.in_flight -= 1
        if not self.transport.is_closing():
            self.transport.write(self.service.respond(target))


async def main() -> None:
    service = Service()
    server = await asyncio.get_running_loop().create_server(lambda: Protocol(service), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    # Ends with the process that started it.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
