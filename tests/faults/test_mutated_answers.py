"""Answers that are spoilt in every way that chance finds: a result, or one of our errors, and nothing left behind."""

import asyncio
import json
import os
from collections import Counter
from functools import cached_property
from itertools import cycle
from random import Random
from typing import Any, get_type_hints

import aiohttp
import attrs
import pytest

from tingting_async import MemoryTokenStore, RetryPolicy, Timeout, TingTingError, Tokens
from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

ANSWERS = 10_000
"""For each generation of the API."""
AT_ONCE = 24
NOT_KEPT = ("transfer-encoding", "connection", "content-length", "date", "server")


@attrs.frozen
class Answer:
    """An answer as the sandbox gave it."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def write(answer: Answer, *, length: int | None = None) -> bytes:
    """Return an answer as it goes over the wire; with another length than it has, if one is given."""
    headers = [*answer.headers, ("Content-Length", str(len(answer.body) if length is None else length))]
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {answer.status} Whatever\r\n{head}\r\n".encode("utf-8", "surrogateescape") + answer.body


VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 7, 10**9, 10**30, -(10**30), 0.1, 1e308, float("nan"), float("inf")),
    *("", " ", "0", "-1", "1e999", "null", "None", "false", "नमस्ते", "२०८२-०१-०१", "\ud800", "\0", "x" * 5000),
    *("2026-13-45T99:99:99", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59+14:00", "http://[", "//", "2026-01-27"),
    *([], {}, [None], [[]], [{}], {"": None}, {"id": {"id": {"id": []}}}, ["a", 1, None, {}]),
)


def spoil_value(random: Random, value: Any) -> Any:
    """Return a JSON value with one part of it changed: dropped, added, repeated, or of another type."""
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
                return {**value, key: spoil_value(random, value[key])}
    if isinstance(value, list) and value and random.random() < 0.8:
        place = random.randrange(len(value))
        match random.randrange(5):
            case 0:
                return value[:place] + value[place + 1 :]
            case 1:
                return [*value, value[place]]
            case _:
                return [*value[:place], spoil_value(random, value[place]), *value[place + 1 :]]
    match random.randrange(4):
        case 0:
            return str(value)
        case 1:
            return [value]
        case _:
            return random.choice(VALUES)


def spoil_json(random: Random, body: bytes) -> bytes:
    """Change the values of a body."""
    try:
        value = json.loads(body)
    except ValueError:
        return spoil_bytes(random, body)
    for _ in range(random.randint(1, 3)):
        value = spoil_value(random, value)
    text = json.dumps(value, ensure_ascii=random.random() < 0.5)
    if random.random() < 0.1:  # The same key twice.
        text = text.replace("{", '{"status": 500, "results": 7, "data": null, "id": "x", ', 1)
    return text.encode("utf-8", "surrogatepass")


def spoil_bytes(random: Random, body: bytes) -> bytes:
    """Change the bytes of a body."""
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


def spoil(random: Random, answer: Answer) -> bytes:
    """Return an answer with something wrong, as it goes over the wire."""
    body, status, headers = answer.body, answer.status, answer.headers
    if random.random() < 0.7:
        body = spoil_json(random, body)
    if random.random() < 0.2:
        body = spoil_bytes(random, body)
    if random.random() < 0.15:
        status = random.choice(STATUSES)
    if random.random() < 0.15:
        headers = [*headers, random.choice(HEADERS)]
    length = random.choice((0, 1, len(body) + 1, 10**6)) if random.random() < 0.03 else None
    raw = write(Answer(status, headers, body), length=length)
    if random.random() < 0.02:
        place = random.randint(0, len(raw))
        raw = raw[:place] + random.randbytes(random.randint(0, 5)) + raw[place + random.randint(0, 5) :]
    return raw


async def record(generation: Any, serve: Any, sandbox: Sandbox, targets: Any) -> dict[str, list[Answer]]:
    """Do every operation once, against the sandbox; return what it answered to each."""
    answers: list[Answer] = []
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:

        async def forward(received: Any) -> None:
            headers = {
                name: value for name, value in received.headers.items() if name not in ("host", "content-length")
            }
            url = sandbox.url + received.target
            async with http.request(
                received.method, url, headers=headers, data=received.body, allow_redirects=False
            ) as answer:
                kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in NOT_KEPT]
                answers.append(Answer(answer.status, kept, await answer.read()))
            await received.raw(write(answers[-1]))

        server = await serve(forward)
        account = {"email": sandbox.email, "password": sandbox.password}
        recorded: dict[str, list[Answer]] = {}
        async with generation.session(base_url=server.url, **account) as tingting:
            for name, call in generation.calls.items():
                answers.clear()
                await call(tingting, targets)
                recorded[name] = answers.copy()
    return recorded


def operations(session: type[Any]) -> set[str]:
    """Return the names of all operations of a generation."""
    resources = {name: part for name, part in vars(session).items() if isinstance(part, cached_property)}
    return {
        f"{name}.{operation}"
        for name, part in resources.items()
        for operation in vars(get_type_hints(part.func)["return"])
        if not operation.startswith("_")
    }


def test_every_operation_is_tried(generation: Any) -> None:
    """There is a call for every operation."""
    assert generation.calls.keys() == operations(generation.session)


async def test_mutated_answers(generation: Any, world: Any, serve: Any) -> None:
    """Whatever an answer holds, what comes out is a result or one of our errors, and no task or socket is left."""
    sandbox, targets = world
    recorded = await record(generation, serve, sandbox, targets)
    to_come: dict[str, list[bytes]] = {}

    async def answer(received: Any) -> None:
        waiting = to_come[received.target.split("/")[1]]  # By the worker who asks.
        await received.raw(waiting.pop(0) if len(waiting) > 1 else waiting[0])
        received.close()

    server = await serve(answer)
    before = left_open()
    cases = iter(list(zip(range(ANSWERS), cycle(generation.calls), strict=False)))
    outcomes: Counter[str] = Counter()
    wrong: list[str] = []

    async def work(worker: int) -> None:
        for seed, name in cases:
            random = Random(f"{generation.session.__module__} {seed}")
            # Of an operation of several requests one is spoilt; what is asked beyond them gets the last once more.
            honest = recorded[name]
            place = random.randrange(len(honest))
            spoilt = spoil(random, honest[place])
            to_come[f"{worker}"] = [*map(write, honest[:place]), spoilt, *map(write, honest[place + 1 :])]
            async with generation.session(
                base_url=f"{server.url}/{worker}",
                retries=RetryPolicy(attempts=1),
                timeout=Timeout(attempt=3, total=9),
                **await account_for(name),
            ) as tingting:
                try:
                    async with asyncio.timeout(20):  # Far beyond its deadline.
                        await generation.calls[name](tingting, targets)
                    outcomes["result"] += 1
                except TingTingError as error:
                    outcomes[type(error).__name__] += 1
                except Exception as error:  # noqa: BLE001 - the point
                    wrong.append(f"{name}, seed {seed}: {error!r} of {spoilt[:500]!r}")

    await asyncio.gather(*(work(worker) for worker in range(AT_ONCE)))
    assert wrong == []
    assert sum(outcomes.values()) == ANSWERS
    # Neither all was read nor all refused, or the answers prove nothing.
    assert min(outcomes["result"], outcomes["DecodeError"], outcomes["OutcomeUnknownError"]) > ANSWERS * 0.05
    for _ in range(2000):  # What is closing may take the loop some turns.
        if left_open() == before:
            break
        await asyncio.sleep(0.001)
    assert left_open() == before


async def account_for(name: str) -> dict[str, Any]:
    """Return how to sign in for an operation."""
    if name == "accounts.login":
        return {"email": "e", "password": "p"}
    if name == "accounts.refresh":
        store = MemoryTokenStore()
        await store.save(Tokens("access", "refresh"))
        return {"token_store": store}
    return {"api_token": "t"}


def left_open() -> tuple[int, int]:
    """Return how many tasks there are, and how many files and sockets this process has open."""
    return len(asyncio.all_tasks()), len(os.listdir("/dev/fd"))  # noqa: PTH208 - names are enough
