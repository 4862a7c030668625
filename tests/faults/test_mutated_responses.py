"""Responses with random mutations: each call ends with a result or a `TingTingError`, and leaves nothing open."""

import asyncio
import gc
import json
import os
from collections import Counter
from random import Random
from typing import Any

import aiohttp
import attrs
import pytest
from support.resources import resource_classes
from support.servers import Received

from tingting_async import MemoryTokenStore, RetryPolicy, Timeout, TingTingError, Tokens
from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

MUTATIONS = 4_000
"""For each generation of the API."""
PARTS = 8
"""The tests that share the mutations, so that each test takes seconds only."""
PER_PART = MUTATIONS // PARTS
WORKERS = 24
DROPPED_HEADERS = ("transfer-encoding", "connection", "content-length", "date", "server")


@attrs.frozen
class Recorded:
    """A response of the sandbox."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def encode(response: Recorded, *, length: int | None = None) -> bytes:
    """Return the bytes of a response; with a false `Content-Length`, if `length` is given."""
    headers = [*response.headers, ("Content-Length", str(len(response.body) if length is None else length))]
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {response.status} Whatever\r\n{head}\r\n".encode("utf-8", "surrogateescape") + response.body


VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 7, 10**9, 10**30, -(10**30), 0.1, 1e308, float("nan"), float("inf")),
    *("", " ", "0", "-1", "1e999", "null", "None", "false", "नमस्ते", "२०८२-०१-०१", "\ud800", "\0", "x" * 5000),
    *("2026-13-45T99:99:99", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59+14:00", "http://[", "//", "2026-01-27"),
    *([], {}, [None], [[]], [{}], {"": None}, {"id": {"id": {"id": []}}}, ["a", 1, None, {}]),
)


def mutate_value(random: Random, value: Any) -> Any:
    """Return a JSON value with one part removed, added, repeated, or replaced by another type."""
    if isinstance(value, dict) and value and random.random() < 0.8:
        key = random.choice(list(value))
        match random.randrange(5):
            case 0:
                return {name: part for name, part in value.items() if name != key}
            case 1:
                return {
                    **value,
                    random.choice(("new", "", "message", "error", "next", key.upper())): random.choice(VALUES),
                }
            case _:
                return {**value, key: mutate_value(random, value[key])}
    if isinstance(value, list) and value and random.random() < 0.8:
        place = random.randrange(len(value))
        match random.randrange(5):
            case 0:
                return value[:place] + value[place + 1 :]
            case 1:
                return [*value, value[place]]
            case _:
                return [*value[:place], mutate_value(random, value[place]), *value[place + 1 :]]
    match random.randrange(4):
        case 0:
            return str(value)
        case 1:
            return [value]
        case _:
            return random.choice(VALUES)


def mutate_json(random: Random, body: bytes) -> bytes:
    """Mutate the values of a JSON body."""
    try:
        value = json.loads(body)
    except ValueError:
        return mutate_bytes(random, body)
    for _ in range(random.randint(1, 3)):
        value = mutate_value(random, value)
    text = json.dumps(value, ensure_ascii=random.random() < 0.5)
    if random.random() < 0.1:  # A duplicate key.
        text = text.replace("{", '{"status": 500, "results": 7, "data": null, "id": "x", ', 1)
    return text.encode("utf-8", "surrogatepass")


def mutate_bytes(random: Random, body: bytes) -> bytes:
    """Mutate the bytes of a body."""
    place = random.randint(0, len(body))
    match random.randrange(9):
        case 0:
            return body[:place]
        case 1:
            return body[:place] + random.randbytes(random.randint(1, 20)) + body[place:]
        case 2:
            return body[:place] + b"\xff\xc3" + body[place + 1 :]
        case 3:
            return random.randbytes(random.randint(0, 300))
        case 4:
            return b"\xef\xbb\xbf" + body
        case 5:
            depth = random.choice((30, 900, 1100, 50_000))
            return random.choice((b"[" * depth, b'{"data":' * depth, b"[" * depth + b"]" * depth))
        case 6:
            return body.replace(b"1", b"9" * 400, 3)
        case 7:
            return b"<!doctype html><title>Error</title>" + body
        case _:
            return body.decode("latin-1").encode("utf-16")


STATUSES = (
    *(200, 200, 200, 201, 202, 204, 206, 207, 226, 299, 300, 301, 302, 303, 304, 305, 307, 308, 399),
    *(400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 413, 415, 418, 422, 425, 429, 431, 451, 499),
    *(500, 501, 502, 503, 504, 505, 507, 511, 520, 599, 600, 799, 999, 100, 101, 102, 103, 199),
)
HEADERS: tuple[tuple[str, str], ...] = (
    *(("Content-Type", kind) for kind in ("text/html", "audio/mpeg", "application/json; charset=klingon", "", "{}")),
    *(("Content-Type", kind) for kind in ("text/csv; charset=utf-16", "multipart/form-data", "\udcff")),
    *(("Content-Encoding", coding) for coding in ("gzip", "deflate", "br", "zstd", "klingon", "identity")),
    *(("Retry-After", wait) for wait in ("0", "-1", "9" * 400, "soon", "Wed, 99 Foo 2015 07:28:00 GMT", "\udcff")),
    *(("Location", place) for place in ("/", "//", "http://[", "http://a.invalid/", "\udcff", "", "/" * 5000)),
    *(("Set-Cookie", cookie) for cookie in ("access=", "access", "=;=;", 'access="\\', "\udcff=\udcff", "access=a b")),
    ("Transfer-Encoding", "chunked"),
    ("Content-Length", "-1"),
    ("Content-Disposition", 'attachment; filename="../../x"'),
    ("X-Request-ID", "\udcff\udcfe"),
    ("X-Long", "x" * 9000),
    ("Allow", ""),
)


def mutate(random: Random, response: Recorded) -> bytes:
    """Return the bytes of a response with something wrong in its body, status, headers, length or bytes."""
    body, status, headers = response.body, response.status, response.headers
    if random.random() < 0.7:
        body = mutate_json(random, body)
    if random.random() < 0.2:
        body = mutate_bytes(random, body)
    if random.random() < 0.15:
        status = random.choice(STATUSES)
    if random.random() < 0.15:
        headers = [*headers, random.choice(HEADERS)]
    length = random.choice((0, 1, len(body) + 1, 10**6)) if random.random() < 0.03 else None
    raw = encode(Recorded(status, headers, body), length=length)
    if random.random() < 0.02:
        place = random.randint(0, len(raw))
        raw = raw[:place] + random.randbytes(random.randint(0, 5)) + raw[place + random.randint(0, 5) :]
    return raw


async def record(generation: Any, serve: Any, sandbox: Sandbox, targets: Any) -> dict[str, list[Recorded]]:
    """Execute every operation once against the sandbox; return the responses to each."""
    responses: list[Recorded] = []
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:

        async def forward(received: Received) -> None:
            headers = {
                name: value for name, value in received.headers.items() if name not in ("host", "content-length")
            }
            url = sandbox.url + received.target
            async with http.request(
                received.method, url, headers=headers, data=received.body, allow_redirects=False
            ) as response:
                kept = [
                    (name, value) for name, value in response.headers.items() if name.lower() not in DROPPED_HEADERS
                ]
                responses.append(Recorded(response.status, kept, await response.read()))
            await received.raw(encode(responses[-1]))

        server = await serve(forward)
        account = {"email": sandbox.email, "password": sandbox.password}
        recorded: dict[str, list[Recorded]] = {}
        async with generation.session(base_url=server.url, **account) as tingting:
            for name, call in generation.calls.items():
                responses.clear()
                await call(tingting, targets)
                recorded[name] = responses.copy()
    return recorded


def operations(session: type[Any]) -> set[str]:
    """Return the names of all operations of a generation."""
    return {
        f"{name}.{operation}"
        for name, kind in resource_classes(session).items()
        for operation in dir(kind)
        if not operation.startswith("_")
    }


def test_every_operation_is_covered(generation: Any) -> None:
    """The calls of these tests cover every operation of both generations."""
    assert generation.calls.keys() == operations(generation.session)


@pytest.mark.parametrize("part", range(PARTS))
async def test_mutated_responses(generation: Any, world: Any, serve: Any, part: int) -> None:
    """Whatever a response contains, a call ends with a result or a `TingTingError`, and leaves nothing open."""
    sandbox, targets = world
    gc.collect()  # What earlier tests left to the garbage collector is not counted.
    tasks, files = left_open()
    recorded = await record(generation, serve, sandbox, targets)
    pending: dict[str, list[bytes]] = {}

    async def respond(received: Received) -> None:
        waiting = pending[received.target.split("/")[1]]  # By worker.
        await received.raw(waiting.pop(0) if len(waiting) > 1 else waiting[0])
        received.close()

    server = await serve(respond)
    names = [*generation.calls]
    seeds = iter(range(part * PER_PART, (part + 1) * PER_PART))
    outcomes: Counter[str] = Counter()
    wrong: list[str] = []

    async def work(worker: int) -> None:
        for seed in seeds:
            name = names[seed % len(names)]
            random = Random(f"{generation.session.__module__} {seed}")
            # One response of an operation is mutated; requests beyond the recorded ones get the last response again.
            honest = recorded[name]
            place = random.randrange(len(honest))
            mutated = mutate(random, honest[place])
            pending[f"{worker}"] = [*map(encode, honest[:place]), mutated, *map(encode, honest[place + 1 :])]
            async with generation.session(
                base_url=f"{server.url}/{worker}",
                retries=RetryPolicy(attempts=1),
                timeout=Timeout(attempt=3, total=9),
                **await account_for(name),
            ) as tingting:
                try:
                    async with asyncio.timeout(20):  # Far beyond the deadline of the call.
                        await generation.calls[name](tingting, targets)
                    outcomes["result"] += 1
                except TingTingError as error:
                    outcomes[type(error).__name__] += 1
                except Exception as error:  # noqa: BLE001 - any other error is what this test looks for
                    wrong.append(f"{name}, seed {seed}: {error!r} of {mutated[:500]!r}")

    await asyncio.gather(*(work(worker) for worker in range(WORKERS)))
    assert [] == wrong
    assert PER_PART == sum(outcomes.values())
    # The mutations prove nothing if all responses are decoded, or all are refused.
    assert min(outcomes["result"], outcomes["DecodeError"], outcomes["OutcomeUnknownError"]) > PER_PART * 0.05
    expected = (tasks, files + 2)  # The two servers of this test listen until its end.
    for _ in range(2000):  # Closing may take some iterations of the loop.
        if left_open() == expected:
            break
        await asyncio.sleep(0.001)
    assert expected == left_open()


async def account_for(name: str) -> dict[str, Any]:
    """Return the credentials with which an operation is tested."""
    if name == "accounts.login":
        return {"email": "e", "password": "p"}
    if name == "accounts.refresh":
        store = MemoryTokenStore()
        await store.save(Tokens("access", "refresh"))
        return {"token_store": store}
    return {"api_token": "t"}


def left_open() -> tuple[int, int]:
    """Return the number of tasks, and of the files and sockets that this process has open."""
    return len(asyncio.all_tasks()), len(os.listdir("/dev/fd"))  # noqa: PTH208 - the names suffice
