"""A link with a round-trip time in front of a server on this machine. Prints its port.

    python link.py MILLISECONDS PORT

It delays the bytes of each direction by half a round trip, and the first bytes of a connection by a whole one more, as
the handshake of TCP would.
"""

import asyncio
import contextlib
import os
import selectors
import sys


async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float, first: float) -> None:
    """Forward the bytes of one direction, each `delay` seconds late, and the first ones `first` seconds later still."""
    loop = asyncio.get_running_loop()
    due = loop.time() + first
    with contextlib.suppress(OSError):
        while chunk := await reader.read(2**16):
            due = max(due, loop.time() + delay)
            loop.call_at(due, writer.write, chunk)
    loop.call_at(max(due, loop.time() + delay), writer.close)


async def start_link(round_trip: float, port: int) -> int:
    """Start a link to the port, with a round trip in seconds, and return its own port."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(
            forward(reader, back, round_trip / 2, round_trip * 1.5), forward(there, writer, round_trip / 2, 0)
        )

    link = await asyncio.start_server(relay, "127.0.0.1", 0)
    return int(link.sockets[0].getsockname()[1])


async def main(round_trip: float, port: int) -> None:
    print(await start_link(round_trip, port), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # The caller closes it at the end.
    os._exit(0)  # With all connections, whatever their tasks are waiting for.


if __name__ == "__main__":
    # The default, epoll, rounds timeouts up to whole milliseconds: every delay would be up to 1 ms too long.
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        runner.run(main(float(sys.argv[1]) / 1000, int(sys.argv[2])))
