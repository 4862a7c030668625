"""The server of the benchmark, a bare asyncio protocol: it sends codes, and pages and contacts serialised beforehand.

    python server.py [CERTIFICATE MILLISECONDS]

With a certificate, it uses TLS, behind a link with this round-trip time. It prints its port. It runs in its own
process, on another core than the client, and costs a fraction of any client, so the client alone is measured.
`/control/…` changes settings and returns counts of requests.
"""

import asyncio
import json
import os
import selectors
import ssl
import sys
import time
from collections.abc import Callable
from email.utils import formatdate

import jwt
from link import start_link

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


_MESSAGE = "नमस्ते {name} ज्यू, तिङ्तिङ् मा स्वागत छ"


def _v1_campaign(row: int) -> dict[str, object]:
    """Return a campaign of twenty fields, one of them an object, as the v1 documentation shows it."""
    return {
        "id": row,
        "name": f"दशैं अभियान {row}",
        "services": ("PHONE", "SMS", "SMS & PHONE")[row % 3],
        "status": ("Completed", "Not Started", "Running", "Scheduled")[row % 4],
        "sms_message": "",
        "message": _MESSAGE if row % 2 else "",
        "description": "",
        "schedule": "2025-07-10T09:00:00+05:45" if row % 4 == 3 else None,
        "audio_file": None,
        "bulk_file": None,
        "category": "Text",
        "user_phone": [12],
        "campaign_action_count": row % 500,
        "progress_percent": row % 101,
        "updated_at": "2025-07-07T11:38:24.219065+05:45",
        "credit_limit": None,
        "voice": {
            "id": 5,
            "voice_display_name": "Shreegya",
            "voice_internal_name": "np_shreegya",
            "is_premium": False,
        },
        "draft": False,
        "failover_target": [],
        "length_factor": "1.00",
    }


def _v1_contact(row: int) -> dict[str, object]:
    return {
        "id": row,
        "number": str(9_800_000_000 + row),
        "status": ("completed", "answered", "unanswered")[row % 3],
        "updated_at": "2025-07-08T16:52:53.054691+05:45",
        "call_duration": f"{row % 60}s",
        "playback": str(row % 101) if row % 3 else "",
        "credit_consumed": row % 3,
        "credit_consumed_SMS": 0,
        "carrier": "NTC",
    }


