"""Measure one contender that sends one-time passwords over TLS. Print JSON: latency and CPU per send, in ms.

    python sends.py CONTENDER URL AUTHORITY SENDS TASKS

AUTHORITY is the file of the certificate authority to trust.
"""

import asyncio
import gc
import json
import resource
import ssl
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import httpx
import requests

from tingting_async.v1 import TingTing

PATH = "/api/v1/auths/send/otp/"
FIELDS = {"number": "9800000001", "message": "{otp}", "sms_send_options": "text", "otp_options": "generated"}
HEADERS = {"Authorization": "Bearer key"}
Send = Callable[[], Awaitable[object]]


@asynccontextmanager
async def tingting_async(url: str, context: ssl.SSLContext, **options: Any) -> AsyncIterator[Send]:
    async with TingTing(base_url=url, api_token="key", ssl=context, **options) as tingting:
        yield lambda: tingting.otp.send("9800000001", "{otp}", channel="text")


@asynccontextmanager
async def aiohttp_client(url: str, context: ssl.SSLContext, **options: Any) -> AsyncIterator[Send]:
    connector = aiohttp.TCPConnector(ssl=context, **options)
    async with aiohttp.ClientSession(connector=connector, headers=HEADERS) as http:

        async def send() -> object:
            async with http.post(url + PATH, json=FIELDS) as response:
                return json.loads(await response.read())

        yield send


@asynccontextmanager
async def httpx_client(url: str, context: ssl.SSLContext) -> AsyncIterator[Send]:
    async with httpx.AsyncClient(verify=context, headers=HEADERS) as http:

        async def send() -> object:
            return (await http.post(url + PATH, json=FIELDS)).json()

        yield send


@asynccontextmanager
async def requests_sessions(url: str, authority: str) -> AsyncIterator[Send]:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(16) as threads, requests.Session() as http:
        http.verify, http.trust_env = authority, False

        def post() -> object:
            return http.post(url + PATH, json=FIELDS, headers=HEADERS).json()

        yield lambda: loop.run_in_executor(threads, post)


CONTENDERS: dict[str, Callable[[str, Any], Any]] = {
    "tingting_async": tingting_async,
    "tingting_async, fresh connections": lambda url, context: tingting_async(url, context, fresh_connections=True),
    "aiohttp, kept alive": aiohttp_client,
    "aiohttp, fresh connections": lambda url, context: aiohttp_client(url, context, force_close=True),
    "httpx.AsyncClient": httpx_client,
    "requests.Session, in threads": requests_sessions,
}


async def main(name: str, url: str, authority: str, sends: int, tasks: int) -> None:
    context = ssl.create_default_context(cafile=authority)
    latencies: list[float] = []

    async def stream(send: Send, count: int) -> None:
        for _ in range(count):
            start = time.perf_counter()
            await send()
            latencies.append(time.perf_counter() - start)

    async with CONTENDERS[name](url, authority if name.startswith("requests") else context) as send:
        await asyncio.gather(*(stream(send, 2) for _ in range(tasks)))  # Opens the connections, and imports the rest.
        latencies.clear()
        gc.collect()
        before = resource.getrusage(resource.RUSAGE_SELF)
        await asyncio.gather(*(stream(send, sends // tasks) for _ in range(tasks)))
        after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    figures = {
        "latency": statistics.median(latencies) * 1000,
        "cpu": cpu / len(latencies) * 1000,
        "faults": (after.ru_minflt - before.ru_minflt) / len(latencies),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])))
