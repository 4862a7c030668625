"""A service that sends one-time passwords, behind TLS and a link with a round-trip time. Prints its port.

    python link.py CERTIFICATE MILLISECONDS

A proxy in front of the service delays the bytes of each direction by half a round trip, and the first bytes of a
connection by a whole one more, as the handshake of TCP would.
"""

import asyncio
import contextlib
import json
import ssl
import sys

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


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Respond to every request of a connection."""
    with contextlib.suppress(asyncio.IncompleteReadError, OSError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n")[0]))
            writer.write(_RESPONSE)
    writer.close()


async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float, first: float) -> None:
    """Forward the bytes of one direction, each `delay` seconds late, and the first ones `first` seconds later still."""
    loop = asyncio.get_running_loop()
    due = loop.time() + first
    with contextlib.suppress(OSError):
        while chunk := await reader.read(2**16):
            due = max(due, loop.time() + delay)
            loop.call_at(due, writer.write, chunk)
    loop.call_at(max(due, loop.time() + delay), writer.close)


async def main(certificate: str, round_trip: float) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    service = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = service.sockets[0].getsockname()[1]

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(
            forward(reader, back, round_trip / 2, round_trip * 1.5), forward(there, writer, round_trip / 2, 0)
        )

    link = await asyncio.start_server(relay, "127.0.0.1", 0)
    print(link.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # The caller closes it at the end.
    raise SystemExit(0)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]) / 1000))
