"""Show how exactly several processes keep a rate that they share: `python benchmarks/rate.py`.

It starts a Redis server (`redis-server` must be installed), a service that notes when each request arrives, and several
processes that send as fast as they may. It prints how many requests arrived per second, and the most in any window of a
second.
"""

import argparse
import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from time import monotonic

from tingting_async import RedisRateLimit, Timeout, TingTing

USER = json.dumps(
    {
        "status": 200,
        "success": True,
        "data": {"user_details": {"first_name": "S", "last_name": "E", "email": "s@e.com"}},
    }
).encode()
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(USER), USER)


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def redis_server() -> Iterator[str]:
    """Run a Redis server, and yield its URL."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            any("eady to accept connections" in line for line in process.stdout)
            try:
                yield f"redis://127.0.0.1:{port}/0"
            finally:
                process.terminate()


async def work(redis: str, per_second: float, base_url: str, seconds: float) -> None:
    """Send requests for some seconds, as fast as the limit allows."""
    async with RedisRateLimit(redis, per_second=per_second) as limit:
        session = TingTing(base_url=base_url, api_token="t", rate=limit, timeout=Timeout(total=60), max_in_flight=8)
        async with session as tingting:
            end = monotonic() + seconds

            async def send() -> None:
                while monotonic() < end:
                    await tingting.accounts.user_details()

            await asyncio.gather(*(send() for _ in range(8)))


async def serve(arguments: argparse.Namespace, redis: str) -> list[float]:
    """Run the processes against a service, and return when each request arrived."""
    arrivals: list[float] = []

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                arrivals.append(monotonic())
                writer.write(RESPONSE)
        writer.close()

    async with await asyncio.start_server(converse, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        given = (__file__, "--work", redis, url, "--per-second", str(arguments.per_second))
        command = [sys.executable, *given, "--seconds", str(arguments.seconds)]
        workers = [await asyncio.create_subprocess_exec(*command) for _ in range(arguments.processes)]
        await asyncio.gather(*(worker.wait() for worker in workers))
    return arrivals


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--per-second", type=float, default=50)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        redis, base_url = arguments.work
        asyncio.run(work(redis, arguments.per_second, base_url, arguments.seconds))
        return
    with redis_server() as redis:
        arrivals = asyncio.run(serve(arguments, redis))
    rate = (len(arrivals) - 1) / (arrivals[-1] - arrivals[0])
    most = max(sum(start <= arrival < start + 1 for arrival in arrivals) for start in arrivals)
    error = 100 * (rate / arguments.per_second - 1)
    print(f"{arguments.processes} processes, {arguments.per_second:g} requests per second, {len(arrivals)} requests")
    print(f"arrived per second: {rate:.2f} ({error:+.2f} %), {most} at most within any second")


if __name__ == "__main__":
    main()