def _added_contact(row: int) -> dict[str, object]:
    """Return a contact as the v1 documentation shows it after it was added with others."""
    return {
        "id": row,
        "number": str(9_800_000_000 + row),
        "status": "not started",
        "created_at": "2026-01-27T17:19:21.219065+05:45",
        "updated_at": "Jan. 27, 2026, 05:19 PM",
        "deleted_at": None,
        "other_variables": {"name": "सीता", "amount": "500"},
        "duration": None,
        "uuid": "0c5a3f63-4d6a-4b0e-9c35-b1f1a1c35c7a",
        "failover_sms_sent": False,
        "campaing": 1,
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


def http_response(body: bytes, *headers: str) -> bytes:
    """Return the bytes of a whole HTTP response."""
    lines = ("HTTP/1.1 200 OK", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers)
    return "\r\n".join((*lines, "", "")).encode() + body


def page(rows: list[dict[str, object]], key: str, number: int, pages: int) -> bytes:
    """Return the body of a page, in the service's form."""
    value = {"pagination": _envelope(number, pages), "result": {"messages": "Successfully Retrieved", key: rows}}
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def v1_page(path: str, rows: list[dict[str, object]], number: int, pages: int) -> bytes:
    """Return the body of a page by limit and offset."""

    def link(offset: int) -> str:
        return f"http://127.0.0.1{path}?limit={PER_PAGE}&offset={offset}"

    value = {
        "count": pages * PER_PAGE,
        "total_pages": pages,
        "next": link(number * PER_PAGE) if number < pages else None,
        "previous": link((number - 2) * PER_PAGE) if number > 1 else None,
        "results": rows,
    }
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def v1_campaign_page(number: int, pages: int = CAMPAIGN_PAGES) -> bytes:
    """Return the body of a page of the v1 API's campaigns."""
    rows = [_v1_campaign(row) for row in range((number - 1) * PER_PAGE, number * PER_PAGE)]
    return v1_page("/api/v1/campaign/", rows, number, pages)


def v1_contact_page(number: int, pages: int = CAMPAIGN_PAGES) -> bytes:
    """Return the body of a page of the v1 API's contacts."""
    rows = [_v1_contact(row) for row in range((number - 1) * PER_PAGE, number * PER_PAGE)]
    return v1_page("/api/v1/campaign-detail/1/", rows, number, pages)


def campaign_page(number: int, pages: int = CAMPAIGN_PAGES) -> bytes:
    """Return the body of a page of campaigns."""
    rows = [_campaign(row) for row in range((number - 1) * PER_PAGE, number * PER_PAGE)]
    return page(rows, "campaign-lists", number, pages)


def number_page(number: int, pages: int = NUMBER_PAGES) -> bytes:
    """Return the body of a page of numbers."""
    rows = [_number(row) for row in range((number - 1) * PER_PAGE, number * PER_PAGE)]
    return page(rows, "number-lists", number, pages)


def _number_template() -> bytes:
    """Return a template of a page of numbers with slots for what differs: a million rows would need too much memory."""
    body = number_page(50_000).decode().replace("%", "%%")
    body = body.replace('"page_number":50000', '"page_number":%6d')
    body = body.replace('"has_next":true', '"has_next":%s')
    for row in range(49_999 * PER_PAGE, 50_000 * PER_PAGE):
        body = body.replace(f'"id":{row},', '"id":%7d,')
    return body.encode()


LISTS: dict[bytes, Callable[[int, int], bytes]] = {
    b"/api/system/campaigns": campaign_page,
    b"/api/v1/campaign/": v1_campaign_page,
    b"/api/v1/campaign-detail/1/": v1_contact_page,
}
_OTP = {"number": "9800000001", "otp": "0042", "sms_send_options": "text", "credits_used": 1}
_BY_OFFSET = b"limit=10&offset="


class Service:
    """The pages that are served, and counts of the requests."""

    def __init__(self) -> None:
        self.latency = 0.0
        self.requests = 0
        self.in_flight = 0
        self.peak_in_flight = 0
        self.made: dict[int, dict[bytes, list[bytes]]] = {}
        self.make_lists(CAMPAIGN_PAGES)
        self.short_lists: dict[int, list[bytes]] = {}
        self.template = _number_template()
        expiry = {"exp": time.time() + 86_400, "iat": time.time()}
        token = {"access": jwt.encode(expiry, "x" * 32), "refresh": jwt.encode({**expiry, "r": 1}, "x" * 32)}
        user = {"first_name": "Sita", "last_name": "Rai", "email": "sita@example.com"}
        data = {"token": token, "user_data": user}
        envelope = {"status": 200, "success": True, "message": None, "errors": [], "data": data}
        cookies = [f"Set-Cookie: {name}={value}; HttpOnly; Path=/" for name, value in token.items()]
        self.logins = {
            b"/api/accounts/login/": http_response(json.dumps(envelope).encode()),
            b"/api/v1/auths/login/": http_response(b'{"has_logged_in":true,"message":"Login Successful"}', *cookies),
        }
        sent = {**envelope, "message": "OTP Sent Successfully.", "data": {"details": _OTP}}
        self.otp = http_response(json.dumps(sent).encode(), f"Date: {formatdate(usegmt=True)}")

        contacts = [_added_contact(row) for row in range(100)]
        added = {"created": 100, "skipped": 0, "contacts": contacts, "errors": None}
        self.added = http_response(json.dumps(added, ensure_ascii=False).encode())

    def make_lists(self, pages: int) -> None:
        """Serve lists with this many pages. They are made now: otherwise, the first request would wait for all."""
        if pages not in self.made:
            numbers = range(1, pages + 1)
            self.made[pages] = {
                path: [http_response(make_page(number, pages)) for number in numbers]
                for path, make_page in LISTS.items()
            }
        self.long_lists = self.made[pages]

    def respond(self, target: bytes) -> bytes:
        """Return the response to a request target."""
        path, _, query = target.partition(b"?")
        number = int(query[5:]) if query.startswith(b"page=") else 1
        if query.startswith(_BY_OFFSET):
            number = int(query[len(_BY_OFFSET) :]) // PER_PAGE + 1
        if path in LISTS:
            return self.long_lists[path][number - 1]
        if path.startswith(b"/api/system/campaigns/number/"):
            # The id is the number of pages; the longest list is a template.
            pages = int(path.rpartition(b"/")[2])
            if pages != NUMBER_PAGES:
                if pages not in self.short_lists:
                    self.short_lists[pages] = [http_response(number_page(each, pages)) for each in range(1, pages + 1)]
                return self.short_lists[pages][number - 1]
            has_next = b"true" if number < pages else b"false"
            ids = range((number - 1) * PER_PAGE, number * PER_PAGE)
            return http_response(self.template % (number, has_next, *ids))
        if path == b"/api/v1/auths/send/otp/":
            return self.otp
        if path == b"/api/v1/campaign/1/add-contact/":  # Each request has a hundred contacts.
            return self.added
        if path in self.logins:
            return self.logins[path]
        return self.control(path)

    def control(self, path: bytes) -> bytes:
        """Set the latency (`/control/latency/50`, in milliseconds) or the number of pages, or keep the server awake.

        Return the number of requests, and their peak in flight, since the last such request.
        """
        setting, _, value = path.removeprefix(b"/control/").partition(b"/")
        if setting == b"latency":
            self.latency = float(value) / 1000
        if setting == b"pages":
            self.make_lists(int(value))
        if setting == b"awake":
            self.poll()
        counts = {"requests": self.requests, "peak_in_flight": self.peak_in_flight}
        self.requests = self.peak_in_flight = 0
        return http_response(json.dumps(counts).encode())

    def poll(self) -> None:
        """Let the event loop poll from now on, and never sleep.

        Waking a process that sleeps on the other core costs the client CPU time. A client that is fast enough to keep
        the server busy would not pay for that, and the others would. A process that sleeps also wakes up late, so
        every latency would be longer than it should be.
        """
        asyncio.get_running_loop().call_soon(self.poll)


class Protocol(asyncio.Protocol):
    """HTTP/1.1 with keep-alive: only what the contenders need."""

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
        service.requests += 1
        service.in_flight += 1
        service.peak_in_flight = max(service.peak_in_flight, service.in_flight)
        if service.latency:
            asyncio.get_running_loop().call_later(service.latency, self.write, target)
        else:
            self.write(target)

    def write(self, target: bytes) -> None:
        self.service.in_flight -= 1
        if not self.transport.is_closing():
            self.transport.write(self.service.respond(target))


async def main(certificate: str | None = None, round_trip: str = "0") -> None:
    service, context = Service(), None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    server = await asyncio.get_running_loop().create_server(
        lambda: Protocol(service), "127.0.0.1", 0, backlog=1024, ssl=context
    )
    port = server.sockets[0].getsockname()[1]
    if certificate is not None:
        service.poll()
        port = await start_link(float(round_trip) / 1000, port)
    print(port, flush=True)
    # Standard input closes when the parent process ends.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)  # With all connections of the link, whatever their tasks are waiting for.


if __name__ == "__main__":
    # The default, epoll, rounds timeouts up to whole milliseconds: every latency would be up to 1 ms too long.
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        runner.run(main(*sys.argv[1:]))
