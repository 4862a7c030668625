"""Send one-time passwords at random intervals to servers that close idle connections: `make soak ARGS=--idle`.

Each server closes a connection that was idle for some time, and is behind a link with a round-trip time. So a request
may be under way when the server closes its connection. At the end each send must be accounted for: one that returned
happened once, one that was not sent did not happen, and one whose outcome is unknown happened at most once.
"""

import asyncio
import json
from collections import Counter
from contextlib import ExitStack, suppress
from random import Random
from typing import Any

from processes import service

from tingting_async import NotSentError, OutcomeUnknownError
from tingting_async.v1 import TingTing

IDLE = (0.5, 1.0, 2.0, 5.0)
"""After how many seconds the servers close an idle connection."""
STREAMS = 40
LONGEST = 2.0
"""The longest interval between two sends of a stream, in seconds."""
ROUND_TRIP = 40
"""The round-trip time of the link, in milliseconds."""

RETURNED, NOT_SENT, UNKNOWN = "returned", "not sent", "unknown"
ALLOWED = {RETURNED: (1,), NOT_SENT: (0,), UNKNOWN: (0, 1)}
_BODY = json.dumps(
    {
        "status": 200,
        "success": True,
        "message": "OTP Sent Successfully.",
        "errors": [],
        "data": {"details": {"number": "9800000001", "otp": "0042", "sms_send_options": "text", "credits_used": 1}},
    }
).encode()
_RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)


class Service:
    """A service that sends codes, and closes connections that are idle for `idle` seconds."""

    def __init__(self, idle: float) -> None:
        self.idle = idle
        self.conversations: list[asyncio.Task[Any]] = []
        self.happened: Counter[str] = Counter()
        self.outcomes: dict[str, str] = {}
        """What the client says of each send, by number."""

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.conversations.append(asyncio.create_task(self.converse(reader, writer)))

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(TimeoutError, asyncio.IncompleteReadError, OSError):
            while True:
                async with asyncio.timeout(self.idle):
                    head = (await reader.readuntil(b"\r\n\r\n")).lower()
                body = await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n")[0]))
                self.happened[json.loads(body)["number"]] += 1
                writer.write(_RESPONSE)
        writer.close()

    async def stream(self, url: str, seconds: float, random: Random, first: int) -> None:
        """Send codes at random intervals, each to another number."""
        number, loop = first, asyncio.get_running_loop()
        end = loop.time() + seconds
        async with TingTing(base_url=url, api_token="key") as tingting:
            while (pause := random.uniform(0, LONGEST)) < end - loop.time():
                await asyncio.sleep(pause)
                number += 1
                try:
                    await tingting.otp.send(number, "Code {otp}", channel="text")
                    outcome = RETURNED
                except OutcomeUnknownError:
                    outcome = UNKNOWN
                except NotSentError:
                    outcome = NOT_SENT
                self.outcomes[str(number)] = outcome

    def wrong(self) -> list[str]:
        """Return what is wrong."""
        wrong = [
            f"{number}: happened {self.happened[number]} times, outcome: {outcome}"
            for number, outcome in self.outcomes.items()
            if self.happened[number] not in ALLOWED[outcome]
        ]
        return wrong + [f"{number}: happened without a call" for number in self.happened.keys() - self.outcomes.keys()]

    def report(self) -> str:
        """Return what happened, on one line."""
        counts, sends = Counter(self.outcomes.values()), len(self.outcomes)
        unknown = [number for number, outcome in self.outcomes.items() if outcome == UNKNOWN]
        happened = sum(self.happened[number] for number in unknown)
        return (
            f"connections closed after {self.idle} s: {sends} sends on {len(self.conversations)}; "
            f"{counts[RETURNED]} returned, {counts[NOT_SENT]} not sent, "
            f"{len(unknown)} unknown ({len(unknown) / max(sends, 1):.2%}; {happened} of these happened)"
        )


async def main(seconds: float, seed: int) -> bool:
    """Send for some seconds, and print what happened; return whether something is wrong."""
    services = [Service(idle) for idle in IDLE]
    with ExitStack() as links:
        async with asyncio.TaskGroup() as group:
            for place, each in enumerate(services):
                server = await asyncio.start_server(each.accept, "127.0.0.1", 0)
                port = links.enter_context(service("link.py", ROUND_TRIP, server.sockets[0].getsockname()[1]))
                for stream in range(STREAMS):
                    first = 9_800_000_000 + stream * 1_000_000
                    random = Random(f"{seed} {place} {stream}")
                    group.create_task(each.stream(f"http://127.0.0.1:{port}", seconds, random, first))
    print(f"{STREAMS} streams of sends to each server, at intervals of up to {LONGEST:g} s; round trip {ROUND_TRIP} ms")
    for each in services:
        print(each.report())
    wrong = [problem for each in services for problem in each.wrong()]
    print("wrong:", "\n".join(wrong[:20]) or "nothing")
    return bool(wrong)
